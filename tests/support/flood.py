"""Many clients that send large messages at the same time, and how much memory a process takes."""

import re
import socket
import threading
from collections import Counter
from pathlib import Path

MB = 1_000_000
HEADER = b"From: load@bench.example\r\nTo: sink@destination.example\r\nSubject: load\r\n\r\n"
LINE = b"All work and no play makes a dull message, said the flood again.\r\n"
PIECE = LINE * (MB // len(LINE))


def resident(pid: int, field: str) -> float:
    """Return VmRSS or VmHWM, its highest ever, in MiB."""
    found = re.search(rf"^{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) / 1024


def send(port: int, megabytes: int, *, declare: bool) -> str:
    """Send one message; return the code of the reply that decided."""
    size = f" SIZE={megabytes * MB}" if declare else ""
    try:
        with socket.create_connection(("127.0.0.1", port), 600) as connection, connection.makefile("rwb") as stream:
            stream.readline()
            for command in (f"MAIL FROM:<load@bench.example>{size}", "RCPT TO:<sink@destination.example>", "DATA"):
                if command.startswith("MAIL"):
                    stream.write(b"EHLO load.bench.example\r\n")
                    stream.flush()
                    while stream.readline()[3:4] == b"-":
                        pass
                stream.write(command.encode() + b"\r\n")
                stream.flush()
                reply = stream.readline()[:3].decode()
                if reply not in {"250", "354"}:
                    return f"{reply} to {command[:4]}"
            connection.sendall(HEADER)
            for _ in range(megabytes):
                connection.sendall(PIECE)
            connection.sendall(b".\r\n")
            return f"{stream.readline()[:3].decode()} to the final dot"
    except OSError as error:
        return type(error).__name__


def load(port: int, clients: int, megabytes: int) -> Counter[str]:
    """Send from so many clients at once; return how it ended for how many."""
    ends: Counter[str] = Counter()

    def one(number: int) -> None:
        ends[send(port, megabytes, declare=number % 2 == 0)] += 1

    threads = [threading.Thread(target=one, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ends
