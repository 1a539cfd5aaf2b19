"""The mail transaction: MAIL, RCPT, DATA and BDAT (RFC 5321 section 3.3). Decisions are made in policy and params.py.

A command that has to wait returns a coroutine with the rest of it (how that runs: conversation.py).
"""

from collections.abc import Awaitable

from services.ingress import replies
from services.ingress.auth.authenticator import Peer
from services.ingress.message.content import ChunkedContent, Content, Stored
from services.ingress.message.incoming import ChunkOf, Incoming
from services.ingress.message.intake import Transaction, accept
from services.ingress.message.received import protocol
from services.ingress.policy.relay import decide_recipient, decide_sender
from services.ingress.protocol.arguments import RcptArgument, read_mail, read_rcpt
from services.ingress.protocol.chunking import parse_bdat
from services.ingress.protocol.entrance import Entrance
from services.ingress.protocol.hold import release_at
from services.ingress.protocol.standing import Standing, party_of, standing_of
from services.ingress.protocol.stepping import Work
from services.ingress.replies import Refuse
from shared.config.model import Mode
from shared.model import Client
from shared.smtp.reply import Reply

SENDER_OK = Reply(250, "2.1.0", "Ok")
RECIPIENT_OK = Reply(250, "2.1.5", "Ok")
GO_AHEAD = Reply(354, None, "End data with <CR><LF>.<CR><LF>")


