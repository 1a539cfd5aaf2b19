"""SPF against a real DNS server: the examples of RFC 7208 and the cases that implementations are known to get wrong."""

import ipaddress
from collections.abc import Iterator

import pytest

from services.ingress.mailauth.spf import check_host
from services.ingress.mailauth.spf_macro import Identity
from services.ingress.mailauth.spf_record import Spf
from shared.dns.resolver import DnsResolver
from tests.support.dns_server import DnsServer, Fault, Zone


def txt(*records: str) -> dict[str, list[str]]:
    """Return TXT records in zone file form, in strings of at most 200 characters."""
    return {"TXT": [" ".join(f'"{record[at : at + 200]}"' for at in range(0, len(record), 200)) for record in records]}


def many(name: str, count: int) -> list[str]:
    return [name.format(number) for number in range(count)]


ZONE: Zone = {
    # RFC 7208 appendix A.
    "example.com": {"A": ["192.0.2.10", "192.0.2.11"], "MX": ["10 mail-a.example.com.", "20 mail-b.example.com."]},
    "amy.example.com": {"A": ["192.0.2.65"]},
    "bob.example.com": {"A": ["192.0.2.66"]},
    "mail-a.example.com": {"A": ["192.0.2.129"], "AAAA": ["2001:db8::129"]},
    "mail-b.example.com": {"A": ["192.0.2.130"]},
    "mail-c.example.org": {"A": ["192.0.2.140"]},
    "example.org": {"MX": ["10 mail-c.example.org."]},
    "10.2.0.192.in-addr.arpa": {"PTR": ["example.com."]},
    "65.2.0.192.in-addr.arpa": {"PTR": ["amy.example.com."]},
    "140.2.0.192.in-addr.arpa": {"PTR": ["mail-c.example.org."]},
    "4.0.0.10.in-addr.arpa": {"PTR": ["bob.example.com."]},
    "mary.mobile-users._spf.example.com": {"A": ["127.0.0.2"]},
    "fred.mobile-users._spf.example.com": {"A": ["127.0.0.2"]},
    "3.2.0.192.in-addr._spf.example.com": {"A": ["127.0.0.2"]},
    # What records lead to.
    "mail.example.net": {"A": ["192.0.2.1"], "AAAA": ["2001:db8::1"]},
    "only6.example.net": {"AAAA": ["2001:db8::1"]},
    "pass.example.net": txt("v=spf1 +all"),
    "fail.example.net": txt("v=spf1 -all"),
    "soft.example.net": txt("v=spf1 ~all"),
    "broken.example.net": txt("v=spf1 bogus -all"),
    "two.example.net": txt("v=spf1 -all", "v=spf1 +all"),
    "alias.example.net": {"CNAME": ["pass.example.net."]},
    "nothing.example.net": {},
    "othertxt.example.net": txt("v=spf10 +all", "hello", "v=spf1+all"),
    "upper.example.net": txt("V=SPF1 IP4:192.0.2.1 -ALL"),
    "joined.example.net": txt("v=spf1 " + "ip4:198.51.100.1 " * 20 + "ip4:192.0.2.1 -all"),
    "eight.example.net": txt("v=spf1 ip4:192.0.2.1 \\195\\164 -all"),
    "loop.example.net": txt("v=spf1 include:loop.example.net -all"),
    "redirects.example.net": txt("v=spf1 redirect=redirects.example.net"),
    **{f"chain{n}.example.net": txt(f"v=spf1 include:chain{n + 1}.example.net -all") for n in range(11)},
    "chain11.example.net": txt("v=spf1 +all"),
    "manymx.example.net": {"MX": [f"{n} mail.example.net." for n in range(11)]},
    "tenmx.example.net": {"MX": [*(f"{n} h{n}.example.net." for n in range(9)), "10 mail.example.net."]},
    "nullmx.example.net": {"MX": ["0 ."]},
    **{f"h{n}.example.net": {"A": ["198.51.100.9"]} for n in range(9)},
    "1.2.0.192.in-addr.arpa": {"PTR": ["evil.example.", "mail.example.net.", "other.example."]},
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": {"PTR": ["mail.example.net."]},
    "evil.example": {"A": ["203.0.113.1"]},
    "2.2.0.192.in-addr.arpa": {"PTR": [*(f"h{n}.example.net." for n in range(9)), *many("x{}.example.", 3)]},
    "192.0.2.1.ip.example.net": {"A": ["127.0.0.2"]},
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.rev.example.net": {"A": ["127.0.0.2"]},
    "mail.example.net.p.example.net": {"A": ["127.0.0.2"]},
    "unknown.p.example.net": {"A": ["127.0.0.2"]},
    "helo.example.h.example.net": {"A": ["127.0.0.2"]},
    "strong.lp._spf.example.net": {"A": ["127.0.0.2"]},
}

