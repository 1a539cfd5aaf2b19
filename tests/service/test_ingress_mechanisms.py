"""Every mechanism over real TLS, with clients written here, an HTTP server for the call-out and made certificates."""

import base64
import hashlib
import hmac
import json
import smtplib
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import msgspec
import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from services.ingress.auth.users import add_user
from shared.config.model import Config
from shared.config.units import Duration
from tests.support.front import Front, front_config, with_tls
from tests.support.waiting import wait_for

PASSWORD = "correct horse"
SUBMISSION = 1
KEY = ec.generate_private_key(ec.SECP256R1())
MAIL = "From: bob@example.org\r\nSubject: x\r\n\r\nHello\r\n"


class World:
    """A certificate authority, a users file and a JWKS file."""

    def __init__(self, folder: Path) -> None:
        self.authority = trustme.CA()
        self.folder = folder
        self.authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
        self.authority.cert_pem.write_to_path(folder / "clients.pem")
        add_user(folder / "users", "bob@example.org", PASSWORD)
        line = (folder / "users").read_text().splitlines()[-1]
        with (folder / "users").open("a") as file:
            file.write(line.replace("bob", "old").rpartition(":SCRAM")[0] + "\n")
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(KEY.public_key()))
        (folder / "jwks").write_text(json.dumps({"keys": [public]}))

    def config(self, **auth: Any) -> Config:
        config = with_tls(front_config(), self.folder / "relay.pem", self.folder / "users")
        tokens = {"jwks_file": str(self.folder / "jwks"), "token_issuer": "issuer", "token_audience": "smtp"}
        return msgspec.structs.replace(
            config,
            auth=msgspec.structs.replace(config.auth, **(tokens | auth)),
            tls=msgspec.structs.replace(config.tls, client_ca=str(self.folder / "clients.pem")),
        )

    def client(self, front: Front, certificate: trustme.LeafCert | None = None) -> smtplib.SMTP:
        trust = ssl.create_default_context()
        self.authority.configure_trust(trust)
        if certificate is not None:
            certificate.configure_cert(trust)
        smtp = smtplib.SMTP("127.0.0.1", front.app.ports[SUBMISSION], "c.example", timeout=30)
        smtp.starttls(context=trust)
        smtp.ehlo()
        return smtp


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("mechanisms"))


@pytest.fixture(scope="module")
def front(world: World) -> Iterator[Front]:
    with Front(world.config()) as running:
        yield running


def b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()


def unb64(said: tuple[int, bytes]) -> bytes:
    assert said[0] == 334, said
    return base64.b64decode(said[1])


def scram(smtp: smtplib.SMTP, user: str, password: str) -> tuple[int, bytes]:
    """Authenticate as RFC 5802 describes, checking what the server proves."""
    bare = f"n={user},r=clientnonce"
    first = unb64(smtp.docmd("AUTH", f"SCRAM-SHA-256 {b64(b'n,,' + bare.encode())}")).decode()
    fields = dict(field.split("=", 1) for field in first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(fields["s"]), int(fields["i"]))
    key = hmac.digest(salted, b"Client Key", "sha256")
    final = f"c=biws,r={fields['r']}"
    signed = f"{bare},{first},{final}".encode()
    mask = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, mask, strict=True))
    said = smtp.docmd(b64(f"{final},p={b64(proof)}".encode()))
    if said[0] != 334:
        return said
    expected = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256")
    assert unb64(said) == b"v=" + base64.b64encode(expected)
    return smtp.docmd("")


