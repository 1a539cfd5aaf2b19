"""Transcripts of SMTP sessions (tests/dialogs/*.smtp), replayed over a real connection.

A line is one of
    # text        a comment; the first says what the transcript promises
    @trusted      connect from the trusted network instead of a stranger's address
    @from ADDRESS connect from there
    @site NAME    to another ingress than the ordinary one: see test_ingress_dialogs.py
    @listener N   to its listener of that number: 0 relay, 1 submission, 2 submissions
    @beside N     while so many other connections from the same address are open
    @greeting     the transcript begins before the greeting
    C: text       send the text and CRLF
    R: text       send the octets exactly as written, with Python's backslash escapes and no CRLF
    S: pattern    expect a reply line; `*` stands for anything
    T:            do the client's part of a TLS handshake
    E:            expect the server to close the connection
    M: number     at the end: so many messages have been published
"""

import contextlib
import ssl
from fnmatch import fnmatchcase
from pathlib import Path

from tests.support.front import STRANGER, TRUSTED, Front, Talk


def replay(path: Path, front: Front, trust: ssl.SSLContext) -> None:
    """Replay one transcript. AssertionError names its line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    source = directive(lines, "@from") or (TRUSTED if "@trusted" in lines else STRANGER)
    listener, beside = int(directive(lines, "@listener") or 0), int(directive(lines, "@beside") or 0)
    published = len(front.recorder.sends)
    with contextlib.ExitStack() as stack:
        for _ in range(beside):
            stack.enter_context(front.connect(source, listener))
        open_one = front.knock if "@greeting" in lines else front.connect
        talk = open_one(source, listener)
        stack.callback(talk.close)
        for number, line in enumerate(lines, start=1):
            kind, _, text = line.partition(": ") if line[1:2] == ":" else ("", "", "")
            where = f"{path.name}:{number}"
            if kind == "M":
                assert len(front.recorder.sends) - published == int(text), where
            else:
                _step(talk, line[:1] if line[1:2] == ":" else "", text, where, trust)


def directive(lines: list[str], name: str) -> str:
    """Return what follows a directive, "" if the transcript has none of that name."""
    return next((line.removeprefix(name).strip() for line in lines if line.startswith(f"{name} ")), "")


def _step(talk: Talk, kind: str, text: str, where: str, trust: ssl.SSLContext) -> None:
    match kind:
        case "C":
            talk.send(text.encode() + b"\r\n")
        case "R":
            talk.send(text.encode("ascii").decode("unicode_escape").encode("latin-1"))
        case "S":
            said = talk.line()
            assert fnmatchcase(said, text.replace("[", "[[]")), f"{where}: expected {text!r}, heard {said!r}"
        case "T":
            talk.wrap(trust.wrap_socket(talk.socket, server_hostname="127.0.0.1"))
        case "E":
            said = talk.line()
            assert said == "", f"{where}: expected the end, heard {said!r}"
