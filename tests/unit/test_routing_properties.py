"""What holds of routing whatever the configuration and whatever DNS says."""

import ipaddress
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.routing.mx import (
    MAX_ADDRESSES,
    MAX_ADDRESSES_OF_HOST,
    MAX_HOSTS,
    Chosen,
    Exchange,
    Rules,
    exchanges,
    is_public,
    ordered,
    select,
)
from services.delivery.routing.route import ByMx, NextHop, Routes, find, parse_hop
from shared.config.next_hop import is_mx
from shared.dns.port import AddressAnswer, Mx, MxAnswer, Status
from shared.errors import ConfigError
from shared.smtp.reply import Reply
from tests.support.effort import effort

OURS = "relay.example.org"
LABEL = st.sampled_from(["a", "b", "ab", "example", "org"])
DOMAIN = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
KEY = st.one_of(DOMAIN, DOMAIN.map(lambda domain: f".{domain}"))
HOPS = st.lists(DOMAIN.map(lambda host: NextHop(host, 25)), min_size=1, max_size=2).map(tuple)
TABLE = st.dictionaries(KEY, HOPS, max_size=6)
DEFAULT = ByMx(25)
URL = st.from_regex(r"smtps?://[\S]{0,20}", fullmatch=True)

HOST = st.one_of(DOMAIN, st.sampled_from([OURS, ""]))
RECORDS = st.lists(st.builds(Mx, st.integers(0, 3), HOST), max_size=14).map(tuple)
ANSWER = st.builds(MxAnswer, st.sampled_from(Status), RECORDS)
ADDRESS = st.one_of(st.ip_addresses().map(str), st.sampled_from(["127.0.0.1", "10.0.0.1", "203.0.113.9", "::1"]))
FOUND = st.builds(AddressAnswer, st.sampled_from(Status), st.lists(ADDRESS, max_size=5).map(tuple))
EXCHANGES = st.lists(st.builds(Exchange, st.builds(Mx, st.integers(0, 3), DOMAIN), FOUND), min_size=1, max_size=6)
OWN = frozenset({ipaddress.ip_address("203.0.113.9")})


@effort(200)
@given(TABLE, DOMAIN)
def test_the_domain_itself_then_its_longest_suffix(table: dict[str, tuple[NextHop, ...]], domain: str) -> None:
    suffixes = [key for key in table if key.startswith(".") and domain.endswith(key)]
    expected = table.get(domain) or (table[max(suffixes, key=len)] if suffixes else None)
    assert find(table, domain) == expected


@effort(200)
@given(TABLE, TABLE, st.none() | HOPS, DOMAIN)
def test_hosted_before_routed_before_the_rest_before_mx(
    hosted: dict[str, tuple[NextHop, ...]],
    static: dict[str, tuple[NextHop, ...]],
    rest: tuple[NextHop, ...] | None,
    domain: str,
) -> None:
    """There is always somewhere to go, and a hosted domain's mail never leaves by another way."""
    routes = Routes(hosted, static | ({"*": rest} if rest else {}), DEFAULT)
    named = find(hosted, domain) or find(static, domain)
    assert routes.hops(domain) == (named or rest or (DEFAULT,))


@effort(200)
@given(st.one_of(st.text(), st.text(alphabet="[]:/@?=&%.smtp25x"), URL))
def test_any_text_is_a_next_hop_or_an_error_of_ours(text: str) -> None:
    try:
        hop = parse_hop(text, "delivery.route.example.org", DEFAULT)
    except ConfigError:
        return
    assert isinstance(hop, ByMx) if is_mx(text) else (isinstance(hop, NextHop) and hop.host and 0 < hop.port < 65536)


@effort(200)
@given(st.text(alphabet="secrt:/?&=%#@[", min_size=8, max_size=20), st.sampled_from(["", "smart", "smart:99999"]))
def test_no_error_shows_a_password(password: str, rest: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_hop(f"smtp://me:{password}@{rest}", "delivery.route.example.org", DEFAULT)
    assert password not in str(caught.value)


@effort(200)
@given(ANSWER, st.integers())
def test_the_hosts_of_a_domain(answer: MxAnswer, seed: int) -> None:
    """Best first, each once by its better preference, none that is not better than ourselves."""
    found = exchanges("example.net", answer, Rules(OURS), random.Random(seed))
    if isinstance(found, Reply):
        assert found.is_permanent is (answer.status is not Status.FAILED)
        return
    preferences = [mx.preference for mx in found]
    assert 0 < len(found) <= MAX_HOSTS
    assert preferences == sorted(preferences)
    assert len({mx.host for mx in found}) == len(found)
    if answer.status is Status.NO_DATA:
        assert found == (Mx(0, "example.net"),)
        return
    ours = min((mx.preference for mx in answer.records if mx.host == OURS), default=4)
    best = {mx.host: mx.preference for mx in sorted(answer.records, key=lambda mx: -mx.preference)}
    assert all(mx.preference == best[mx.host] < ours for mx in found)


@effort(200)
@given(st.lists(ADDRESS, max_size=12))
def test_addresses_take_turns_and_fall_back_to_ipv4(addresses: list[str]) -> None:
    found = ordered(addresses)
    assert len({address for address, _ in found}) == len(found) <= MAX_ADDRESSES_OF_HOST
    assert {address for address, _ in found} <= set(addresses)
    assert all(fallback is None or (":" in address and ":" not in fallback) for address, fallback in found)
    if any(":" in address for address in addresses):
        assert ":" in found[0][0]


@effort(200)
@given(EXCHANGES, st.booleans())
def test_no_connection_to_ourselves_nor_into_private_networks(found: list[Exchange], allowed: bool) -> None:
    """Whatever a stranger's zone says; and there is always a reply where there is nothing to try."""
    chosen = select("example.net", found, Rules(OURS, OWN, allowed))
    if isinstance(chosen, Reply):
        failed = any(each.answer.status is Status.FAILED for each in found)
        assert chosen.is_permanent or failed
        return
    assert isinstance(chosen, Chosen)
    assert 0 < len(chosen.addresses) <= MAX_ADDRESSES
    for each in chosen.addresses:
        assert ipaddress.ip_address(each.address) not in OWN
        assert allowed or is_public(each.address)
        assert each.fallback is None or allowed or is_public(each.fallback)
