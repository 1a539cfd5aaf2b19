"""ARC, the pure parts: which fields are a chain, and where the next set goes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.delivery.signing.arc import Chain, next_link, our_results
from shared.mailauth.arc import BadChain, highest_instance, read_chain
from shared.mailauth.fields import fields_of

HOST = "relay.example.net"


def arc_set(number: int | str, claimed: str = "pass") -> bytes:
    """Return the three fields of a set, as far as reading a chain goes."""
    return (
        b"ARC-Seal: i=%b; a=rsa-sha256; cv=%b; d=x; s=x; b=\r\n" % (str(number).encode(), claimed.encode())
        + b"ARC-Message-Signature: i=%b; a=rsa-sha256; d=x; s=x; h=from; bh=; b=\r\n" % str(number).encode()
        + b"ARC-Authentication-Results: i=%b; mx.example.com; none\r\n" % str(number).encode()
    )


ONE = arc_set(1, "none")
TWO = arc_set(2) + ONE


@pytest.mark.parametrize(
    ("header", "length"),
    [
        (b"", 0),
        (b"From: a@example.org\r\nAuthentication-Results: x; arc=pass\r\n", 0),
        (ONE, 1),
        (TWO, 2),
        (ONE + arc_set(2), 2),
        (arc_set(2, "fail") + ONE, 2),
        (ONE.replace(b"ARC-Seal: i=1;", b"arc-SEAL :\r\n\t i = 1 ;"), 1),
        (ONE.replace(b"Results: i=1;", b"Results:\r\n\ti=1;"), 1),
        (ONE.replace(b"cv=none", b"cv=NONE"), 1),
        (b"".join(map(arc_set, range(50, 1, -1))) + ONE, 50),
    ],
)
def test_what_is_a_chain(header: bytes, length: int) -> None:
    chain = read_chain(fields_of(header))
    assert not isinstance(chain, BadChain)
    assert len(chain) == length
    assert [one.seal.raw.count(b"1") > 0 for one in chain[:1]] == [True] * min(length, 1)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (ONE.replace(b"ARC-Seal", b"X-Seal"), "not complete"),
        (ONE.replace(b"ARC-Auth", b"X-Auth"), "not complete"),
        (arc_set(2), "not complete"),
        (arc_set(3) + ONE, "not complete"),
        (arc_set(2) + TWO, "two fields of one kind with i=2"),
        (ONE + b"ARC-Seal: i=1; cv=none; b=x\r\n", "two fields of one kind with i=1"),
        (arc_set(0) + ONE, "without i="),
        (arc_set("1x", "none"), "without i="),
        (arc_set("٣"), "without i="),
        (arc_set(-1, "none"), "without i="),
        (arc_set(100) + ONE, "without i="),
        (ONE.replace(b"ARC-Seal: i=1;", b"ARC-Seal:"), "without i="),
        (ONE.replace(b"ARC-Seal: i=1;", b"ARC-Seal: i=1; i=1;"), "without i="),
        (ONE.replace(b"Results: i=1;", b"Results: mx.example.com; i=1;"), "without i="),
        (b"".join(map(arc_set, range(51, 1, -1))) + ONE, "more than 50"),
        (arc_set(1, "pass"), "cv='pass' in the seal with i=1"),
        (arc_set(1, "fail"), "cv='fail' in the seal with i=1"),
        (arc_set(1, "x" * 1000), "cv='xxx"),
        (arc_set(2, "none") + ONE, "cv='none' in the seal with i=2"),
        (arc_set(3) + arc_set(2, "fail") + ONE, "cv='fail' in the seal with i=2"),
        (ONE.replace(b"cv=none; ", b""), "cv='' in the seal"),
    ],
)
def test_what_is_no_chain(header: bytes, reason: str) -> None:
    chain = read_chain(fields_of(header))
    assert isinstance(chain, BadChain)
    assert reason in chain.reason


@pytest.mark.parametrize(
    ("header", "highest"),
    [
        (b"", 0),
        (b"X-Seal: i=9;\r\n", 0),
        (TWO, 2),
        (b"ARC-Seal: i=7; cv=pass\r\n" + ONE, 7),
        (b"ARC-Seal: a=x; i=12\r\n", 12),
        (b"ARC-Seal: i=99999999\r\n", 99999999),
        (b"ARC-Seal: i=x; bi=3;\r\n", 0),
    ],
)
def test_the_highest_instance_of_a_broken_chain(header: bytes, highest: int) -> None:
    assert highest_instance(fields_of(header)) == highest


NO_ARC = b"relay.example.net; spf=pass smtp.mailfrom=a@example.com;\r\n\tdkim=none"
PASS, FAIL = NO_ARC + b";\r\n\tarc=pass", NO_ARC + b';\r\n\tarc=fail reason="the body has changed"'
LIES = NO_ARC.replace(b"dkim=none", b'dkim=none reason="x; arc=pass"')


@pytest.mark.parametrize(
    ("header", "results", "instance", "claimed"),
    [
        (b"", NO_ARC, 1, "none"),
        (b"", LIES, 1, "none"),
        (ONE, PASS, 2, "pass"),
        (TWO, PASS, 3, "pass"),
        (TWO, FAIL, 3, "fail"),
        (arc_set(2), FAIL, 3, "fail"),
        (arc_set(2) + TWO, FAIL, 3, "fail"),
        (b"".join(map(arc_set, range(49, 1, -1))) + ONE, PASS, 50, "pass"),
    ],
)
def test_where_the_next_set_goes(header: bytes, results: bytes, instance: int, claimed: str) -> None:
    """A seal that declares the chain broken covers its own set only (section 5.1.2)."""
    chain = next_link(fields_of(header), results)
    assert isinstance(chain, Chain)
    assert (chain.instance, chain.claimed) == (instance, claimed)
    assert len(chain.before) == (instance - 1 if claimed == "pass" else 0)


@pytest.mark.parametrize(
    ("header", "results"),
    [
        (ONE, NO_ARC),
        (ONE, LIES),
        (ONE, PASS + b"; arc=pass"),
        (ONE, FAIL + b"; arc=pass"),
        (ONE, NO_ARC + b"; arc=none"),
        (arc_set(2), NO_ARC),
        (arc_set(2), PASS),
        (arc_set(2, "fail") + ONE, FAIL),
        (b"".join(map(arc_set, range(50, 1, -1))) + ONE, PASS),
        (b"ARC-Seal: i=99999999\r\n", FAIL),
    ],
    ids=[
        "nobody can tell",
        "a lie",
        "twice",
        "both",
        "none",
        "broken",
        "not ours",
        "has ended",
        "50 sets",
        "a huge number",
    ],
)
def test_where_none_may_go(header: bytes, results: bytes) -> None:
    assert next_link(fields_of(header), results) is None


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (b"Received: x\r\nAuthentication-Results: relay.example.net; spf=pass;\r\n\tdkim=none\r\n", True),
        (b"Authentication-Results: mx.example.com; x\r\nAuthentication-Results: RELAY.example.net; spf=pass\r\n", True),
        (b"Authentication-Results: mx.example.com; spf=pass\r\n", False),
        (b"X-Results: relay.example.net; spf=pass\r\n", False),
        (b"", False),
    ],
)
def test_our_own_results(header: bytes, found: bool) -> None:
    results = our_results(fields_of(header), HOST)
    assert (results is not None) == found
    assert results is None or results.lower().startswith(b"relay.example.net; spf=pass")


_PIECES = st.lists(
    st.sampled_from(
        (
            *(b"ARC-Seal:", b"ARC-Message-Signature:", b"ARC-Authentication-Results:", b"Authentication-Results:"),
            *(b" i=1;", b" i=2;", b"i=51;", b" cv=none;", b" cv=pass;", b" cv=fail;", b" b=;", b";", b"=", b'"', b"("),
            *(b"\r\n", b"\r\n ", b"\t", b"relay.example.net;", b" arc=pass", b" arc=fail", b"\xff", b"\0", b"\r"),
        )
    ),
    max_size=40,
).map(b"".join)


@settings(max_examples=500, deadline=None)
@given(_PIECES | st.binary(max_size=200))
def test_whatever_stands_in_a_header_is_read_without_an_error(header: bytes) -> None:
    fields = fields_of(header)
    chain, results = read_chain(fields), our_results(fields, HOST)
    found = next_link(fields, results or b"")
    assert found is None or 1 <= found.instance <= 50
    assert found is None or found.claimed != "pass" or (not isinstance(chain, BadChain) and len(chain) > 0)
