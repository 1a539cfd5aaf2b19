"""The fast path: what it lets pass, the full parse lets pass too; ordinary texts do take it."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.screener.assess import House, assess
from services.screener.containers.formats import readers_for
from services.screener.identity.magic import _TABLE
from services.screener.identity.recognise import recognise
from services.screener.mime.quick import is_only_text
from services.screener.mime.tree import parse
from services.screener.rules import Correspondents, compile_rules, for_people, lets_text_pass
from services.screener.screening import screen
from shared.config.model import Rules, Screener
from shared.config.screen_rule import ScreenRule
from shared.config.units import Size
from shared.model import Action, Direction
from tests.catalogue.case import Case
from tests.catalogue.test_catalogue import CASES
from tests.ordinary.test_ordinary import MESSAGES
from tests.ordinary.writing import DKIM
from tests.support.mail_samples import HEAD, crlf
from tests.support.mime_pieces import PIECES, spliced

RULES = compile_rules(Rules(), Direction.INBOUND)
CT = "Content-Type: text/plain; charset=utf-8\n"
CTE = "Content-Transfer-Encoding"
TEXTS = [
    "\nHi\n",
    f"{CT}\nHi\n",
    f"{CT}{CTE}: 8bit\n\nGrüße\n",
    f'Content-Type: text/html; charset="UTF-8"\n{CTE}: quoted-printable\n\n<p>Gr=C3=BC=C3=9Fe=3D =\nso</p>\n',
    f"Content-Type: text/plain; charset=UTF-8; format=flowed\n{CTE}: 7bit\nContent-Language: de-DE\n\nHi\n-- \nA\n",
    f"{CT}Content-Disposition: inline\n\nin the beginning\n",
    f"{DKIM}{CT}\nHi\n",
    f"Content-Type: text/plain;\n charset=utf-8\n{CTE}: 7bit\n\nHi\n",
    f"{CT}{CTE}: base64\n\nSGFsbG8gQm9iLA0KDQphbmJlaSDigJQgc2Now7ZuZSBHcsO8w59lCg==\n",
    f"{CTE}: base64\nContent-Type: text/html\n\nPHA+SGFsbG88L3A+\n",
    "X-Google-DKIM-Signature: v=1;\n h=From:\n Content-Type:To\n\nHi\n",
    "ARC-Message-Signature: i=1;\n Content-Type\n\nHi -- or hello - to you\n",
    "\nCall msSaveBlob or createObjectURL, see a:svg and data:text/plain,x\n",
]
QUICK = [crlf(HEAD + text) for text in TEXTS]


@pytest.mark.parametrize("raw", QUICK)
def test_ordinary_texts_take_the_fast_path(raw: bytes) -> None:
    assert is_only_text(raw)


def test_a_good_part_of_ordinary_single_texts_does() -> None:
    assert sum(is_only_text(raw) for _, _, raw in MESSAGES) >= 20


NOT = {
    "empty": "\n",
    "a name": 'Content-Type: text/plain; name="a"\n\nx\n',
    "a boundary": "Content-Type: text/plain; boundary=b\n\nx\n",
    "base64": f"{CT}{CTE}: base64\n\nTVqQ\n",
    "base64 of a script": f"{CT}{CTE}: base64\n\nPHNjcmlwdD54PC9zY3JpcHQ+\n",
    "base64 that is damaged": f"{CT}{CTE}: base64\n\nSGFs=bG8g\n",
    "base64 that is a file to who skips a line": f"{CT}{CTE}: base64\n\nSGVsbG8gd29ybGQh\nSVRTRnh4eHh4eHh4\n",
    "base64 of NUL": f"{CT}{CTE}: base64\n\nSGFsbG8gSGFsbG8gSGFsbG8gSGFsbG8gSGFsbG8gSGFsbG8gSGFsbG8gSGFsbG8gAA==\n",
    "base64 of uuencode": f"{CT}{CTE}: base64\n\nSGkKYmVnaW4gNjQ0IGEuZXhlCiM4NilDCmVuZAo=\n",
    "two types": f"{CT}Content-Type: text/html\n\nx\n",
    "two encodings": f"{CTE}: 7bit\n{CTE}: quoted-printable\n\nx\n",
    "an attachment": "Content-Disposition: attachment\n\nx\n",
    "a description": "Content-Description: a.exe\n\nx\n",
    "a field in a continuation": "X: y\n Content-Type: text/plain\n\nx\n",
    "a line that is no field": "nonsense\n\nx\n",
    "a space in a name": "X Y: z\n\nx\n",
    "a dirty name": "(Content-Type: x\n\nx\n",
    "a white space line": "X: y\n \nZ: a\n\nx\n",
    "uuencode": "\nHi\nbegin 644 a.exe\n#86)C\nend\n",
    "uuencode that is encoded": f"{CT}{CTE}: quoted-printable\n\nHi\n=62egin 644 a.exe\n#86)C\nend\n",
    "yEnc": "\n=ybegin line=1 name=a\n",
    "BinHex": "\n(This file must be converted with BinHex 4.0)\n",
    "parts": "\n--b\nContent-Type: x/y\n\n",
    "a PGP message": "\nhi\n-----BEGIN PGP MESSAGE-----\n",
    "a CMS message": "\nhi\n-----begin cms-----\n",
    "a PKCS 7 message": "\nhi\n-----BEGIN PKCS7-----\n",
    "a program": "\nMZ\n",
    "a PDF": "\n\n%PDF-1.4\n",
    "a tar": "\n" + "x" * 257 + "ustar\n",
    "an old tar": "\n" + "x" * 148 + "0144000 " + "x" * 400 + "\n",
    "a field in the text": "\nHi\nContent-Type : x/y\n",
    "an image": "\nconectix\n",
    "an archive": "\n22-lh5-\n",
    "the end of a short disk image": "\nkoly\n",
    "a calendar": "\n\nBEGIN:VCALENDAR\nATTACH;ENCODING=BASE64:eA==\n",
    "rich text": "\n \n{\\rt\\objdata 00}\n",
    "a drawing": "\n<svg>\n",
    "the end of a disk image": "\n" + "x" * 600 + "koly" + "x" * 508,
    "a file by an address in numbers": "\n<a href='&#100;ata:a/b;x,MZ'>\n",
    "a file by an address in lines": "\n<a href='da\nta:a/b;x,MZ'>\n",
    "a drawing with a prefix": "\n<x:svg>\n",
    "ActiveMime": "\nActiveMime\n",
    "a script": "\n<script>x</script>\n",
    "a page that hands over a file": "\nhi <b> createObjectURL\n",
    "a page that hands over a file to old browsers": "\nhi <b> msSaveBlob\n",
    "an application in HTML": "\nhi <hta:application>\n",
    "broken quoted-printable": f"{CT}{CTE}: quoted-printable\n\n100 % = x\n",
    "a control character that is encoded": f"{CT}{CTE}: quoted-printable\n\nMZ=00\n",
    "NUL that is encoded": f"{CT}{CTE}: quoted-printable\n\nHallo Hallo Hallo Hallo Hallo Hallo Hallo=00\n",
    "very many fields": "X: y\n" * 1000 + "\nx\n",
}


@pytest.mark.parametrize("case", NOT)
def test_a_doubt_is_left_to_the_full_parse(case: str) -> None:
    assert not is_only_text(crlf(HEAD + NOT[case]))


@pytest.mark.parametrize(
    "raw",
    [
        b"From: a\r\n\r\nx\0",
        b"From: a\n\nx\n",
        b"From: a\r\nX: y\rContent-Type: x\r\n\r\nx",
        b"From: a\r\nX: y\nZ: a\r\n\r\nx",
        b"From: a\r\n\r\nx\r--b",
        b"From: a\r\n\r\nx\n--b\r\n",
        b"\r\nx",
        b"From a@b Mon\r\nFrom: a\r\n\r\nx",
        b" From: a\r\n\r\nx",
        b"From: a\r\nX-Signature: b\r\n Content-Type: x\r\n\r\nx",
        b"From: a\r\n\r\n0\x80\6\x09*\x86H\x86\xf7\r\1\7\2",
        b"From: a\r\n",
        b"From: a\r\n\r\n" + b"x" * 1_100_000,
    ],
)
def test_odd_octets_are_left_to_the_full_parse(raw: bytes) -> None:
    assert not is_only_text(raw)


@pytest.mark.parametrize(("offset", "octets"), [(offset, octets) for offset, octets, _, _ in _TABLE])
def test_no_mark_of_a_type_begins_a_text(offset: int, octets: bytes) -> None:
    assert not is_only_text(QUICK[0].removesuffix(b"Hi\r\n") + b"x" * offset + octets + b"x" * 1000)


@settings(max_examples=1500)
@given(
    st.builds(
        spliced,
        st.sampled_from([*QUICK, *(raw for _, _, raw in MESSAGES if is_only_text(raw))]),
        st.lists(
            st.tuples(
                st.integers(0, 3000),
                st.integers(0, 12),
                st.sampled_from(PIECES)
                | st.sampled_from(
                    [
                        b"BZh",
                        b"MZ",
                        b"koly",
                        b"=",
                        b"=4D",
                        b"--",
                        b"\r\n ",
                        b"begin ",
                        b"RE~^",
                        b"%PDF-",
                        b"ITSF",
                        b"zPQ",
                        b"conectix",
                    ]
                )
                | st.text(max_size=4).map(str.encode),
            ),
            max_size=4,
        ),
    )
)
@example(QUICK[0].replace(b"Hi", b"MSCF"))
@example(QUICK[0].replace(b"Hi", b"koly"))
@example(QUICK[0].replace(b"Hi", b"\xff\xfe<svg>"))
def test_what_passes_unread_passes_read(raw: bytes) -> None:
    if not is_only_text(raw):
        return
    tree = parse(raw)
    assert tree.anomalies == frozenset()
    assert len(tree.parts) == 1
    (part,) = tree.parts
    assert (part.description.names, part.description.boundaries) == ((), ())
    assert {one.type for one in recognise(part)[0]} <= {"text/plain", "text/html", "application/octet-stream"}
    assert not any(readers_for(octets) for octets in part.readings())
    assert screen(raw, RULES).ruling == (Action.PASS, (), False, (), ())


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.row} {case.name}")
def test_no_case_of_the_catalogue_with_a_finding_passes_unread(case: Case) -> None:
    for _, raw in case.variants():
        assert not is_only_text(raw) or (case.rule is None and not case.doubt)


@pytest.mark.parametrize(
    ("rules", "passes"),
    [
        (Rules(), True),
        (Rules(banned_types=("text/html",)), False),
        (Rules(banned_types=("text/plain",)), False),
        (Rules(banned_types=("application/octet-stream",)), False),
        (Rules(extra_extensions=("html",)), False),
        (Rules(extra_extensions=("txt",)), True),
    ],
)
def test_rules_on_texts_forbid_the_fast_path(rules: Rules, *, passes: bool) -> None:
    assert lets_text_pass(compile_rules(rules, Direction.INBOUND)) is passes


@pytest.mark.parametrize(
    "rule",
    [
        ScreenRule(name="mine", action="quarantine", body=("Hi",)),
        ScreenRule(name="mine", action="quarantine", subject=("Unterlagen",)),
        ScreenRule(name="mine", action="quarantine", senders=("example.org",)),
        ScreenRule(name="mine", action="quarantine", message_over=Size(10)),
        ScreenRule(name="mine", action="quarantine", types=("text/plain",)),
    ],
)
def test_a_rule_of_the_operators_applies_to_what_the_fast_path_would_pass(rule: ScreenRule) -> None:
    rules = compile_rules(Rules(), Direction.INBOUND, Screener(rule=(rule,)))
    mine = for_people(rules, Correspondents("alice@example.org", "bob@example.net", verified=False))
    others = for_people(rules, Correspondents("eve@example.com", "bob@example.net", verified=False))
    house = House("Example Org", "help@example.org", 86400)
    assert is_only_text(QUICK[1])
    verdict = assess(QUICK[1], mine, house, "reference", 0.0).verdict
    assert (verdict.action, verdict.reasons) == (Action.QUARANTINE, ("rule:mine",))
    assert lets_text_pass(others) is bool(rule.senders)
