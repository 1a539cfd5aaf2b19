"""The memory of an ingress process while many clients send more than it has room for."""

from pathlib import Path

from tests.support.flood import load, resident
from tests.support.ports import free_port
from tests.support.processes import SLUICE, Process, write_config

MIB = 1024**2
BUFFER = 64
"""MiB."""
SLACK = 35
"""MiB above the buffer: what the interpreter and the allocator take for themselves while they work."""


def test_clients_that_send_too_much_are_refused_and_memory_stays_bounded(tmp_path: Path) -> None:
    port = free_port()
    config = {
        "broker": f"sqlite:///{tmp_path / 'queue.db'}",
        "hostname": "relay.example.net",
        "relay": {"hosted": {"destination.example": "127.0.0.1:1"}},
        "ingress": {
            "listener": [{"address": f"127.0.0.1:{port}", "mode": "relay"}],
            "buffer": BUFFER * MIB,
            "max_message_size": 12 * MIB,
        },
    }
    path = write_config(tmp_path / "sluice.toml", config)
    process = Process("ingress", [*SLUICE, "ingress", "--config", str(path)], tmp_path)
    process.start()
    try:
        assert load(port, 1, 1) == {"250 to the final dot": 1}
        before = resident(process.pid, "VmRSS")
        ends = load(port, 60, 10)
        assert resident(process.pid, "VmHWM") - before < BUFFER + SLACK
        # Those that declared their size are refused before they have sent it, the others at the end; some get through.
        assert ends["250 to the final dot"] >= 2
        assert ends["452 to MAIL"] + ends["452 to DATA"] >= 20
        assert ends["452 to the final dot"] >= 20
        assert sum(ends.values()) == 60
        assert load(port, 1, 1) == {"250 to the final dot": 1}
    finally:
        process.kill()
