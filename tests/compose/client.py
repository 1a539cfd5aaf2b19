"""Run inside a client's container, on its standard input: what does this client hear?

Arguments: host, octets to send before the greeting (hexadecimal), recipient, token. Prints one JSON object: the code of
each reply up to the first refusal, 0 where the connection is closed instead. Without a token it stops after RCPT.
"""

import json
import socket
import sys
from typing import BinaryIO


def reply(lines: BinaryIO) -> int:
    """Return the code of the next reply; 0 at the end."""
    line = lines.readline()
    while line[3:4] == b"-":
        line = lines.readline()
    return int(line[:3] or 0)


def main(host: str, first: str, recipient: str, token: str = "") -> None:
    """Do one transaction."""
    steps = ["EHLO client.example", "MAIL FROM:<ann@elsewhere.example>", f"RCPT TO:<{recipient}>"]
    if token:
        fields = f"From: <ann@elsewhere.example>\r\nTo: <{recipient}>\r\nSubject: x\r\nX-Token: {token}\r\n"
        fields += f"Date: Tue, 24 Nov 2026 04:00:00 +0000\r\nMessage-ID: <{token}@elsewhere.example>\r\n"
        steps += ["DATA", f"{fields}\r\nHello Bob.\r\n."]
    with socket.create_connection((host, 2525), 60) as connection, connection.makefile("rb") as lines:
        connection.sendall(bytes.fromhex(first))
        heard = {"greeting": reply(lines)}
        for step in steps:
            if not 200 <= list(heard.values())[-1] < 400:
                break
            connection.sendall(f"{step}\r\n".encode())
            heard[step.partition(" ")[0] if len(step) < 100 else "."] = reply(lines)
    sys.stdout.write(json.dumps(heard))


main(*sys.argv[1:])
