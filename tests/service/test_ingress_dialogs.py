"""Every transcript in tests/dialogs, replayed against the real ingress. A new rule or a found defect adds a file."""

import contextlib
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from services.ingress import replies
from services.ingress.replies import Refuse
from tests.support.dialog import directive, replay
from tests.support.sites import Sites

FOLDER = Path(__file__).resolve().parents[1] / "dialogs"
TRANSCRIPTS = sorted(FOLDER.glob("*.smtp"))

NO_TRANSCRIPT = {
    "auth.max_concurrent_hashes": "needs several at once: tests/unit/test_auth.py",
    "auth.max_concurrent_callouts": "needs several at once: test_ingress_mechanisms.py",
    "shutdown": "comes of a signal: test_ingress_limits.py",
}
"""Rules that no transcript can show, and where they are tested."""


@pytest.fixture(scope="module")
def sites(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sites]:
    folder = tmp_path_factory.mktemp("dialogs")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(folder / "relay.pem")
    with contextlib.ExitStack() as stack:
        yield Sites(folder, stack)


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_dialog(path: Path, sites: Sites, trust: ssl.SSLContext) -> None:
    replay(path, sites.named(directive(path.read_text(encoding="utf-8").splitlines(), "@site")), trust)


def test_each_rule_has_a_transcript() -> None:
    """One that expects a reply of the rule word for word."""
    heard = {line.removeprefix("S: ") for path in TRANSCRIPTS for line in path.read_text(encoding="utf-8").splitlines()}
    refusals = [value for value in vars(replies).values() if isinstance(value, Refuse)]
    shown = {refused.rule for refused in refusals if str(refused.reply) in heard}
    assert {refused.rule for refused in refusals} - shown == NO_TRANSCRIPT.keys()