V6 = "2001:db8::1"
EXAMPLES = [
    # RFC 7208 appendix A.1 and others: record, client, local part, result.
    ("v=spf1 +all", "10.0.0.1", "", Spf.PASS),
    ("v=spf1 a -all", "192.0.2.10", "", Spf.PASS),
    ("v=spf1 a -all", "192.0.2.12", "", Spf.FAIL),
    ("v=spf1 a:example.org -all", "192.0.2.140", "", Spf.FAIL),
    ("v=spf1 mx -all", "192.0.2.129", "", Spf.PASS),
    ("v=spf1 mx -all", "192.0.2.130", "", Spf.PASS),
    ("v=spf1 mx -all", "192.0.2.10", "", Spf.FAIL),
    ("v=spf1 mx:example.org -all", "192.0.2.140", "", Spf.PASS),
    ("v=spf1 mx mx:example.org -all", "192.0.2.140", "", Spf.PASS),
    ("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.131", "", Spf.PASS),
    ("v=spf1 mx/30 mx:example.org/30 -all", "192.0.2.143", "", Spf.PASS),
    ("v=spf1 ptr -all", "192.0.2.10", "", Spf.PASS),
    ("v=spf1 ptr -all", "192.0.2.65", "", Spf.PASS),
    ("v=spf1 ptr -all", "192.0.2.140", "", Spf.FAIL),
    ("v=spf1 ptr -all", "10.0.0.4", "", Spf.FAIL),
    ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.65", "", Spf.FAIL),
    ("v=spf1 ip4:192.0.2.128/28 -all", "192.0.2.129", "", Spf.PASS),
    ("v=spf1 mx -all", "2001:db8::129", "", Spf.PASS),
    # Appendix A.4.
    ("v=spf1 exists:%{l1r+}.mobile-users._spf.%{d1r}.com -all", "10.0.0.1", "mary", Spf.PASS),
    ("v=spf1 mx exists:%{l}.mobile-users._spf.%{d} -all", "10.0.0.1", "mary", Spf.PASS),
    ("v=spf1 mx exists:%{l}.mobile-users._spf.%{d} -all", "10.0.0.1", "joe", Spf.FAIL),
    ("v=spf1 mx exists:%{ir}.%{v}._spf.%{d} -all", "192.0.2.3", "joe", Spf.PASS),
]

CASES = [
    # What there is at the name: sender's domain, client, result.
    ("none", "absent.example.net", "192.0.2.1", Spf.NONE),
    ("none: no TXT", "nothing.example.net", "192.0.2.1", Spf.NONE),
    ("none: other TXT", "othertxt.example.net", "192.0.2.1", Spf.NONE),
    ("none: one label", "localhost", "192.0.2.1", Spf.NONE),
    ("none: empty label", "a..example.net", "192.0.2.1", Spf.NONE),
    ("none: long label", f"{'a' * 64}.example.net", "192.0.2.1", Spf.NONE),
    ("none: literal", "[192.0.2.1]", "192.0.2.1", Spf.NONE),
    ("case", "UPPER.example.net", "192.0.2.1", Spf.PASS),
    ("case", "upper.example.net", "192.0.2.2", Spf.FAIL),
    ("strings are joined", "joined.example.net", "192.0.2.1", Spf.PASS),
    ("alias", "alias.example.net", "192.0.2.1", Spf.PASS),
    ("several", "two.example.net", "192.0.2.1", Spf.PERMERROR),
    ("8-bit", "eight.example.net", "192.0.2.1", Spf.PERMERROR),
    ("include without end", "loop.example.net", "192.0.2.1", Spf.PERMERROR),
    ("redirect without end", "redirects.example.net", "192.0.2.1", Spf.PERMERROR),
    ("ten includes", "chain1.example.net", "192.0.2.1", Spf.PASS),
    ("eleven includes", "chain0.example.net", "192.0.2.1", Spf.PERMERROR),
]

