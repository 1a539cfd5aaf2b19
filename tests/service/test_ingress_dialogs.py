"""Every transcript in tests/dialogs, replayed against the real ingress. A new rule or a found defect adds a file."""

import contextlib
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import trustme

from shared.config.model import Config, Rate
from tests.support.dialog import directive, replay
from tests.support.front import Front, front_config, with_tls

FOLDER = Path(__file__).resolve().parents[1] / "dialogs"
TRANSCRIPTS = sorted(FOLDER.glob("*.smtp"))


def limited() -> Config:
    """Return a configuration that turns one client away and limits the others; each transcript has its own client."""
    rate = Rate(per="client", connections="1/h", messages="2/h", recipients="3/h", bytes="1000B/h")
    config = front_config(rate=(rate,))
    return msgspec.structs.replace(
        config, relay=msgspec.structs.replace(config.relay, denied_clients=("127.0.0.66/32",))
    )


SITES: dict[str, Callable[[], Config]] = {"": front_config, "limited": limited}


@pytest.fixture(scope="module")
def site(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Front]]:
    folder = tmp_path_factory.mktemp("dialogs")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    running: dict[str, Front] = {}
    with contextlib.ExitStack() as stack:

        def named(name: str) -> Front:
            if name not in running:
                front = Front(with_tls(SITES[name](), folder / "relay.pem", folder / "users"))
                running[name] = stack.enter_context(front)
            return running[name]

        yield named


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_dialog(path: Path, site: Callable[[str], Front], authority: trustme.CA) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    replay(path, site(directive(path.read_text(encoding="utf-8").splitlines(), "@site")), trust)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 12
