"""Prepare the secrets of a compose project: a password per broker user, each made once, none ever shipped.

Under the root (a folder per volume):
    admin/       admin, ingress, screener, delivery, operator: one password a file (`sluice broker apply`, the operator)
    ingress/     broker: that service's own password, and so on for screener and delivery
    definitions/ definitions.json: RabbitMQ's administrator, by the hash of its password

Running it again changes nothing. The user interface's log-in is printed when it is made, and with --show.
"""

import argparse
import base64
import hashlib
import json
import os
import secrets
import sys
from pathlib import Path

ADMIN = "admin"
SERVICES = ("ingress", "screener", "delivery")
USERS = (ADMIN, *SERVICES, "operator")
OWNER = 10001
"""The user of the images (Dockerfile)."""


def password_hash(password: str, salt: bytes) -> str:
    """Return RabbitMQ's rabbit_password_hashing_sha256 of a password with a salt of four octets."""
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def definitions(hashed: str) -> str:
    """Return the definitions a blank RabbitMQ node starts from: one administrator and one virtual host."""
    user = {
        "name": ADMIN,
        "password_hash": hashed,
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": "administrator",
    }
    permission = {"user": ADMIN, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}
    return json.dumps({"users": [user], "vhosts": [{"name": "/"}], "permissions": [permission]}, indent=2) + "\n"


def write(path: Path, text: str, mode: int) -> None:
    """Write a file whole or not at all, readable by the images' user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        file.write(text)
    if os.geteuid() == 0:
        os.chown(new, OWNER, OWNER)
    new.chmod(mode)
    new.replace(path)


def prepare(root: Path) -> bool:
    """Make what is missing under `root`; return whether the administrator is new."""
    new = not (root / "admin" / ADMIN).exists()
    for user in USERS:
        path = root / "admin" / user
        if not path.exists():
            write(path, secrets.token_urlsafe(24) + "\n", 0o400)
    for service in SERVICES:
        write(root / service / "broker", (root / "admin" / service).read_text(), 0o400)
    known = root / "definitions" / "definitions.json"
    if new or not known.exists():
        # only a hash of a random password of 192 bits: any user of the broker's container may read it
        hashed = password_hash((root / "admin" / ADMIN).read_text().strip(), secrets.token_bytes(4))
        write(known, definitions(hashed), 0o444)
    return new


def main() -> int:
    """Prepare, and print the log-in where it is new or asked for."""
    parser = argparse.ArgumentParser(description="Prepare the secrets of a compose project.")
    parser.add_argument("--root", type=Path, default=Path("/secrets"))
    parser.add_argument("--show", action="store_true", help="print the RabbitMQ user interface's log-in")
    arguments = parser.parse_args()
    try:
        new = prepare(arguments.root)
    except OSError as error:
        sys.stderr.write(f"set-up: {error.filename}: {error.strerror}; the volume must be writable\n")
        return 1
    if new or arguments.show:
        password = (arguments.root / "admin" / ADMIN).read_text().strip()
        port = os.environ.get("RABBITMQ_UI_PORT", "15672")
        sys.stdout.write(f"RabbitMQ user interface: http://127.0.0.1:{port}  user: {ADMIN}  password: {password}\n")
    else:
        sys.stdout.write("secrets: already there; the log-in: docker compose run --rm setup --show\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
