"""Fixtures for every test live in tests/support, by subject."""

import gc
from collections.abc import Generator

import pytest

pytest_plugins = ["tests.support.rabbitmq_fixtures"]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport() -> Generator[None, object, object]:
    """Keep finalizers out of the report of a failure.

    Those of abandoned tasks log a traceback, which parses source as pytest does; before Python 3.12 the one in the
    middle of the other is a SystemError ("AST constructor recursion depth mismatch") that ends the whole run.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