class Transactions(Entrance):
    """Who the client is now, and the messages it sends."""

    @property
    def standing(self) -> Standing:
        """The client as policy sees it now, and the extensions it may use."""
        standing = self.session.standing
        if standing is None:
            listener = self.door.listener
            trusted = self.site.rules.trusts(self.address)
            tls = self.tls_version is not None
            party = party_of(listener, in_trusted_network=trusted, user=self.session.user, tls=tls)
            max_hold = int(self.site.settings.max_hold)
            standing = standing_of(listener, party, auth=bool(self.mechanisms), max_hold=max_hold)
            self.session.standing = standing
        return standing

    @property
    def is_stranger(self) -> bool:
        """Neither trusted nor authenticated."""
        return self.standing.is_stranger

    @property
    def mechanisms(self) -> tuple[str, ...]:
        """The ways this client may authenticate now: none without TLS."""
        authenticator = self.site.authenticator
        under_tls = authenticator is not None and self.tls_version is not None
        return authenticator.mechanisms(self.peer) if authenticator is not None and under_tls else ()

    @property
    def peer(self) -> Peer:
        """The client as authentication sees it."""
        return Peer(self.address, self.certificate)

    def _answer(self, result: Reply | Refuse, verb: str, argument: str = "") -> None:
        """Say the outcome of a command."""
        if isinstance(result, Reply):
            self.say(result)
        elif argument:
            self.refuse(result, verb=verb, argument=argument[:300])
        else:
            self.refuse(result, verb=verb)

    def mail(self, argument: str) -> None:
        """Begin a transaction."""
        self._answer(self._mail(argument), "MAIL", argument)

    def rcpt(self, argument: str) -> Work | None:
        """Add a recipient."""
        rcpt = self._rcpt(argument)
        if isinstance(rcpt, Refuse):
            self._answer(rcpt, "RCPT", argument)
            return None
        refused = self.site.guard.recipient(self.address, self.standing.party, rcpt.recipient, self._inquiry)
        if refused is not None and not isinstance(refused, Refuse):
            return self._rcpt_asked(refused, rcpt, argument)
        self._answer(refused or self._add(rcpt), "RCPT", argument)
        return None

    async def _rcpt_asked(self, refused: Awaitable[Refuse | None], rcpt: RcptArgument, argument: str) -> None:
        self._answer(await refused or self._add(rcpt), "RCPT", argument)

    def _add(self, rcpt: RcptArgument) -> Reply:
        self.envelope.add(rcpt.recipient, rcpt.params)
        return RECIPIENT_OK

    def _mail(self, argument: str) -> Reply | Refuse:
        if not self.session.host_name:
            return replies.NO_HELO
        if self.envelope.origin is not None:
            return replies.NESTED_MAIL
        standing = self.standing
        mail = read_mail(argument, standing.offers, extended=self.session.extended_smtp)
        if isinstance(mail, Refuse):
            return mail
        origin = decide_sender(self.site.rules, standing.party, mail.sender)
        if isinstance(origin, Refuse):
            return origin
        hold_until = release_at(mail.params, standing.offers, self.site.clock())
        if isinstance(hold_until, Refuse):
            return hold_until
        size = mail.params.size
        refused = self._cannot_take(size) or self.site.guard.sender(self.address, standing.party.user, size)
        if refused is None:
            self.envelope.begin(mail.sender, origin, mail.params, hold_until)
        return refused or SENDER_OK

    def _cannot_take(self, size: int) -> Refuse | None:
        """Return why a message of this declared size can be taken never, or not now."""
        if size > self.site.settings.max_message_size:
            return replies.TOO_LARGE
        trouble = self.site.publisher.trouble()
        if trouble is not None:
            self.log.warning("broker trouble", reason=trouble)
            return replies.BROKER_TROUBLE
        return replies.NO_ROOM if size > self.site.budget.room else None

    def _rcpt(self, argument: str) -> RcptArgument | Refuse:
        if self.envelope.origin is None:
            return replies.NO_MAIL
        if self.envelope.incoming is not None:
            return replies.BDAT_OPEN
        smtputf8 = self.envelope.params.smtputf8
        standing = self.standing
        rcpt = read_rcpt(argument, standing.offers, extended=self.session.extended_smtp, smtputf8=smtputf8)
        if isinstance(rcpt, Refuse):
            return rcpt
        mailbox = decide_recipient(self.site.rules, standing.party, rcpt.recipient)
        if isinstance(mailbox, Refuse):
            return mailbox
        if not self.envelope.has_room_for(mailbox, self.site.settings.max_recipients):
            return replies.TOO_MANY_RECIPIENTS
        return rcpt if mailbox is rcpt.recipient else rcpt._replace(recipient=mailbox)

    def data(self, _: str) -> None:
        """Let the message come."""
        refused = replies.BDAT_OPEN if self.envelope.incoming is not None else self._not_ready()
        if refused is None:
            incoming = self._begin(Content(self.site.settings.max_message_size, repair=self._repairs))
            refused = incoming.fault
            if refused is None:
                self.say(GO_AHEAD)
                self.receive(incoming, self._received)
                return
            self.reset()
        self.refuse(refused, verb="DATA")

    def bdat(self, argument: str) -> Work | None:
        """Let a chunk of the message come; the chunks of a message that is refused are read as well (RFC 3030 2)."""
        announced = parse_bdat(argument)
        if isinstance(announced, Refuse):
            self.refuse(announced, verb="BDAT")
            return None
        limit = self.site.settings.max_message_size
        incoming = self.envelope.incoming or self._begin(ChunkedContent(limit, repair=self._repairs))
        if incoming.octets + announced.octets > limit:
            incoming.spoil(replies.TOO_LARGE)
        chunk = ChunkOf(incoming, announced.octets, last=announced.last)
        if chunk.octets:
            self.receive(chunk, self._chunk_received)
            return None
        return self._chunk_received(chunk)

    @property
    def _repairs(self) -> bool:
        return self.site.settings.bare_line_ends == "repair"

    def _not_ready(self) -> Refuse | None:
        """Return why no content can come now."""
        if self.envelope.origin is None:
            return replies.NO_MAIL
        return None if self.envelope.recipients else replies.NO_RCPT

    def _begin(self, content: Stored) -> Incoming:
        """Return the message whose content begins. It is at fault already if it will be refused."""
        incoming = self.envelope.incoming = Incoming(content, self.site.budget, self.loop.time())
        refused = self._not_ready()
        if refused is None and not incoming.reserve(self.envelope.params.size):
            refused = replies.NO_ROOM
        if refused is not None:
            incoming.spoil(refused)
        return incoming

    def _chunk_received(self, chunk: ChunkOf) -> Work | None:
        if chunk.last:
            chunk.incoming.finish()
        if chunk.last or chunk.incoming.fault is not None:
            return self._received(chunk.incoming)
        self.say(Reply(250, "2.0.0", f"{chunk.octets} octets received"))
        return None

    def reset(self) -> None:
        """Forget the mail transaction; what was sent of its content counts, whatever became of it."""
        self._charge()
        super().reset()

    def finish(self, end: str) -> None:
        """End the session."""
        if self.end is None:
            self._charge()
        super().finish(end)

    def _charge(self) -> None:
        incoming = self.envelope.incoming
        if incoming is not None:
            self.site.guard.received(self.address, self.session.user, incoming.octets)

    async def _received(self, incoming: Incoming) -> None:
        """Make the message durable and say so."""
        with incoming:
            result = incoming.fault or await accept(self.site, self._transaction(), incoming.chunks)
        self.messages += isinstance(result, Reply)
        self.reset()
        self._answer(result, self.verb)

    def _transaction(self) -> Transaction:
        party = self.standing.party
        origin = self.envelope.origin
        if origin is None:
            raise ValueError("a transaction has a sender")
        client = Client(
            address=self.address,
            helo=self.session.host_name,
            user=party.user,
            protocol=protocol(
                extended=self.session.extended_smtp,
                smtputf8=self.envelope.params.smtputf8,
                tls=party.tls,
                authenticated=party.user is not None,
            ),
            tls=self.tls_version,
            name=self.client_name,
            listener=self.door.listener.address,
        )
        is_submission = party.mode is not Mode.RELAY or party.user is not None
        return Transaction(client, origin, self.envelope.finished(), is_submission, self.envelope.hold_until)