def test_ehlo_offers_what_is_configured(front: Front, world: World) -> None:
    with world.client(front) as smtp:
        assert smtp.esmtp_features["auth"].split() == ["SCRAM-SHA-256", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"]
        assert smtp.docmd("AUTH EXTERNAL =")[0] == 504


def test_scram(front: Front, world: World) -> None:
    with world.client(front) as smtp:
        failed = {scram(smtp, name, PASSWORD + "x") for name in ("bob@example.org", "nobody")}
        assert failed == {(535, b"5.7.8 Authentication credentials invalid")}
        assert scram(smtp, "BOB@example.org", PASSWORD)[0] == 235
        assert smtp.sendmail("bob@example.org", ["x@foreign.example"], MAIL) == {}


def test_scram_is_refused_without_keys_as_for_an_unknown_user(front: Front, world: World) -> None:
    with world.client(front) as smtp:
        assert scram(smtp, "old@example.org", PASSWORD) == (535, b"5.7.8 Authentication credentials invalid")
        smtp.login("old@example.org", PASSWORD)
    salts = set()
    with world.client(front) as smtp:
        for name in ("nobody", "NOBODY", "someone"):
            salts.add(unb64(smtp.docmd("AUTH", f"SCRAM-SHA-256 {b64(f'n,,n={name},r=x'.encode())}")).split(b",")[1])
            assert smtp.docmd("*")[0] == 501
        bound = b64(b"p=tls-exporter,,n=bob,r=x")
        assert smtp.docmd("AUTH", f"SCRAM-SHA-256 {bound}")[0] == 501
    assert len(salts) == 2


def token(**changes: Any) -> str:
    claims = {"iss": "issuer", "aud": "smtp", "sub": "bob@example.org", "exp": time.time() + 300}
    return jwt.encode(claims | changes, KEY, "ES256")


@pytest.mark.parametrize("mechanism", ["OAUTHBEARER", "XOAUTH2"])
def test_tokens(front: Front, world: World, mechanism: str) -> None:
    form = "n,a={},\x01auth=Bearer {}\x01\x01" if mechanism == "OAUTHBEARER" else "user={}\x01auth=Bearer {}\x01\x01"
    late = token(exp=time.time() - 300)
    with world.client(front) as smtp:
        for user, bad in (("bob@example.org", late), ("eve@example.org", token())):
            said = smtp.docmd("AUTH", f"{mechanism} {b64(form.format(user, bad).encode())}")
            assert "status" in json.loads(unb64(said))
            assert smtp.docmd("AQ==")[0] == 535
        good = b64(form.format("bob@example.org", token()).encode())
        assert smtp.docmd("AUTH", f"{mechanism} {good}")[0] == 235
    logged = front.log.getvalue()
    assert late not in logged
    assert good not in logged


def test_client_certificates(front: Front, world: World) -> None:
    own = world.authority.issue_cert("bob@example.org")
    with world.client(front, own) as smtp:
        assert "EXTERNAL" in smtp.esmtp_features["auth"]
        assert smtp.docmd("AUTH", f"EXTERNAL {b64(b'eve@example.org')}")[0] == 535
        assert smtp.docmd("AUTH EXTERNAL =")[0] == 235
    unknown = world.authority.issue_cert("eve@example.org", common_name="bob@example.org")
    with world.client(front, unknown) as smtp:
        assert "EXTERNAL" not in smtp.esmtp_features["auth"]
    with pytest.raises((ssl.SSLError, OSError, smtplib.SMTPException)):
        world.client(front, trustme.CA().issue_cert("bob@example.org"))


class Answers(BaseHTTPRequestHandler):
    """Says what the password asks for."""

    asked: list[tuple[dict[str, str], str | None]]
    gate: threading.Event

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append((question, self.headers["Authorization"]))
        if question["password"] == "close":
            self.close_connection = True
            return
        if question["password"] == "slow":
            self.gate.wait(30)
        status = {"right": 200, "500": 500, "empty": 200}.get(question["password"], 401)
        body = json.dumps({} if question["password"] == "empty" else {"user": "carol@example.org"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the library's name)
        pass


def test_the_http_call_out(world: World) -> None:
    Answers.asked, Answers.gate = [], threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever).start()
    url = f"http://127.0.0.1:{server.server_port}/check?x=1"
    config = world.config(http_url=url, http_secret="hush", http_timeout=Duration(1))
    heard = {}
    with Front(config) as front:
        for password in ("wrong", "500", "empty", "close", "slow", "right"):
            with world.client(front) as smtp:
                heard[password] = smtp.docmd("AUTH", "PLAIN " + b64(f"\0carol\0{password}".encode()))[0]
        with world.client(front) as smtp:
            assert smtp.login("bob@example.org", PASSWORD)[0] == 235
        Answers.gate.set()
        logged = front.log.getvalue()
    server.shutdown()
    server.server_close()
    assert heard == {"wrong": 535, "500": 454, "empty": 454, "close": 454, "slow": 454, "right": 235}
    question = {"user": "carol", "password": "right", "address": "127.0.0.1", "mechanism": "PLAIN"}
    assert Answers.asked[-1] == (question, "Bearer hush")
    assert "hush" not in logged
    assert "carol@example.org" in logged


def test_one_question_too_many_at_a_time_is_answered_later(world: World) -> None:
    Answers.asked, Answers.gate = [], threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever).start()
    config = world.config(http_url=f"http://127.0.0.1:{server.server_port}/", max_concurrent_callouts=1)
    with Front(config) as front, world.client(front) as one, world.client(front) as two:
        slow = threading.Thread(target=one.docmd, args=("AUTH", "PLAIN " + b64(b"\0carol\0slow")))
        slow.start()
        wait_for(lambda: bool(Answers.asked))
        right = "PLAIN " + b64(b"\0carol\0right")
        assert two.docmd("AUTH", right) == (454, b"4.7.0 Too many authentications at once, try again later")
        Answers.gate.set()
        slow.join()
        assert two.docmd("AUTH", right)[0] == 235
    server.shutdown()
    server.server_close()


def test_guessing_locks_the_address_and_what_is_known_goes_on(world: World) -> None:
    config = world.config(max_failures_per_address=3)
    with Front(config) as front:
        with world.client(front) as smtp:
            smtp.login("bob@example.org", PASSWORD)
        for _ in range(3):
            with world.client(front) as smtp:
                assert smtp.docmd("AUTH", "PLAIN " + b64(b"\0nobody\0x"))[0] == 535
        with world.client(front) as smtp:
            good = b64(f"\0old@example.org\0{PASSWORD}".encode())
            assert smtp.docmd("AUTH", f"PLAIN {good}") == (
                454,
                b"4.7.0 Too many failed authentications, try again later",
            )
            assert scram(smtp, "bob@example.org", PASSWORD)[0] == 235


def test_sender_rules_and_the_from_field(world: World) -> None:
    senders = {"bob@example.org": ("lists.example.org",)}
    with Front(world.config(senders=senders, check_from_header=True)) as front, world.client(front) as smtp:
        smtp.login("bob@example.org", PASSWORD)
        assert smtp.mail("eve@example.org")[0] == 550
        smtp.sendmail("x@lists.example.org", ["x@foreign.example"], MAIL)
        with pytest.raises(smtplib.SMTPDataError) as caught:
            smtp.sendmail("bob@example.org", ["x@foreign.example"], MAIL.replace("bob@", "eve@"))
        assert caught.value.smtp_code == 550
        assert len(front.recorder.sends) == 1