RECORDS = [
    ("v=spf1", "192.0.2.1", Spf.NEUTRAL),
    ("v=spf1 ", "192.0.2.1", Spf.NEUTRAL),
    ("v=spf1   ip4:192.0.2.1   -all  ", "192.0.2.1", Spf.PASS),
    ("v=spf1 ?all", "192.0.2.1", Spf.NEUTRAL),
    ("v=spf1 ~all", "192.0.2.1", Spf.SOFTFAIL),
    ("v=spf1 ~ip4:192.0.2.0/24 -all", "192.0.2.1", Spf.SOFTFAIL),
    ("v=spf1 -all redirect=pass.example.net", "192.0.2.1", Spf.FAIL),
    ("v=spf1 redirect=pass.example.net", "192.0.2.1", Spf.PASS),
    ("v=spf1 redirect=pass.example.net ip4:192.0.2.1", "192.0.2.1", Spf.PASS),
    ("v=spf1 redirect=nothing.example.net", "192.0.2.1", Spf.PERMERROR),
    ("v=spf1 redirect=fail.example.net redirect=pass.example.net", "192.0.2.1", Spf.PERMERROR),
    ("v=spf1 include:pass.example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 include:fail.example.net ~all", "192.0.2.1", Spf.SOFTFAIL),
    ("v=spf1 -include:soft.example.net ?all", "192.0.2.1", Spf.NEUTRAL),
    ("v=spf1 -include:pass.example.net +all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 include:nothing.example.net +all", "192.0.2.1", Spf.PERMERROR),
    ("v=spf1 include:broken.example.net +all", "192.0.2.1", Spf.PERMERROR),
    ("v=spf1 ip4:192.0.2.1 include:broken.example.net", "192.0.2.1", Spf.PASS),
    ("v=spf1 a:mail.example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 a:mail.example.net. -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 a:mail.example.net -all", V6, Spf.PASS),
    ("v=spf1 a:mail.example.net/24//64 -all", "192.0.2.200", Spf.PASS),
    ("v=spf1 a:mail.example.net/24//64 -all", "2001:db8::ffff", Spf.PASS),
    ("v=spf1 a:mail.example.net//64 -all", "192.0.2.2", Spf.FAIL),
    ("v=spf1 a:mail.example.net/0 -all", "203.0.113.9", Spf.PASS),
    ("v=spf1 a:only6.example.net -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 a:only6.example.net -all", V6, Spf.PASS),
    ("v=spf1 ip6:2001:db8::/32 -all", V6, Spf.PASS),
    ("v=spf1 ip6:2001:db8::/32 -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 ip6:::ffff:192.0.2.1 -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 ip4:192.0.2.77/24 -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 mx:tenmx.example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 mx:manymx.example.net -all", "192.0.2.1", Spf.PERMERROR),
    ("v=spf1 mx:nullmx.example.net -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 ptr:example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 ptr:example.net -all", V6, Spf.PASS),
    ("v=spf1 ptr:ample.net -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 ptr:evil.example -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 ptr:other.example -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 ptr:example -all", "192.0.2.99", Spf.PERMERROR),
    ("v=spf1 ptr:example.net -all", "192.0.2.99", Spf.FAIL),
    # Limits: eleven terms that ask, three that find nothing.
    ("v=spf1 " + "a:mail.example.net " * 10 + "-all", "192.0.2.9", Spf.FAIL),
    ("v=spf1 " + "a:mail.example.net " * 11 + "-all", "192.0.2.9", Spf.PERMERROR),
    ("v=spf1 " + "a:mail.example.net " * 11 + "-all", "192.0.2.1", Spf.PASS),
    ("v=spf1 a:v1.example.net mx:v2.example.net -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 a:v1.example.net mx:v2.example.net exists:v3.example.net -all", "192.0.2.1", Spf.PERMERROR),
    # Macros.
    ("v=spf1 exists:%{i}.ip.example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 exists:%{ir}.%{v}.rev.example.net -all", V6, Spf.PASS),
    ("v=spf1 exists:%{p}.p.example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 exists:%{p}.p.example.net -all", "192.0.2.99", Spf.PASS),
    ("v=spf1 exists:%{h}.h.example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 exists:%{lr-}.lp._spf.example.net -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 exists:%{l1r-}.lp._spf.example.net -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 exists:%{s}.example.net -all", "192.0.2.1", Spf.FAIL),
    ("v=spf1 include:%{d2}.absent.example.net -all", "192.0.2.1", Spf.PERMERROR),
    # Unknown modifiers are ignored, unknown mechanisms are not.
    ("v=spf1 ip4:192.0.2.1 moo=%{d}x -all", "192.0.2.1", Spf.PASS),
    ("v=spf1 exp=explain.example.net -all", "192.0.2.1", Spf.FAIL),
]

