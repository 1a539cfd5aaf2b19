"""The demonstration's clients: smtplib from loopback addresses that play outsider and trusted network."""

import smtplib
import ssl

from services.demo.destination import HOST
from services.demo.relay import OUTSIDER, PASSWORD, USER, Relay


def send(relay: Relay, source: str, sender: str, recipient: str, content: bytes) -> str:
    """Send one message from a client at `source`; return "250", or the refusal's code and enhanced code."""
    with smtplib.SMTP(HOST, relay.smtp, "client.example", 30, (source, 0)) as client:
        return _transaction(client, sender, recipient, content)


def submit(relay: Relay, sender: str, recipient: str, content: bytes) -> str:
    """As `send`, over the submission listener: STARTTLS, AUTH, then the message."""
    with smtplib.SMTP(HOST, relay.submission, "client.example", 30, (OUTSIDER, 0)) as client:
        client.starttls(context=ssl._create_unverified_context())  # noqa: S323, SLF001  (a certificate made a moment ago)
        client.login(USER, PASSWORD)
        return _transaction(client, sender, recipient, content)


def _transaction(client: smtplib.SMTP, sender: str, recipient: str, content: bytes) -> str:
    options = ["BODY=8BITMIME"] if not content.isascii() else []
    try:
        client.sendmail(sender, [recipient], content, mail_options=options)
    except smtplib.SMTPRecipientsRefused as refused:
        code, text = refused.recipients[recipient]
        return _short(code, text)
    except smtplib.SMTPResponseException as refused:
        return _short(refused.smtp_code, refused.smtp_error)
    return "250"


def _short(code: int, text: bytes | str) -> str:
    words = (text.decode("utf-8", "replace") if isinstance(text, bytes) else text).split()
    return f"{code} {words[0]}" if words else str(code)
