"""What one SMTP session must answer, as a model in its own words: which replies a command may have now, and what the
session is afterwards. It judges by oracle.py and RFC 5321; nothing here is imported from ingress.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.config.model import Mode
from shared.model import Message
from tests.support.oracle import Address, From, To, Who, is_allowed, mail_code, rcpt_code

MAX_ERRORS, MAX_ERRORS_OF_OURS, MAX_AUTH_FAILURES = 20, 1000, 3
MAX_RECIPIENTS = 4
MAX_SIZE = 20000


class Param(NamedTuple):
    """A parameter of MAIL or RCPT: what it makes of the envelope, and who may use it."""

    text: str
    fields: dict[str, object]
    known_only: bool = False
    """Only for clients that are not strangers, and for whoever can still authenticate (a submission listener)."""
    bad: str = ""
    """The code it is refused with, whoever uses it."""


MAIL_PARAMS = [
    Param("SIZE=5", {}),
    Param("BODY=8BITMIME", {"body": "8BITMIME"}),
    Param("body=7bit", {"body": "7BIT"}),
    Param("RET=FULL", {"ret": "FULL"}, known_only=True),
    Param("ENVID=Leak+2B1", {"envid": "Leak+2B1"}, known_only=True),
    Param("SMTPUTF8", {"smtputf8": True}, known_only=True),
    Param(f"SIZE={MAX_SIZE + 1}", {}, bad="552"),
    Param("SIZE=x", {}, bad="501"),
    Param("NOTIFY=NEVER", {}, bad="555"),
]
RCPT_PARAMS = [
    Param("NOTIFY=NEVER", {"notify": ("NEVER",)}, known_only=True),
    Param("NOTIFY=DELAY,FAILURE", {"notify": ("DELAY", "FAILURE")}, known_only=True),
    Param("ORCPT=rfc822;Leak@X", {"orcpt": "rfc822;Leak@X"}, known_only=True),
    Param("ORCPT=x", {}, known_only=True, bad="501"),
    Param("BODY=7BIT", {}, bad="555"),
]


class Expected(NamedTuple):
    """A message that must have become durable: all that its transaction said, and nothing else."""

    client: tuple[str, str | None, str | None, str, bool]
    """Address, name, user, protocol, TLS."""
    origin: str
    fields: dict[str, object]
    recipients: dict[str, dict[str, object]]
    content: bytes

    def check(self, message: Message) -> None:
        """AssertionError if it is another one."""
        envelope, client, origin = message.item.envelope, message.item.client, str(message.item.origin)
        assert client is not None
        found = (client.address, client.helo, client.user, client.protocol, client.tls is not None)
        assert (found, origin) == (self.client, self.origin)
        assert {name: getattr(envelope, name) for name in self.fields} == self.fields
        recipients = {r.address: {"notify": r.notify, "orcpt": r.orcpt} for r in envelope.recipients}
        assert recipients == self.recipients
        assert all(is_allowed(origin, address) for address in recipients)
        assert message.content.endswith(self.content)
        head = message.content.removesuffix(self.content)
        assert re.match(
            rb"Received: from [^ ]+ \([^)]+\)(\r\n\t[^\r\n]*){2,3}\r\n(\S+: [^\r\n]*\r\n)*(\r\n)?\Z", head
        ), head


@dataclass
class Model:
    """One session."""

    mode: Mode
    peer: str
    trusted: bool
    tls: bool = False
    host_name: str | None = None
    extended: bool = False
    user: str | None = None
    transaction: dict[str, object] | None = None
    """The envelope's fields after MAIL."""
    recipients: dict[str, dict[str, object]] = field(default_factory=dict)
    chunks: bytes | None = None
    """What has come by BDAT."""
    finished: list[Expected] = field(default_factory=list)
    """Messages that nobody has looked for yet."""
    errors: int = 0
    auth_failures: int = 0
    broker_works: bool = True

    @property
    def who(self) -> Who:
        """The client as the policy's table knows it."""
        return Who(submission=self.mode is not Mode.RELAY, trusted=self.trusted, user=self.user is not None)

    @property
    def may_use_more(self) -> bool:
        """Whether DSN and SMTPUTF8 are offered."""
        return self.mode is not Mode.RELAY or not self.who.stranger

    @property
    def with_protocol(self) -> str:
        """The `with` of the trace field (RFC 3848, RFC 6531)."""
        if not self.extended:
            return "SMTP"
        name = "UTF8SMTP" if self.transaction and self.transaction.get("smtputf8") else "ESMTP"
        return name + ("S" if self.tls else "") + ("A" if self.user else "")

    def forget_transaction(self) -> None:
        """As after RSET."""
        self.transaction = self.chunks = None
        self.recipients = {}

    def forget(self) -> None:
        """As after STARTTLS: everything but the errors."""
        self.forget_transaction()
        self.host_name = self.user = None
        self.extended = False

    def count(self, code: str) -> bool:
        """Count a reply; True if it was one error too many."""
        self.errors += code.startswith("5")
        limit = MAX_ERRORS if self.who.stranger else MAX_ERRORS_OF_OURS
        return (code.startswith("5") and self.errors >= limit) or self.auth_failures >= MAX_AUTH_FAILURES

    def finish(self, content: bytes) -> None:
        """The transaction has become a message; it must be found among the durable ones."""
        fields = {"sender": None, "body": None, "smtputf8": False, "ret": None, "envid": None, "require_tls": False}
        self.finished.append(
            Expected(
                (self.peer, self.host_name, self.user, self.with_protocol, self.tls),
                self.who.origin,
                fields | (self.transaction or {}),
                {address: {"notify": None, "orcpt": None} | params for address, params in self.recipients.items()},
                content,
            )
        )
        self.forget_transaction()