SYNTAX = [
    "moo", "moo:x.example.net", "moo=%x", "all:x", "all/8", "+", "-", "ip4", "ip4:", "ip4:192.0.2", "ip4:192.0.2.1/33",
    "ip4:192.0.2.1/08", "ip4:192.0.2.01", "ip4:192.0.2.1/", "ip4:2001:db8::1", "ip6:192.0.2.1", "ip6:2001:db8::1/129",
    "ip6:fe80::1%25eth0", "ip4:192.0.2.1//24", "a:", "a:/24", "a/33", "a//129", "a/024", "a/", "a//", "a:mail",
    "a:mail.example.1", "a:mail.example.net:25", "a:%{x}.net", "a:%{d", "a:%d.net", "a:%{d0}.net", "a:%{c}.net",
    "mx:", "mx/x", "include", "include:", "include:x.example.net/24", "exists", "exists:", "ptr:", "ptr/24",
    "redirect=", "redirect=x", "redirect=%{z}", "+redirect=pass.example.net", "exp=",
    "exp=a.example.net exp=b.example.net",
    "=x", "1a", "a:mail.example.net\t-all", "a:mail_.exa mple.net", "ip4:192.0.2.1,ip4:192.0.2.2", "\u017fp4:192.0.2.1",
]  # fmt: skip


@pytest.fixture
def server() -> Iterator[DnsServer]:
    with DnsServer({name: dict(records) for name, records in ZONE.items()}) as server:
        yield server


async def check(server: DnsServer, domain: str, client: str, local: str = "strong-bad") -> Spf:
    identity = Identity(ipaddress.ip_address(client), "helo.example", local or "postmaster", domain)
    return (await check_host(DnsResolver((server.address,), lifetime=2), identity)).result


@pytest.mark.parametrize(("record", "client", "local", "result"), EXAMPLES)
async def test_examples_of_the_rfc(server: DnsServer, record: str, client: str, local: str, result: Spf) -> None:
    server.zone["example.com"] |= txt(record)
    assert await check(server, "example.com", client, local) is result


@pytest.mark.parametrize(("what", "domain", "client", "result"), CASES)
async def test_what_a_name_holds(server: DnsServer, what: str, domain: str, client: str, result: Spf) -> None:
    assert await check(server, domain, client) is result, what


@pytest.mark.parametrize(("record", "client", "result"), RECORDS)
async def test_records(server: DnsServer, record: str, client: str, result: Spf) -> None:
    server.zone["sender.example.net"] = txt(record)
    assert await check(server, "sender.example.net", client) is result


@pytest.mark.parametrize("term", SYNTAX)
async def test_a_syntax_error_anywhere_is_permanent(server: DnsServer, term: str) -> None:
    """Even behind a mechanism that matches (RFC 7208 section 4.6)."""
    octets = "".join(f"\\{octet:03d}" for octet in f"v=spf1 ip4:192.0.2.1 {term}".encode())
    server.zone["sender.example.net"] = {"TXT": [f'"{octets}"']}
    assert await check(server, "sender.example.net", "192.0.2.1") is Spf.PERMERROR


FAULTS = [
    ("sender.example.net", "+all", Spf.TEMPERROR),
    ("fail.example.net", "include:fail.example.net +all", Spf.TEMPERROR),
    ("mail.example.net", "a:mail.example.net +all", Spf.TEMPERROR),
    ("mail.example.net", "mx:tenmx.example.net +all", Spf.TEMPERROR),
    ("tenmx.example.net", "mx:tenmx.example.net +all", Spf.TEMPERROR),
    ("exists.example.net", "exists:exists.example.net +all", Spf.TEMPERROR),
    ("mail.example.net", "ip4:192.0.2.1 a:mail.example.net -all", Spf.PASS),
    ("1.2.0.192.in-addr.arpa", "ptr:example.net -all", Spf.FAIL),
    ("mail.example.net", "ptr:example.net -all", Spf.FAIL),
]


@pytest.mark.parametrize(("name", "terms", "result"), FAULTS)
async def test_trouble_with_dns_is_temporary(server: DnsServer, name: str, terms: str, result: Spf) -> None:
    server.zone["sender.example.net"] = txt(f"v=spf1 {terms}")
    server.fail(name, Fault.SERVFAIL)
    assert await check(server, "sender.example.net", "192.0.2.1") is result


async def test_of_many_names_only_ten_are_looked_at(server: DnsServer) -> None:
    server.zone["sender.example.net"] = txt("v=spf1 ptr:example.net ptr:absent.example -all")
    assert await check(server, "sender.example.net", "192.0.2.2") is Spf.FAIL
    names = [*many("h{}.example.net", 9), *many("x{}.example", 3)]
    assert sum(server.asked(name) for name in names) == 10
    assert server.asked("2.2.0.192.in-addr.arpa") == 1
