"""AUTH dialogues, the users file, and checking passwords: the same answer for a wrong name and a wrong password."""

import asyncio
import base64
import stat
import threading
from pathlib import Path

import pytest

from services.ingress import replies
from services.ingress.auth.mechanisms import Credentials, ask_password, decode, plain
from services.ingress.auth.passwords import Hashes
from services.ingress.auth.scram import derive
from services.ingress.auth.users import User, add_user, list_users, load_users, remove_user, verify
from services.ingress.auth.watched import Watched
from services.ingress.replies import Refuse
from shared.errors import ConfigError, SluiceError


def b64(text: bytes) -> bytes:
    return base64.b64encode(text)


class Client:
    """Answers challenges from a list."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.asked: list[bytes] = []

    async def ask(self, challenge: bytes) -> bytes:
        self.asked.append(challenge)
        return self.answers.pop(0)


BOB = Credentials("bob", "s3cret")
DIALOGUES = [
    ("PLAIN", b64(b"\0bob\0s3cret"), [], BOB),
    ("PLAIN", None, [b64(b"\0bob\0s3cret")], BOB),
    ("PLAIN", None, [b64(b"bob\0bob\0s3cret")], BOB),
    ("PLAIN", None, [b64(b"eve\0bob\0s3cret")], replies.AUTH_FAILED),
    ("PLAIN", None, [b"*"], replies.AUTH_ABORTED),
    ("PLAIN", b"=", [], replies.AUTH_ENCODING),
    ("PLAIN", b"!!!!", [], replies.AUTH_ENCODING),
    ("PLAIN", b64(b"bob\0s3cret"), [], replies.AUTH_ENCODING),
    ("PLAIN", b64(b"\0bob\0a\0b"), [], replies.AUTH_ENCODING),
    ("PLAIN", b64(b"\0b\xffb\0x"), [], replies.AUTH_ENCODING),
    ("PLAIN", b64("\0bob\0pä".encode()), [], Credentials("bob", "pä")),
    ("LOGIN", None, [b64(b"bob"), b64(b"s3cret")], BOB),
    ("LOGIN", b64(b"bob"), [b64(b"s3cret")], BOB),
    ("LOGIN", None, [b"*"], replies.AUTH_ABORTED),
    ("LOGIN", None, [b64(b"bob"), b"*"], replies.AUTH_ABORTED),
    ("LOGIN", None, [b64(b"bob"), b"no base64"], replies.AUTH_ENCODING),
    ("LOGIN", None, [b64(b"bob"), b""], Credentials("bob", "")),
]


@pytest.mark.parametrize(("mechanism", "initial", "answers", "expected"), DIALOGUES)
async def test_dialogue(
    mechanism: str, initial: bytes | None, answers: list[bytes], expected: Credentials | Refuse
) -> None:
    client = Client(*answers)
    assert await ask_password(mechanism, initial, client.ask) == expected
    assert not client.answers


async def test_login_asks_in_the_words_that_clients_know() -> None:
    client = Client(b64(b"bob"), b64(b"x"))
    await ask_password("LOGIN", None, client.ask)
    assert [base64.b64decode(challenge) for challenge in client.asked] == [b"Username:", b"Password:"]


def test_responses_are_strict_base64() -> None:
    assert decode(b"Zg==") == b"f"
    assert decode(b"Zg") == replies.AUTH_ENCODING
    assert decode(b"Zg==\n") == replies.AUTH_ENCODING
    assert plain(b"") == replies.AUTH_ENCODING


def test_credentials_never_show_the_password() -> None:
    assert "s3cret" not in repr(BOB)
    assert "s3cret" not in f"{BOB}"


def test_users_are_added_listed_replaced_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "users"
    assert list_users(file) == {}
    assert add_user(file, "Zoe@Example.org", "one")
    assert add_user(file, "bob", "two")
    assert not add_user(file, "BOB", "three")
    assert list(list_users(file)) == ["bob", "zoe@example.org"]
    assert verify(load_users(file).by_name["bob"].hashed, "three")
    assert not verify(load_users(file).by_name["bob"].hashed, "two")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "three" not in file.read_text()
    assert remove_user(file, "Bob")
    assert not remove_user(file, "bob")
    assert list(list_users(file)) == ["zoe@example.org"]
    assert [path.name for path in tmp_path.iterdir()] == ["users"]


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\nb", "#a", "a\0b", "x" * 256])
def test_impossible_user_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(SluiceError):
        add_user(tmp_path / "users", name, "password")


def test_an_empty_password_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SluiceError, match="empty"):
        add_user(tmp_path / "users", "bob", "")


def test_a_user_has_keys_for_scram_and_an_old_line_none(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_user(file, "bob", "s3cret")
    keys = load_users(file).by_name["bob"].keys
    assert keys is not None
    assert derive("s3cret", keys.salt, keys.iterations) == keys
    hashed = load_users(file).by_name["bob"].hashed
    file.write_text(f"old:{hashed}\nnew:{hashed}:{keys}\n")
    assert load_users(file).by_name == {"old": User(hashed, None), "new": User(hashed, keys)}
    assert load_users(file).secret is None


def test_the_secret_for_the_salts_of_unknown_names_is_made_once(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_user(file, "bob", "one")
    secret = load_users(file).secret
    assert secret
    add_user(file, "eve", "two")
    remove_user(file, "bob")
    assert load_users(file).secret == secret


def test_users_do_not_show_their_keys(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_user(file, "bob", "one")
    users = load_users(file)
    assert users.secret is not None
    for shown in (repr(users), repr(users.by_name)):
        assert "$" not in shown
        assert users.secret.decode() not in shown


def test_two_writers_lose_nobody(tmp_path: Path) -> None:
    file = tmp_path / "users"
    names = [f"user{number}" for number in range(6)]
    threads = [threading.Thread(target=add_user, args=(file, name, "x")) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(list_users(file)) == names


@pytest.mark.parametrize(
    "text",
    [
        "bob\n",
        "bob:plain-secret\n",
        ":$argon2id$x\n",
        "a b:$argon2id$x\n",
        "a:$argon2id$x:plain-secret\n",
        "a:$argon2id$x:\n",
    ],
)
def test_a_bad_users_file_names_the_line_and_not_its_text(tmp_path: Path, text: str) -> None:
    file = tmp_path / "users"
    file.write_text(f"# comment\n\n{text}")
    with pytest.raises(ConfigError, match="line 3") as caught:
        load_users(file)
    assert "plain-secret" not in str(caught.value)


async def test_checking_passwords(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_user(file, "bob", "s3cret")
    hashes = Hashes(Watched(file, load_users), 4)
    assert await hashes.check("BOB", "s3cret") == "bob"
    assert await hashes.check("bob", "wrong") is None
    assert await hashes.check("eve", "s3cret") is None
    hashes.close()


async def test_a_changed_users_file_counts_at_once_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "users"
    hashes = Hashes(Watched(file, load_users), 4)
    assert await hashes.check(*BOB) is None
    add_user(file, "bob", "s3cret")
    assert await hashes.check(*BOB) == "bob"
    file.write_text("nonsense\n")
    assert await hashes.check(*BOB) == "bob"
    file.write_text("# nobody\n")
    assert await hashes.check(*BOB) is None
    hashes.close()


async def test_so_many_hashes_at_once_and_no_more(tmp_path: Path) -> None:
    hashes = Hashes(Watched(tmp_path / "users", load_users), 4)
    answers = await asyncio.gather(*(hashes.check(*BOB) for _ in range(10)))
    assert answers.count(None) == 4
    assert answers.count(replies.AUTH_BUSY) == 6
    assert await hashes.check(*BOB) is None
    hashes.close()


async def test_a_client_that_hangs_up_does_not_free_the_thread_it_keeps_busy(tmp_path: Path) -> None:
    hashes = Hashes(Watched(tmp_path / "users", load_users), 1)
    gate = threading.Event()
    hashes._threads.submit(gate.wait)
    gone = asyncio.create_task(hashes.check(*BOB))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    assert await hashes.check(*BOB) == replies.AUTH_BUSY
    gate.set()
    while await hashes.check(*BOB) == replies.AUTH_BUSY:
        await asyncio.sleep(0.01)
    hashes.close()


async def test_an_unknown_user_costs_as_many_hashes_as_a_known_one(tmp_path: Path) -> None:
    add_user(tmp_path / "users", "bob", "s3cret")
    hashes = Hashes(Watched(tmp_path / "users", load_users), 1)
    for number, name in enumerate(("bob", "nobody", "a name nobody can have", "bob"), start=1):
        assert await hashes.check(name, "wrong") is None
        assert hashes.verified == number
    hashes.close()
