"""MTA-STS: records, policies, patterns, answers of policy servers, and what is remembered for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.delivery.security.protection import Result
from services.delivery.security.sts import MAX_AGE, Mode, StsPolicy, allows, parse, policy_id, vouches
from services.delivery.security.sts_fetch import MAX_BODY, Trouble, is_whole, read_response
from services.delivery.security.sts_policies import Known, Step, StsMemory, next_step

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mx1.example.net\r\nmx: *.example.org\r\nmax_age: 604800\r\n"
POLICY = StsPolicy(Mode.ENFORCE, 604800, ("mx1.example.net", "*.example.org"))


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ([b"v=STSv1; id=20160831085700Z;"], "20160831085700Z"),
        ([b"v=STSv1; id=1"], "1"),
        ([b"v=STSv1;id=1;"], "1"),
        ([b"v=STSv1 ; \t id=1 ; more=x; y=z"], "1"),
        ([b"some other text", b"v=STSv1; id=1;"], "1"),
        ([b"v=STSv10; id=2;", b"v=STSv1; id=1;", b"v=STSv1"], "1"),
        ([b"v=STSv1; more=x;some=id; id=1; id=2"], "1"),
        ([b"v=STSv1; id=" + b"a" * 32], "a" * 32),
        ([], None),
        ([b"some other text"], None),
        ([b"v=STSv1; id=1;", b"v=STSv1; id=2;"], None),
        ([b"v=STSv1; id=1;", b"v=STSv1; id=1;"], None),
        ([b"v=STSv1"], None),
        ([b"v=STSv1; id="], None),
        ([b"v=STSv1; id=a-b;"], None),
        ([b"v=STSv1; id=1 2;"], None),
        ([b"v=STSv1; more; id=1;"], None),
        ([b"v=STSv1; id=a-b; id=1;"], None),
        ([b"v=STSv1; id=" + b"a" * 33], None),
        ([b"v=STSv2; id=1;"], None),
        ([b" v=STSv1; id=1;"], None),
        ([b"v=STSv1; id=\xff;"], None),
    ],
)
def test_a_record_names_a_policy(records: list[bytes], expected: str | None) -> None:
    assert policy_id(records) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (GOOD, POLICY),
        (GOOD.replace(b"\r\n", b"\n"), POLICY),
        (GOOD.rstrip(), POLICY),
        (GOOD.replace(b": ", b" \t:\t"), POLICY),
        (b"mx: MX1.example.net.\nmx:*.Example.Org\nmax_age: 604800\nmode: enforce\nversion: STSv1", POLICY),
        (GOOD + b"more: x\r\n\r\n", POLICY),
        (GOOD + b"mx: mx1.example.net\r\n", POLICY),
        (GOOD + b"mode: none\r\nmax_age: 1\r\nversion: 2\r\n", POLICY),
        (b"version: STSv1\nmode: none\nmax_age: 0", StsPolicy(Mode.NONE, 0)),
        (b"version: STSv1\nmode: testing\nmx: a\nmax_age: 9999999999", StsPolicy(Mode.TESTING, MAX_AGE, ("a",))),
    ],
)
def test_a_policy_is_read(body: bytes, expected: StsPolicy) -> None:
    assert parse(body) == expected


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "version"),
        (b"\xff" + GOOD, "UTF-8"),
        (GOOD.replace(b"STSv1", b"STSv2"), "version"),
        (GOOD.replace(b"STSv1", b"stsv1"), "version"),
        (GOOD.replace(b"enforce", b"Enforce"), "mode"),
        (GOOD.replace(b"mode: enforce\r\n", b""), "mode"),
        (GOOD.replace(b"604800", b"-1"), "max_age"),
        (GOOD.replace(b"604800", b"1e5"), "max_age"),
        (GOOD.replace(b"604800", b"10000000000"), "max_age"),
        (GOOD.replace(b"604800", "٣".encode()), "max_age"),
        (GOOD.replace(b"max_age: 604800\r\n", b""), "max_age"),
        (GOOD.replace(b"mx: ", b"mxx: "), "no mx"),
        (GOOD.replace(b"mx: mx1.example.net", b"mx: "), "pattern"),
        (GOOD.replace(b"*.example.org", b"*example.org"), "pattern"),
        (GOOD.replace(b"*.example.org", b"*.*.org"), "pattern"),
        (GOOD.replace(b"*.example.org", b"a.*.org"), "pattern"),
        (GOOD.replace(b"*.example.org", b"*"), "pattern"),
        (GOOD.replace(b"*.example.org", b".example.org"), "pattern"),
        (GOOD.replace(b"*.example.org", b"a..b"), "pattern"),
        (GOOD + b"<html>\r\n", "colon"),
    ],
)
def test_what_is_no_policy_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(body)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mx1.example.net", True),
        ("mx2.example.net", False),
        ("a.mx1.example.net", False),
        ("a.example.org", True),
        ("example.org", False),
        ("a.b.example.org", False),
        (".example.org", False),
        ("*.example.org", True),
        ("org", False),
        ("", False),
    ],
)
def test_patterns_name_hosts(host: str, expected: bool) -> None:
    assert allows(POLICY, host) is expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, False),
        (POLICY, True),
        (StsPolicy(Mode.TESTING, 1, POLICY.patterns), True),
        (StsPolicy(Mode.TESTING, 1, ("mx2.example.net",)), False),
        (StsPolicy(Mode.NONE, 1, POLICY.patterns), False),
    ],
)
def test_a_policy_vouches_for_hosts(policy: StsPolicy | None, expected: bool) -> None:
    assert vouches(policy, "mx1.example.net") is expected


def response(body: bytes = GOOD, status: str = "200 OK", content_type: str = "text/plain", *, field: str = "") -> bytes:
    head = [f"HTTP/1.1 {status}", *([f"Content-Type: {content_type}"] if content_type else [])]
    head += [field] if field else []
    return "\r\n".join((*head, "", "")).encode() + body


SIZED = f"Content-Length: {len(GOOD)}"
CHUNKED = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, GOOD[:10], len(GOOD) - 10, GOOD[10:])
LONG = GOOD + b"x: " + b"y" * MAX_BODY
FETCH, INVALID = Result.STS_FETCH, Result.STS_INVALID


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (response(field=SIZED), POLICY),
        (response(), POLICY),
        (response(content_type="text/plain; charset=utf-8"), POLICY),
        (response(content_type="Text/Plain"), POLICY),
        (response(CHUNKED, field="Transfer-Encoding: chunked"), POLICY),
        (response().replace(b"HTTP/1.1", b"HTTP/1.0"), POLICY),
        (response(status="301 Moved", field="Location: https://example.net/"), FETCH),
        (response(status="404 Not Found"), FETCH),
        (response(status="204 No Content"), FETCH),
        (response(status="100 Continue"), FETCH),
        (response(content_type="text/html"), FETCH),
        (response(content_type=""), FETCH),
        (response(field=SIZED)[:-1], FETCH),
        (response(field="Content-Length: 1000000000000000"), FETCH),
        (response(CHUNKED[:-5], field="Transfer-Encoding: chunked"), FETCH),
        (response(b"zz\r\n", field="Transfer-Encoding: chunked"), FETCH),
        (response(LONG), FETCH),
        (response(b"nonsense"), INVALID),
        (response(b""), INVALID),
        (b"", FETCH),
        (b"220 mail.example.net ESMTP\r\n", FETCH),
        (b"HTTP/1.1 200", FETCH),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000, FETCH),
        (b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000, FETCH),
        (response(field="\r\n".join(["a: " + "b" * 30_000] * 3)), FETCH),  # of which the rest may not have been read
        (b"\xff" * 100, FETCH),
    ],
)
def test_an_answer_holds_a_policy_or_trouble(octets: bytes, expected: StsPolicy | Result) -> None:
    read = read_response(octets)
    assert (read.result if isinstance(read, Trouble) else read) == expected


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (response(field=SIZED), True),
        (response(field=SIZED.lower()), True),
        (response(field=SIZED)[:-1], False),
        (response(CHUNKED, field="Transfer-Encoding: chunked"), True),
        (response(CHUNKED[:-1], field="Transfer-Encoding: chunked"), False),
        (response(), False),
        (response(CHUNKED), False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", False),
        (b"", False),
    ],
)
def test_an_answer_is_known_to_be_whole(octets: bytes, expected: bool) -> None:
    assert is_whole(octets) is expected


@given(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(response)))
def test_any_octets_may_be_answered(octets: bytes) -> None:
    read_response(octets)


DAY = 86400.0
FRESH = Known(POLICY, "1", fetched=1000.0)


@pytest.mark.parametrize(
    ("known", "published", "now", "expected"),
    [
        (Known(), None, 0, Step.USE),
        (Known(), "1", 0, Step.FETCH),
        (Known(failed=1000.0), "1", 1299, Step.USE),
        (Known(failed=1000.0), "1", 1300, Step.FETCH),
        (FRESH, "1", 1000, Step.USE),
        (FRESH, None, 1000 + 6 * DAY, Step.USE),
        (FRESH, "2", 1000, Step.FETCH),
        (FRESH, "1", 1000 + DAY - 1, Step.USE),
        (FRESH, "1", 1000 + DAY, Step.REFRESH),
        (FRESH._replace(failed=1000 + DAY), "1", 1000 + DAY + 299, Step.USE),
        (FRESH._replace(failed=1000 + DAY), "2", 1000 + DAY + 299, Step.USE),
        (FRESH._replace(failed=1000 + DAY), "2", 1000 + DAY + 300, Step.FETCH),
        (FRESH, "1", 1000 + 7 * DAY, Step.FETCH),
        (FRESH, None, 1000 + 7 * DAY, Step.USE),
        (Known(StsPolicy(Mode.ENFORCE, 100, ("a",)), "1", 1000.0), "1", 1050, Step.REFRESH),
        (Known(StsPolicy(Mode.ENFORCE, 0, ("a",)), "1", 1000.0), "1", 1000, Step.FETCH),
    ],
)
def test_when_a_policy_is_fetched(known: Known, published: str | None, now: float, expected: Step) -> None:
    assert next_step(known, published, now) is expected


@pytest.mark.parametrize(("now", "believed"), [(1000, True), (1000 + 7 * DAY - 1, True), (1000 + 7 * DAY, False)])
def test_a_policy_is_believed_until_its_age(now: float, believed: bool) -> None:
    assert FRESH.current(now) == (POLICY if believed else None)


def test_memory_forgets_what_was_not_used_for_longest() -> None:
    memory = StsMemory(entries=2, octets=1000)
    for name in ("a", "b"):
        memory.put(name, FRESH)
    memory.get("a")
    memory.put("c", FRESH)
    assert [memory.get(name) for name in "abc"] == [FRESH, Known(), FRESH]


def test_memory_counts_octets() -> None:
    """Renewed entries count once, and one that is larger than all of it is not kept."""
    size = sum(map(len, POLICY.patterns))
    memory = StsMemory(entries=10, octets=2 * size)
    for name in ("a", "a", "b", "b"):
        memory.put(name, FRESH)
    assert [memory.get(name) for name in "ab"] == [FRESH, FRESH]
    memory.put("c", FRESH)
    assert [memory.get(name) for name in "abc"] == [Known(), FRESH, FRESH]
    memory.put("d", Known(StsPolicy(Mode.ENFORCE, 1, ("x" * (2 * size + 1),))))
    assert [memory.get(name) for name in "abcd"] == [Known()] * 4
