"""Mail that only its recipient can read is told as what it is, by real openssl and gpg; what is only signed is read."""

import base64
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.screener.assess import House, assess
from services.screener.containers.contents import look_inside
from services.screener.containers.member import Sign
from services.screener.rules import compile_rules
from services.screener.screening import screen
from shared.config.model import Rules, Screener
from shared.config.screen_rule import ScreenRule
from shared.model import Action, Direction
from tests.support import archive_samples as archives
from tests.support.mail_samples import EXE, HEAD, TEXT, attachment, b64, crlf, multipart, with_exe
from tests.support.programs import needed

RULES = compile_rules(Rules(), Direction.INBOUND)
HOUSE = House("Example Org", "help@example.org", 86400)
ALLOWED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-encrypted")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a certificate, its key, and a message."""
    needed("openssl")
    folder = tmp_path_factory.mktemp("smime")
    request = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout k -out c"
    subprocess.run(request.split(), cwd=folder, check=True, stderr=subprocess.DEVNULL)
    (folder / "in.eml").write_bytes(with_exe("evil.exe") + b"padding\r\n" * 3000)
    return folder


def made(folder: Path, command: str) -> bytes:
    return subprocess.run(command.split(), cwd=folder, check=True, capture_output=True).stdout


SIGN = "openssl cms -sign -nodetach -binary -in in.eml -signer c -inkey k"
ENCRYPT = "openssl cms -encrypt -binary -in in.eml OPTIONS c"
EIGHT = "0123456789abcdef"


@pytest.mark.parametrize("options", ["-outform DER", "-outform DER -stream", "-outform PEM"])
def test_what_is_signed_is_read(folder: Path, options: str) -> None:
    contents = look_inside(made(folder, f"{SIGN} {options}"))
    assert "evil.exe" in {name for inside in contents.inside for name in inside.names}
    assert contents.signs == frozenset()


def test_a_p7m_saved_in_base64_is_read(folder: Path) -> None:
    contents = look_inside(base64.encodebytes(made(folder, f"{SIGN} -outform DER")))
    assert "evil.exe" in {name for inside in contents.inside for name in inside.names}


@pytest.mark.parametrize(
    "command",
    [
        ENCRYPT.replace("OPTIONS", "-outform DER"),
        ENCRYPT.replace("OPTIONS", "-outform DER -stream"),
        ENCRYPT.replace("OPTIONS", "-outform PEM"),
        ENCRYPT.replace("OPTIONS", "-aes-256-gcm -outform DER"),
        f"openssl cms -EncryptedData_encrypt -secretkey {EIGHT * 2} -aes128 -in in.eml -outform DER",
    ],
    ids=["enveloped", "in pieces", "pem", "authenticated", "encrypted data"],
)
def test_what_is_enveloped_is_told_as_that(folder: Path, command: str) -> None:
    contents = look_inside(made(folder, command))
    assert contents.signs == {Sign.SMIME}
    assert contents.inside == ()


def test_signed_then_encrypted_then_signed_again(folder: Path) -> None:
    """As RFC 2634 has it; only the outer signature can be undone."""
    inner = base64.encodebytes(made(folder, ENCRYPT.replace("OPTIONS", "-outform DER")))
    head = (
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    )
    (folder / "inner.eml").write_bytes(head + inner)
    outer = made(folder, f"{SIGN.replace('in.eml', 'inner.eml')} -outform DER")
    assert look_inside(outer).signs == {Sign.SMIME}


def test_certificates_only_and_a_detached_signature_hold_nothing(folder: Path) -> None:
    for command in (
        "openssl crl2pkcs7 -nocrl -certfile c -outform DER",
        f"{SIGN} -outform DER".replace(" -nodetach", ""),
    ):
        contents = look_inside(made(folder, command))
        assert (contents.inside, contents.signs) == ((), frozenset())


