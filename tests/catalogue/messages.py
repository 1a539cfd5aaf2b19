"""Rows 36 to 43: messages inside messages, and what must not be cut."""

from services.screener.mime.anomaly import Anomaly
from tests.catalogue.case import CTE, FILE, MIXED, NAMED, PARTS, PROGRAM, TOP, Case
from tests.support.mail_samples import EXE, b64

_INNER = f"{TOP}MIME-Version: 1.0\n{MIXED}\n\n{PARTS}"
_ENCODED = (Anomaly.ENCODED_MESSAGE,)


def _blocked() -> list[Case]:
    return [
        *(
            Case(row, kind, f"Content-Type: {kind}", "From: x@y.example\n\nx\n", doubt, f"type:{rule}")
            for row, kind, rule, doubt in (
                (36, 'message/partial; id="a@b"; number=1; total=2', "message/partial", ()),
                (36, "MESSAGE/Partial", "message/partial", ()),
                (36, "message/ partial", "message/partial", (Anomaly.MALFORMED_TYPE,)),
                (37, "message/external-body; access-type=URL; URL=x", "message/external-body", ()),
                (37, '"message/external-body"', "message/external-body", (Anomaly.MALFORMED_TYPE,)),
            )
        ),
        Case(
            36,
            "beside a text",
            "Content-Type: text/plain\nContent-Type: message/partial",
            "x",
            (Anomaly.TWO_TYPES,),
            "type:message/partial",
        ),
    ]


def _nested() -> list[Case]:
    message = "Content-Type: message/rfc822"
    deep = "".join(f"{message}\n\n" for _ in range(12))
    return [
        Case(38, "forwarded", message, _INNER),
        Case(38, "forwarded twice", message, f"{TOP}{message}\n\n{_INNER}"),
        Case(38, "encoded", f"{message}\n{CTE}: base64", b64(_INNER.encode()), _ENCODED),
        Case(38, "quoted-printable", f"{message}\n{CTE}: quoted-printable", _INNER.replace("=", "=3D"), _ENCODED),
        Case(
            38,
            "encoded, of the type that may be",
            f"Content-Type: message/global\n{CTE}: base64",
            b64(_INNER.encode()),
            (),
        ),
        Case(38, "deeper than read", message, f"{deep}{_INNER}", (Anomaly.LIMIT,), None),
        Case(38, "a digest", "Content-Type: multipart/digest; boundary=d", f"--d\n\n{_INNER}\n--d--\n"),
        *(
            Case(
                40, name, f'Content-Type: application/octet-stream; name="{name}"\n{CTE}: base64', b64(_INNER.encode())
            )
            for name in ("mail.eml", "page.mht", "page.MHTML", "mail.eml.")
        ),
        Case(40, "a message of unknown type", "Content-Type: message/foo", _INNER),
        Case(40, "a document that is a web archive", f'Content-Type: application/msword; name="a.doc"\n{CTE}: base64', b64(_INNER.encode())),
        Case(40, "a text that Word opens", f'Content-Type: text/plain; name="a.doc"\n{CTE}: base64', b64(_INNER.encode())),
        Case(40, "not encoded", 'Content-Disposition: attachment; filename="a.eml"', _INNER),
        Case(40, "by type", f"Content-Type: application/x-mimearchive\n{CTE}: base64", b64(_INNER.encode())),
        Case(40, "in one another", f"Content-Type: application/eml\n{CTE}: base64", b64(_eml(_INNER).encode())),
    ]  # fmt: skip


def _eml(content: str) -> str:
    return f"{TOP}Content-Type: text/plain; name=a.eml\n{CTE}: base64\n\n{b64(content.encode())}\n"


def _sealed() -> list[Case]:
    signed = "Content-Type: multipart/signed; protocol=x/y; micalg=sha-256; boundary=s"
    report = "Content-Type: multipart/report; report-type=delivery-status; boundary=r"
    status = "--r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; a.example\n\nAction: failed\n"
    returned = f"--r\nContent-Type: text/rfc822-headers\n\n{TOP}{MIXED}\n\n--r--\n"
    signature = f"--s\nContent-Type: x/y\n{CTE}: base64\n\n{b64(b'signature')}\n--s--\n"
    return [
        Case(39, "a bounce with fields", report, f"{status}{returned}", (), None),
        Case(
            39, "a bounce with the message", report, f"{status}--r\nContent-Type: message/rfc822\n\n{_INNER}\n--r--\n"
        ),
        Case(43, "signed", signed, f"--s\n{MIXED}\n\n{PARTS}\n{signature}"),
        Case(43, "a signed program", signed, f"--s\n{FILE}\n{signature}"),
        Case(
            43,
            "the signature is a program",
            signed,
            f"--s\n\nx\n--s\nContent-Type: x/y\n{CTE}: base64\n\n{b64(EXE)}\n--s--\n",
            (),
            PROGRAM,
        ),
        Case(
            43,
            "a name in a signed message",
            signed,
            f"--s\nContent-Type: text/plain; name=x.exe\n\nx\n{signature}",
            (),
            NAMED,
        ),
    ]


CASES = [*_blocked(), *_nested(), *_sealed()]
