"""What comes first of a client behind a balancer: the PROXY header (proxy.py)."""

import asyncio

from services.ingress import replies
from services.ingress.policy.lists import Networks, plain_address
from services.ingress.protocol.conversation import Conversation
from services.ingress.protocol.proxy import Malformed, Wanted, parse_header
from services.ingress.protocol.voice import HungUp


class Balanced(Conversation):
    """A session of a listener with `proxy_from`. The header comes in clear, also where TLS follows at once."""

    async def arrive(self, balancers: Networks) -> None:
        """Learn from a balancer who its client is; of all others, balancers' own checks too, it is the peer."""
        peer = plain_address(self.address)
        if peer is None:
            # A connection that has been reset already has no peer any more: so a balancer ends its checks.
            self.is_own_of_balancer = True
            raise HungUp
        if peer in balancers:
            await self._learn_client(balancers)

    async def _learn_client(self, balancers: Networks) -> None:
        self.is_own_of_balancer = True
        try:
            async with asyncio.timeout(self.site.settings.proxy_timeout):
                client = await self._header()
        except TimeoutError:
            self.refuse(replies.NO_HEADER_IN_TIME)
        else:
            if client is not None:
                # Version 1 has no LOCAL: in it HAProxy's checks name HAProxy as their client.
                self.is_own_of_balancer = plain_address(client) in balancers
                self.address = str(plain_address(client) or client)

    async def _header(self) -> str | None:
        """Read the header and not an octet more. Return the client, None if the balancer speaks for itself."""
        while isinstance(step := parse_header(self.input.peek()), Wanted):
            self.read_only(step.octets)
            await self.more()
        self.read_only(None)
        if isinstance(step, Malformed):
            self.refuse(replies.NO_HEADER, reason=step.reason)
            return None
        self.input.discard()
        return step.client
