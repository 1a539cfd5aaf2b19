"""deploy/compose/setup.py: a password per broker user, made once, each service seeing its own."""

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path

SETUP = Path(__file__).parents[2] / "deploy/compose/setup.py"
USERS = {"admin", "ingress", "screener", "delivery", "operator"}


def set_up(root: Path, *arguments: str) -> str:
    command = [sys.executable, str(SETUP), "--root", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def files(root: Path) -> dict[str, str]:
    return {str(path.relative_to(root)): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_each_user_gets_a_password_of_its_own(tmp_path: Path) -> None:
    set_up(tmp_path)
    made = files(tmp_path)
    passwords = [made[f"admin/{user}"].strip() for user in USERS]
    assert len(set(passwords)) == len(USERS)
    assert min(map(len, passwords)) >= 32
    assert {made[f"{service}/broker"] for service in ("ingress", "screener", "delivery")} == {
        made[f"admin/{service}"] for service in ("ingress", "screener", "delivery")
    }


def test_the_broker_starts_from_the_hash_of_the_administrators_password(tmp_path: Path) -> None:
    set_up(tmp_path)
    text = (tmp_path / "definitions/definitions.json").read_text()
    user = json.loads(text)["users"][0]
    password = (tmp_path / "admin/admin").read_text().strip()
    hashed = base64.b64decode(user["password_hash"])
    assert hashed[4:] == hashlib.sha256(hashed[:4] + password.encode()).digest()
    assert (user["name"], user["tags"]) == ("admin", "administrator")
    assert password not in text


def test_passwords_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    set_up(tmp_path)
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name != "definitions"]
    assert len(kept) == len(USERS) + 3
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o400}


def test_a_second_run_changes_nothing_and_prints_no_password(tmp_path: Path) -> None:
    first = set_up(tmp_path)
    made = files(tmp_path)
    password = made["admin/admin"].strip()
    assert f"user: admin  password: {password}\n" in first
    assert password not in set_up(tmp_path)
    assert files(tmp_path) == made
    assert f"password: {password}\n" in set_up(tmp_path, "--show")


def test_a_run_that_was_interrupted_is_completed(tmp_path: Path) -> None:
    """Whatever is missing is made again around what is there."""
    set_up(tmp_path)
    password = (tmp_path / "admin/admin").read_text()
    for name in ("definitions/definitions.json", "delivery/broker", "admin/operator"):
        (tmp_path / name).unlink()
    set_up(tmp_path)
    assert (tmp_path / "admin/admin").read_text() == password
    assert (tmp_path / "delivery/broker").read_text() == (tmp_path / "admin/delivery").read_text()
    assert (tmp_path / "admin/operator").read_text().strip()
    hashed = json.loads((tmp_path / "definitions/definitions.json").read_text())["users"][0]["password_hash"]
    raw = base64.b64decode(hashed)
    assert raw[4:] == hashlib.sha256(raw[:4] + password.strip().encode()).digest()