@pytest.fixture(scope="module")
def gpg(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Yield gpg with a key of its own for a@b.example."""
    needed("gpg")
    home = tmp_path_factory.mktemp("gpg")
    home.chmod(0o700)
    command = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "x"]
    command += ["--trust-model", "always"]
    generate = [*command, "--quick-generate-key", "a@b.example", "default", "default", "never"]
    subprocess.run(generate, check=True, capture_output=True)
    yield command
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "gpg-agent"], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("options", "signs"),
    [
        ("--encrypt -r a@b.example", {Sign.PGP}),
        ("--encrypt -r a@b.example --armor", {Sign.PGP}),
        ("--encrypt -r a@b.example --armor --comment x --emit-version", {Sign.PGP}),
        ("--symmetric", {Sign.PGP}),
        ("--symmetric --armor", {Sign.PGP}),
        ("--encrypt -r a@b.example --hidden-recipient a@b.example --rfc2440", {Sign.PGP}),
        ("--clearsign", set()),
        ("--detach-sign --armor", set()),
        ("--export --armor a@b.example", set()),
        ("--export a@b.example", set()),
    ],
)
def test_pgp_by_its_packets_or_its_armour(gpg: list[str], options: str, signs: set[Sign]) -> None:
    text = b"" if "--export" in options else b"hello " * 500
    octets = subprocess.run([*gpg, *options.split()], input=text, check=True, capture_output=True).stdout
    assert look_inside(octets).signs == signs
    assert look_inside(archives.zip_of({"a": octets})).signs == signs


ARMOUR = "-----BEGIN PGP MESSAGE-----\n\nhQIMA0123456789abAQ/+abcdefgh\n=abcd\n-----END PGP MESSAGE-----\n"
PGP_MIME = multipart(
    [
        "Content-Type: application/pgp-encrypted\n\nVersion: 1\n",
        f'Content-Type: application/octet-stream; name="encrypted.asc"\n\n{ARMOUR}',
    ],
    'encrypted; protocol="application/pgp-encrypted"',
)
INLINE = crlf(f"{HEAD}Content-Type: text/plain\n\nHi,\n{ARMOUR}")


def smime(folder: Path, kind: str = "application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m") -> bytes:
    sealed = b64(made(folder, ENCRYPT.replace("OPTIONS", "-outform DER")))
    return crlf(f"{HEAD}Content-Type: {kind}\nContent-Transfer-Encoding: base64\n\n{sealed}\n")


@pytest.mark.parametrize("which", ["pgp-mime", "pgp", "s-mime", "s-mime by content"])
@pytest.mark.parametrize("direction", list(Direction))
def test_encrypted_mail_has_an_action_of_its_own(folder: Path, which: str, direction: Direction) -> None:
    raw = {
        "pgp-mime": PGP_MIME,
        "pgp": INLINE,
        "s-mime": smime(folder),
        "s-mime by content": smime(folder, "application/octet-stream"),
    }[which]
    verdict = assess(raw, compile_rules(getattr(Screener(), direction), direction), HOUSE, "r", 0.0).verdict
    if direction is Direction.OUTBOUND:
        assert (verdict.action, verdict.reasons) == (Action.PASS, ())
    else:
        assert (verdict.action, verdict.reasons) == (Action.QUARANTINE, (f"encrypted:{which.partition(' ')[0]}",))
    other = compile_rules(Rules(encrypted_mail="block", encrypted="allow", unreadable="allow"), direction)
    assert assess(raw, other, HOUSE, "r", 0.0).verdict.action is Action.BLOCK


@pytest.mark.parametrize("which", ["pgp-mime", "s-mime"])
def test_a_rule_allows_it_and_nothing_else(folder: Path, which: str) -> None:
    rule = ScreenRule(name="sealed", action="allow", types=ALLOWED)
    rules = compile_rules(Rules(), Direction.INBOUND, Screener(rule=(rule,)))
    raw = {"pgp-mime": PGP_MIME, "s-mime": smime(folder)}[which]
    assert screen(raw, rules).ruling.action is Action.PASS
    program = crlf(f"{HEAD}Content-Type: application/pkcs7-mime\nContent-Transfer-Encoding: base64\n\n{b64(EXE)}\n")
    assert screen(program, rules).ruling.action is Action.STRIP
    beside = PGP_MIME.replace(
        b'Content-Type: application/octet-stream; name="encrypted.asc"', b"Content-Type: a/b; name=x.exe"
    )
    assert screen(beside, rules).ruling.reasons == ("extension:exe", "sealed:encrypted")


@pytest.mark.parametrize(
    "text",
    [
        f"Hi,\n> {ARMOUR}",
        "look for -----BEGIN PGP MESSAGE----- in the text",
        "-----BEGIN PGP MESSAGE-----\nis what it begins with",
        "-----BEGIN CMS-----\nis what it begins with",
        "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n",
    ],
)
def test_a_text_about_it_is_none(text: str) -> None:
    plain = crlf(f"{HEAD}Content-Type: text/plain\n\n{text}\n")
    assert screen(plain, RULES).ruling.action is Action.PASS
    assert (
        screen(multipart([TEXT, attachment("a.txt", text.encode(), "text/plain")]), RULES).ruling.action is Action.PASS
    )


@pytest.mark.parametrize(
    ("first", "second", "is_message"),
    [
        (b"\x84\x0d\x03", b"\xd2\x10", True),
        (b"\x85\x00\x0d\x03", b"\xa4\x10", True),
        (b"\x86\x00\x00\x00\x0d\x03", b"\xc9\x10", True),
        (b"\xc1\x0d\x06", b"\xc1\x0d\x06", True),
        (b"\xc3\x0d\x04", b"\xd4\x10", True),
        (b"\xc1\xff\x00\x00\x00\x0d\x03", b"\xd2\x10", True),
        (b"\xc1\x0d\x05", b"\xd2\x10", False),
        (b"\x85\x00\x0d\x03", b"\x85\xff", True),
        (b"\x85\x00\x0d\x03", b"\x12\x34", False),
        (b"\x85\x00\x0d\x03", b"\x99\x01", False),
        (b"\x99\x00\x0d\x04", b"\xd2\x10", False),
    ],
)
def test_packets_in_either_format_of_their_heads(first: bytes, second: bytes, is_message: bool) -> None:
    contents = look_inside(first + bytes(12) + second + bytes(10))
    assert contents.signs == ({Sign.PGP} if is_message else set())


def test_a_packet_of_two_octets_of_length() -> None:
    assert look_inside(b"\xc1\xc0\x10\x03" + bytes(207) + b"\xd2\x10" + bytes(10)).signs == {Sign.PGP}
