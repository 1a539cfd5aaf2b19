"""`sluice …`: the command line. Each command imports what it needs when it runs, so that every image has them all."""

from services.cli.app import main

__all__ = ["main"]
