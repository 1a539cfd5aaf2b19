"""`sluice demo`: the product shown at work on this machine alone, one row per case, expected beside actual."""

from services.demo.run import run_demo

__all__ = ["run_demo"]
