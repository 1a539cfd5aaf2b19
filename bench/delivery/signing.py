"""CPU time of DKIM signatures: `python -m bench.delivery.signing`. Of one process, medians of five rounds."""

import statistics
import time

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key

from services.delivery.signing.keys import RSA_BITS, SigningKey
from services.delivery.signing.signer import DkimKey, Keys, Signer
from shared.model import Envelope, Item, Message, Origin, Recipient

ROUNDS = 5
SIZES = {4 * 1024: 400, 64 * 1024: 200, 5_000_000: 10}
"""Octets of body, and how many messages a round has."""
HEADER = (
    b"Received: from client.example ([192.0.2.7])\r\n\tby relay.example.org with ESMTPSA id 01ID;\r\n"
    b"\tTue, 24 Nov 2026 20:14:35 +0000\r\nFrom: Alice <alice@example.org>\r\nTo: bob@example.net\r\n"
    b"Subject: Dinner\r\nDate: Tue, 24 Nov 2026 20:14:35 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n"
)
LINE = b"x" * 74 + b" \r\n"


def microseconds(signer: Signer, message: Message, count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        signer.prefix(message, 1.0)
    return (time.process_time() - began) / count * 1e6


def main() -> None:
    envelope = Envelope(sender="alice@example.org", recipients=(Recipient(address="bob@example.net"),))
    item = Item(id="01ID", envelope=envelope, origin=Origin.TRUSTED, accepted_at=1)
    rsa = SigningKey("example.org", "rsa", generate_private_key(65537, RSA_BITS))
    edwards = SigningKey("example.org", "ed25519", Ed25519PrivateKey.generate())
    print(f"{'':24}" + "".join(f"{size:>12} octets" for size in SIZES))
    for name, keys in ((f"RSA-{RSA_BITS}", (rsa,)), ("Ed25519", (edwards,)), ("both", (rsa, edwards))):
        used = Keys({"example.org": tuple(DkimKey(key, 0) for key in keys)})
        signer = Signer(used, "relay.example.org", "postmaster@example.org")
        row = []
        for size, count in SIZES.items():
            message = Message(item, HEADER + LINE * (size // len(LINE)))
            row.append(statistics.median(microseconds(signer, message, count) for _ in range(ROUNDS)))
        print(f"{name:24}" + "".join(f"{value:>16.0f} us" for value in row))


if __name__ == "__main__":
    main()
