"""Every transcript in tests/dialogs, replayed against the real ingress. A new rule or a found defect adds a file."""

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from tests.support.dialog import replay
from tests.support.front import Front, front_config, with_tls

FOLDER = Path(__file__).resolve().parents[1] / "dialogs"
TRANSCRIPTS = sorted(FOLDER.glob("*.smtp"))


@pytest.fixture(scope="module")
def front(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("dialogs")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    with Front(with_tls(front_config(), folder / "relay.pem", folder / "users")) as running:
        yield running


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_dialog(path: Path, front: Front, authority: trustme.CA) -> None:
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    replay(path, front, trust)


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) >= 12
