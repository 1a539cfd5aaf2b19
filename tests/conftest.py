"""Fixtures for every test live in tests/support, by subject."""

pytest_plugins = ["tests.support.rabbitmq_fixtures"]
