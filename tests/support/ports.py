"""Ports that are free at this moment, and stay so until a process under test has bound them."""

import contextlib
import secrets
import socket

LOW, HIGH = 10_240, 32_768
"""Below those that systems give to clients: a test's own connections would take them back at any time."""

_given: set[int] = set()


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port nobody listens on at `address`, another one at each call."""
    while True:
        port = LOW + secrets.randbelow(HIGH - LOW)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with contextlib.suppress(OSError), socket.socket(family) as listener:
            listener.bind((address, port))
            if port not in _given:
                _given.add(port)
                return port
