"""What each SMTP command does (RFC 5321 section 4.1), but for those of the mail transaction: transaction.py.

A command that has to wait returns a coroutine with the rest of it (how that runs: conversation.py).
"""

import re
from collections.abc import Callable

from services.ingress import replies
from services.ingress.auth.authenticator import Authenticator
from services.ingress.auth.mechanisms import MECHANISMS
from services.ingress.protocol.commands import MAX_AUTH_LINE, Command
from services.ingress.protocol.extensions import Announcement, keywords
from services.ingress.protocol.stepping import Work
from services.ingress.protocol.transaction import Transactions
from services.ingress.replies import Refuse
from shared.smtp.reply import Reply

MAX_AUTH_FAILURES = 3
_HELO = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
"""A host name or an address literal, leniently: real clients send names that DNS would not have."""


class Session(Transactions):
    """One client's session: a method for each command."""

    _auth_failures = 0

    def obey(self, command: Command) -> Work | None:
        """Carry out one command; return the rest of it, if it has to wait for something."""
        if self.site.premises.site is not self.site and self.envelope.origin is None:
            self._renew()
        method = COMMANDS.get(command.verb)
        if method is None:
            self.refuse(replies.UNKNOWN_COMMAND)
        elif command.argument and command.verb in WITHOUT_ARGUMENT:
            self.refuse(replies.NO_ARGUMENT)
        else:
            return method(self, command.argument)
        return None

    def _renew(self) -> None:
        """Go by the newest site: after a reload, at the first command outside a transaction."""
        self.site = self.site.premises.site
        self.door = self.site.door(self.door.number)
        self.session.standing = None

    def helo(self, argument: str) -> None:
        """Greet, without extensions."""
        if self._hello(argument, extended=False):
            self.say(Reply(250, None, self.site.hostname))

    def ehlo(self, argument: str) -> None:
        """Greet, and list what this client may use, or may once it has authenticated on a submission listener."""
        if self._hello(argument, extended=True):
            announced = Announcement(
                size_limit=self.site.settings.max_message_size,
                max_recipients=self.site.settings.max_recipients,
                starttls=self.door.tls is not None and self.tls_version is None,
                auth=self.mechanisms,
                offers=self.standing.offers,
                now=self.site.clock(),
            )
            self.say_lines(250, [self.site.hostname, *keywords(announced)])

    def _hello(self, name: str, *, extended: bool) -> bool:
        if not _HELO.fullmatch(name):
            self.refuse(replies.BAD_HELO)
            return False
        self.reset()
        self.session.host_name = name
        self.session.extended_smtp = extended
        return True

    async def starttls(self, _: str) -> None:
        """Begin TLS; nothing said before it counts after it (RFC 3207 section 4.2)."""
        if self.tls_version is not None:
            self.refuse(replies.TLS_ACTIVE)
        elif self.door.tls is None:
            self.refuse(replies.NO_TLS)
        else:
            self.say(Reply(220, "2.0.0", "Ready to start TLS"))
            await self.start_tls(self.door.tls)

    async def auth(self, argument: str) -> None:
        """Authenticate (RFC 4954)."""
        authenticator = self._who_checks()
        if isinstance(authenticator, Refuse):
            self.refuse(authenticator)
            return
        mechanism, _, initial = argument.partition(" ")
        result = await authenticator.identify(self.peer, mechanism.upper(), initial, self._challenge)
        if isinstance(result, Refuse):
            self._auth_failures += result is replies.AUTH_FAILED
            # What is no mechanism may be a password sent in the wrong place: it is not logged.
            self.refuse(result, mechanism=mechanism.upper() if mechanism.upper() in MECHANISMS else "unknown")
            if self._auth_failures >= MAX_AUTH_FAILURES:
                self.refuse(replies.TOO_MANY_ERRORS)
            return
        too_many = self.site.guard.authenticated(self.address, result)
        if too_many is not None:
            self.refuse(too_many, user=result)
        self.session.user = result
        self.session.standing = None
        self.log.info("authenticated", client=self.address, user=result, mechanism=mechanism.upper())
        self.say(Reply(235, "2.7.0", "Authentication successful"))

    def _who_checks(self) -> Authenticator | Refuse:
        """Return who may be asked now, or why nobody."""
        if self.site.authenticator is None:
            return replies.NO_AUTH
        if self.tls_version is None:
            return replies.AUTH_NEEDS_TLS
        if not self.session.extended_smtp:
            return replies.NO_HELO
        if self.session.user is not None:
            return replies.AUTHENTICATED
        return self.site.authenticator if self.envelope.origin is None else replies.MAIL_OPEN

    async def _challenge(self, challenge: bytes) -> bytes:
        self.say_octets(b"334 " + challenge + b"\r\n")
        return await self.line(MAX_AUTH_LINE)

    def rset(self, _: str) -> None:
        """Forget the transaction."""
        self.reset()
        self.say(Reply(250, "2.0.0", "Ok"))

    def noop(self, _: str) -> None:
        """Do nothing."""
        self.say(Reply(250, "2.0.0", "Ok"))

    def vrfy(self, argument: str) -> None:
        """Tell nobody who exists (RFC 5321 section 7.3)."""
        if not argument:
            self.refuse(replies.VRFY_SYNTAX)
            return
        self.say(Reply(252, "2.5.2", "Cannot verify, send a message to find out"))

    def expn(self, _: str) -> None:
        """Tell nobody who is on a list."""
        self.refuse(replies.NOT_IMPLEMENTED)

    def help(self, _: str) -> None:
        """Point to the standard."""
        self.say(Reply(214, "2.0.0", "See RFC 5321"))


COMMANDS: dict[str, Callable[[Session, str], Work | None]] = {
    "HELO": Session.helo,
    "EHLO": Session.ehlo,
    "STARTTLS": Session.starttls,
    "AUTH": Session.auth,
    "MAIL": Session.mail,
    "RCPT": Session.rcpt,
    "DATA": Session.data,
    "BDAT": Session.bdat,
    "RSET": Session.rset,
    "NOOP": Session.noop,
    "VRFY": Session.vrfy,
    "EXPN": Session.expn,
    "HELP": Session.help,
    "QUIT": Session.quit,
}
WITHOUT_ARGUMENT = frozenset(("STARTTLS", "DATA", "RSET", "QUIT"))
