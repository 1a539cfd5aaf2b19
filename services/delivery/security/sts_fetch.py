"""Fetching a domain's MTA-STS policy over HTTPS (RFC 8461 section 3.3).

The certificate must be for `mta-sts.DOMAIN`, from an authority that we know; redirects are not followed. What is longer
than 64 KiB, or takes too long, is no policy.
"""

import asyncio
import http.client
import io
import re
import ssl
from typing import NamedTuple

from services.delivery.routing.mx import is_public
from services.delivery.security.protection import Result
from services.delivery.security.sts import StsPolicy, parse
from shared.dns.port import Resolver, Status

MAX_BODY = 64 * 1024
MAX_RESPONSE = MAX_BODY + 16 * 1024
"""Octets read of an answer, header included."""
MAX_ADDRESSES = 4
"""Addresses of the server that are tried."""
TIMEOUT_SECONDS = 30.0
"""For all of it; mail for the domain waits meanwhile."""


class Trouble(NamedTuple):
    """Why there is no policy."""

    reason: str
    result: Result = Result.STS_FETCH


class _Octets:
    """What http.client takes for a socket to read from."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets

    def makefile(self, *_: object) -> io.BytesIO:
        return io.BytesIO(self._octets)


def read_response(octets: bytes) -> StsPolicy | Trouble:
    """Return the policy in an HTTP response, which must be 200, text/plain, whole and small."""
    response = http.client.HTTPResponse(_Octets(octets))  # type: ignore[arg-type]
    try:
        response.begin()
        if response.status != 200:
            return Trouble(f"status {response.status}")
        if response.headers.get_content_type() != "text/plain" or "content-type" not in response.headers:
            return Trouble("the answer is not text/plain")
        body = response.read()
    except (http.client.HTTPException, ValueError, OSError) as error:
        return Trouble(f"not an HTTP answer ({type(error).__name__})")
    if len(body) > MAX_BODY or len(octets) > MAX_RESPONSE:
        return Trouble(f"longer than {MAX_BODY} octets")
    try:
        return parse(body)
    except ValueError as error:
        return Trouble(str(error), Result.STS_INVALID)


def is_whole(octets: bytes | bytearray) -> bool:
    """Tell whether nothing more has to come: some servers keep the connection open whatever they are asked."""
    head, end, body = octets.partition(b"\r\n\r\n")
    if not end:
        return False
    length = _LENGTH.search(head)
    return len(body) >= int(length[1]) if length else _CHUNKED.search(head) is not None and body.endswith(_LAST_CHUNK)


_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*(?:\r|$)", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[ \t]*chunked", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


class StsFetcher:
    """Fetches policies."""

    def __init__(self, resolver: Resolver, context: ssl.SSLContext, port: int = 443, *, allow_private: bool) -> None:
        self._resolver = resolver
        self._context = context
        self._port = port
        self._allow_private = allow_private

    async def fetch(self, domain: str) -> StsPolicy | Trouble:
        """Return the domain's policy, or why there is none; never raises."""
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                return await self._fetch(f"mta-sts.{domain}")
        except TimeoutError:
            return Trouble(f"no answer within {TIMEOUT_SECONDS:g} s")

    async def _fetch(self, host: str) -> StsPolicy | Trouble:
        answer = await self._resolver.addresses(host)
        if answer.status is not Status.FOUND:
            return Trouble(f"{host} has no address: {answer.detail or answer.status}")
        addresses = [each for each in answer.addresses if self._allow_private or is_public(each)]
        trouble = Trouble(f"{host} has addresses of private networks only")
        for address in addresses[:MAX_ADDRESSES]:
            try:
                return read_response(await self._get(host, address))
            except ssl.SSLCertVerificationError as error:
                trouble = Trouble(f"certificate of {host}: {error.verify_message}", Result.STS_WEBPKI)
            except (OSError, ValueError) as error:
                trouble = Trouble(f"{host}[{address}]: {getattr(error, 'strerror', None) or type(error).__name__}")
        return trouble

    async def _get(self, host: str, address: str) -> bytes:
        """Return what the server at an address answers, up to the limit."""
        reader, writer = await asyncio.open_connection(address, self._port, ssl=self._context, server_hostname=host)
        try:
            writer.write(
                b"GET /.well-known/mta-sts.txt HTTP/1.1\r\n"
                b"Host: %b\r\nUser-Agent: sluice\r\nAccept: text/plain\r\nConnection: close\r\n\r\n" % host.encode()
            )
            octets = bytearray()
            while len(octets) <= MAX_RESPONSE and not is_whole(octets) and (more := await reader.read(MAX_RESPONSE)):
                octets += more
            return bytes(octets)
        finally:
            writer.transport.abort()
