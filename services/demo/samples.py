"""The messages of the demonstration, as octets."""

import base64

BOUNDARY = "demo-boundary-7d3f"
PROGRAM = b"MZ\x90\x00\x03\x00\x00\x00" + b"This program cannot be run in DOS mode.\r\r\n$" + bytes(64)
"""The head of a Windows program, harmless."""
PICTURE = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489") + bytes(range(256))
"""The head of a PNG."""


def header(sender: str, recipient: str, subject: str) -> bytes:
    """Return the header fields every message has, in CRLF."""
    return (
        f"From: <{sender}>\r\nTo: <{recipient}>\r\nSubject: {subject}\r\n"
        f"Date: Tue, 24 Nov 2026 09:00:00 +0000\r\nMessage-ID: <{subject.replace(' ', '-')}@demo.example>\r\n"
        "MIME-Version: 1.0\r\n"
    ).encode("ascii")


def plain(sender: str, recipient: str, subject: str) -> bytes:
    """Return a message of one text part."""
    body = b"Content-Type: text/plain; charset=us-ascii\r\n\r\nA line.\r\n.\r\n..two dots\r\n"
    return header(sender, recipient, subject) + body


def with_attachment(head: bytes, name: str, declared_type: str, content: bytes) -> bytes:
    """Return a multipart of a text and one attachment in base64, in a style of its own to show that bytes survive."""
    encoded = base64.encodebytes(content).replace(b"\n", b"\r\n")
    return b"".join(
        (
            head,
            f'Content-Type: multipart/mixed;\r\n\tboundary="{BOUNDARY}"\r\nX-Odd:   spaces  kept \r\n\r\n'.encode(),
            b"A preamble, which is kept as well.\r\n",
            f"--{BOUNDARY}\r\nContent-Type: text/plain; charset=utf-8\r\n".encode(),
            b"Content-Transfer-Encoding: 8bit\r\n\r\nGr\xc3\xbc\xc3\x9fe \t \r\n.\r\n",
            f"--{BOUNDARY}\r\nContent-Type: {declared_type}; name={name}\r\n".encode(),
            f"Content-Disposition: attachment; filename={name}\r\n".encode(),
            b"Content-Transfer-Encoding: base64\r\n\r\n",
            encoded,
            f"--{BOUNDARY}--\r\n\r\nAn epilogue.\r\n".encode(),
        )
    )
