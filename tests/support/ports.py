"""Ports that are free at this moment."""

import socket

_given: set[int] = set()


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port nobody listens on at `address`, another one at each call."""
    while True:
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
            listener.bind((address, 0))
            port = int(listener.getsockname()[1])
        if port not in _given:
            _given.add(port)
            return port