class Step(NamedTuple):
    """One command: its octets, the codes it may be answered with now, and what follows from the code."""

    octets: bytes
    codes: Callable[[Model], set[str]]
    then: Callable[[Model, str], None] = lambda _, __: None


def plain(line: bytes, code: str) -> Step:
    """Return a command that always has the same reply and changes nothing."""
    return Step(line + b"\r\n", lambda _: {code})


def hello(name: str, *, extended: bool) -> Step:
    """Return EHLO or HELO."""

    def then(model: Model, _: str) -> None:
        model.forget_transaction()
        model.host_name, model.extended = name, extended

    return Step(f"{'EHLO' if extended else 'HELO'} {name}\r\n".encode(), lambda _: {"250"}, then)


def reset() -> Step:
    """Return RSET."""
    return Step(b"RSET\r\n", lambda _: {"250"}, lambda model, _: model.forget_transaction())


def _param_codes(model: Model, params: list[Param]) -> set[str]:
    """Return the codes that the parameters alone are refused with."""
    if params and not model.extended:
        return {"501"}
    names = [param.text.partition("=")[0].upper() for param in params]
    found = {param.bad for param in params if param.bad}
    found |= {"555" for param in params if param.known_only and not model.may_use_more}
    return found | ({"501"} if len(set(names)) < len(names) else set())


def _fields(params: list[Param]) -> dict[str, object]:
    return {name: value for param in params for name, value in param.fields.items()}


def mail(sender: Address, params: list[Param]) -> Step:
    """Return MAIL."""
    assert isinstance(sender.kind, From)
    kind = sender.kind

    def codes(model: Model) -> set[str]:
        if model.host_name is None or model.transaction is not None:
            return {"503"}
        refused = _param_codes(model, params)
        own = mail_code(model.who, kind)
        if refused:
            return refused | (own - {"250"})
        return {"451" if code == "250" and not model.broker_works else code for code in own}

    def then(model: Model, code: str) -> None:
        if code == "250":
            model.transaction = {"sender": sender.canonical or None, **_fields(params)}

    text = " ".join([f"MAIL FROM:{sender.text}", *(param.text for param in params)])
    return Step(f"{text}\r\n".encode(), codes, then)


def rcpt(recipient: Address, params: list[Param]) -> Step:
    """Return RCPT."""
    assert isinstance(recipient.kind, To)
    kind = recipient.kind

    def codes(model: Model) -> set[str]:
        if model.transaction is None or model.chunks is not None:
            return {"503"}
        refused = _param_codes(model, params)
        own = rcpt_code(model.who, kind)
        if refused:
            return refused | (own - {"250"})
        full = len(model.recipients) >= MAX_RECIPIENTS and recipient.canonical not in model.recipients
        return {"452" if code == "250" and full else code for code in own}

    def then(model: Model, code: str) -> None:
        if code == "250":
            model.recipients.setdefault(recipient.canonical, _fields(params))

    text = " ".join([f"RCPT TO:{recipient.text}", *(param.text for param in params)])
    return Step(f"{text}\r\n".encode(), codes, then)


def data() -> Step:
    """Return DATA; what comes after its 354 is the caller's business."""

    def codes(model: Model) -> set[str]:
        if model.transaction is None or model.chunks is not None:
            return {"503"}
        return {"354"} if model.recipients else {"554"}

    return Step(b"DATA\r\n", codes)


def _ended(content: bytes) -> bytes:
    """Return content whose last line has its end."""
    return content if not content or content.endswith(b"\r\n") else content + b"\r\n"


def bdat(octets: bytes, *, last: bool) -> Step:
    """Return BDAT with its chunk, at a broker that takes everything."""

    def codes(model: Model) -> set[str]:
        if model.transaction is None:
            return {"503"}
        if not model.recipients:
            return {"554"}
        content = (model.chunks or b"") + octets
        if len(content) > MAX_SIZE:
            return {"552"}
        # A CR at the end of a chunk may be half of a line end.
        judged = content if last else content.removesuffix(b"\r")
        if re.search(rb"\0|(?<!\r)\n|\r(?!\n)", judged):
            return {"550"}
        return {"552"} if last and len(_ended(content)) > MAX_SIZE else {"250"}

    def then(model: Model, code: str) -> None:
        content = (model.chunks or b"") + octets
        if code != "250":
            model.forget_transaction()
        elif last:
            model.finish(_ended(content))
        else:
            model.chunks = content

    return Step(b"BDAT %d%s\r\n" % (len(octets), b" LAST" * last) + octets, codes, then)
