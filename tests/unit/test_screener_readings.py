"""Screening a whole message: what content tells, in every reading of its encoding, and inside zip files."""

import io
import zipfile

import pytest

from services.screener.mime.anomaly import Anomaly
from services.screener.rules import compile_rules
from services.screener.screening import Screening, screen
from shared.config.model import Rules, Screener
from shared.model import Action, Direction
from tests.support.archive_samples import gzip_of, tar_of, zip_entry, zip_with
from tests.support.mail_samples import EXE, HEAD, TEXT, attachment, b64, crlf, multipart

RULES = compile_rules(Rules(), Direction.INBOUND)
OUTBOUND = compile_rules(Screener().outbound, Direction.OUTBOUND)


def one(fields: str, content: str) -> Screening:
    return screen(crlf(f"{HEAD}{fields}\n\n{content}"), RULES)


def zipped(*names: str, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name in names:
            file.writestr(name, b"content of a member " * 9)
    return stream.getvalue()


CTE = "Content-Type: application/octet-stream\nContent-Transfer-Encoding"
LINES = b64(EXE)


@pytest.mark.parametrize(
    ("fields", "content", "rule", "anomaly"),
    [
        (f"{CTE}: base64", LINES, "content:application/x-msdownload", None),
        (f"{CTE}: base64", f"===={LINES}", "content:application/x-msdownload", Anomaly.BAD_BASE64),
        (f"{CTE}: base64", f"TVo=\nkAADAAAA{LINES}", "content:application/x-msdownload", Anomaly.BAD_BASE64),
        (f"{CTE}: base64", LINES.replace("\n", "#\n."), "content:application/x-msdownload", None),
        (f"{CTE}: x-base64", LINES, "content:application/x-msdownload", Anomaly.UNKNOWN_ENCODING),
        (
            f"{CTE}: 7bit\nContent-Transfer-Encoding: base64",
            LINES,
            "content:application/x-msdownload",
            Anomaly.TWO_ENCODINGS,
        ),
        (f"{CTE}: quoted-printable", "MZ=90=00=03=00", "content:application/x-msdownload", None),
        (
            "Content-Type: text/plain\nContent-Transfer-Encoding: base64",
            LINES,
            "content:application/x-msdownload",
            None,
        ),
        ("Content-Type: text/plain", "REGEDIT4\nis how such files begin\n", None, None),
        ("Content-Type: text/plain; name=a.txt", "REGEDIT4\n", "content:text/x-ms-regedit", None),
        ("Content-Type: text/html", "<html><hta:application> is a tag</html>", None, None),
        (f"{CTE}: base64", f"{b64(b'text')}\n_____\nlist footer = junk\n", None, None),
    ],
)
def test_content_tells_a_program_in_any_reading(
    fields: str, content: str, rule: str | None, anomaly: Anomaly | None
) -> None:
    screening = one(fields, content)
    finding = screening.seen[0].finding
    assert (finding and finding.rule) == rule
    assert screening.ruling.ambiguous is (anomaly is not None)
    assert anomaly is None or anomaly in screening.ruling.reasons


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (zipped("a.txt", "dir/b.pdf"), None),
        (zipped("a.txt", "dir/setup.EXE"), "member:exe"),
        (zipped("größe.scr"), "member:scr"),
        (zipped("a.txt") + zipped("b.js"), "member:js"),
        (zipped("a.exe").replace(b"a.exe", b"a.txt", 1), "member:exe"),
        (zipped("[Content_Types].xml", "word/document.xml"), None),
        (zipped("META-INF/MANIFEST.MF", "A.class"), "content:application/java-archive"),
        (zipped("a.exe")[:40], "member:exe"),
        (zipped("a.exe")[:20], "container:malformed"),
    ],
)
def test_zip_files_are_judged_by_their_members_names(content: bytes, rule: str | None) -> None:
    screening = screen(multipart([TEXT, attachment("a.zip", content, "application/zip")]), RULES)
    finding = screening.seen[2].finding
    assert (finding and finding.rule) == rule


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        pytest.param(zipped(*(f"{number}.txt" for number in range(3001))), "container:over-limit", id="members"),
        pytest.param(b"PK\x03\x04" * 30002, "container:malformed", id="nothing but headers"),
        pytest.param(zipped("a.txt")[:-8], "container:malformed", id="cut off"),
    ],
)
def test_what_cannot_be_looked_into_has_an_action_of_its_own(content: bytes, rule: str) -> None:
    message = multipart([TEXT, attachment("a.zip", content, "application/zip")])
    assert screen(message, RULES).ruling.reasons == (rule,)
    assert screen(message, RULES).ruling.action is Action.QUARANTINE
    assert screen(message, OUTBOUND).ruling.action is Action.BLOCK
    allowing = compile_rules(Rules(unreadable="allow"), Direction.INBOUND)
    assert screen(message, allowing).ruling.action is Action.PASS


def test_a_later_piece_of_an_archive_is_known_by_its_name() -> None:
    message = multipart([TEXT, attachment("a.7z.002", b"anything at all")])
    assert screen(message, RULES).ruling.reasons == ("container:multi-volume",)


def test_an_encrypted_archive_has_an_action_of_its_own() -> None:
    local, entry = zip_entry(b"a.txt", b"secret", flags=1)
    message = multipart([TEXT, attachment("a.zip", zip_with(local, entry), "application/zip")])
    assert screen(message, RULES).ruling.action is Action.QUARANTINE
    assert screen(message, RULES).ruling.reasons == ("container:encrypted",)
    assert screen(message, OUTBOUND).ruling.action is Action.PASS
    local, entry = zip_entry(b"a.exe", b"secret", flags=1)
    named = multipart([TEXT, attachment("a.zip", zip_with(local, entry), "application/zip")])
    assert screen(named, RULES).ruling.reasons == ("member:exe",)


def test_a_member_is_banned_for_a_name_that_deceives() -> None:
    content = zipped("annexe\u202etxt.x")
    assert screen(multipart([TEXT, attachment("a.zip", content)]), RULES).ruling.reasons == ("member:deceptive-name",)


def test_a_member_is_banned_by_its_content_whatever_it_is_called() -> None:
    content = gzip_of(tar_of({"holiday.jpg": EXE}))
    screening = screen(multipart([TEXT, attachment("a.tgz", content)]), RULES)
    assert screening.ruling.reasons == ("member:application/x-msdownload",)
    assert screening.ruling.action is Action.STRIP


def test_rules_that_allow_look_at_no_member() -> None:
    rules = compile_rules(Rules(action="allow"), Direction.INBOUND)
    screening = screen(multipart([attachment("a.zip", zipped("a.exe"), "application/zip")]), rules)
    assert screening.seen[1].finding is None
