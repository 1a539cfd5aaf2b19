"""Ports that are free at this moment."""

import socket


def free_port(address: str = "127.0.0.1") -> int:
    """Return a TCP port nobody listens on at `address`."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as listener:
        listener.bind((address, 0))
        return int(listener.getsockname()[1])
