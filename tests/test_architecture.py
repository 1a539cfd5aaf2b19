"""The rules of DESIGN section 3 hold for the tree, and the check notices each breach."""

import pytest

from tests.support.architecture import FUNCTION_LINES, MODULE_LINES, sources, violations
from tests.support.processes import ROOT


def test_the_tree_keeps_the_rules() -> None:
    """shared imports no service, services import no other, adapters are chosen in few places, sizes stay small."""
    files = sources(ROOT, "services", "shared")
    assert len(files) > 20
    assert violations(files) == []


GOOD = [
    ("shared/broker/adapters.py", "from shared.broker import sqlite"),
    ("shared/broker/sqlite/broker.py", "import sqlite3\nfrom shared.broker.sqlite import store"),
    ("services/ingress/__main__.py", "from shared.dns.resolver import DnsResolver"),
    ("services/ingress/app.py", "from services.ingress import server\nimport asyncio"),
    ("services/embedded.py", "from services.ingress import app\nfrom services.delivery import app as other"),
    ("services/cli/stages.py", "def f():\n    from services.ingress.__main__ import main"),
    ("services/demo/dns.py", "import dns.message"),
    ("shared/a.py", "def f(self, a, b, c, d, e, f): ..."),
]

BAD = [
    ("shared/a.py", "import services.ingress.app", "shared imports services.ingress.app"),
    ("shared/a.py", "from services import ingress", "shared imports services.ingress"),
    ("shared/a.py", "def f():\n    from services.cli import main", "shared imports services.cli.main"),
    ("services/ingress/app.py", "from services.delivery import mx", "ingress imports services.delivery.mx"),
    ("services/ingress/app.py", "from services import delivery", "ingress imports services.delivery"),
    ("services/ingress/app.py", "from ..delivery import mx", "ingress imports services.delivery.mx"),
    ("services/screener/a/b.py", "import services.cli", "screener imports services.cli"),
    ("services/demo/run.py", "import services.ingress.app", "demo imports services.ingress.app"),
    ("services/ingress/app.py", "from shared.broker import rabbitmq", "an adapter, shared.broker.rabbitmq, is chosen"),
    ("services/ingress/app.py", "from shared.broker.sqlite import x", "an adapter, shared.broker.sqlite, is chosen"),
    ("shared/runtime.py", "import shared.dns.resolver", "an adapter, shared.dns.resolver, is chosen"),
    ("shared/broker/worker.py", "import aiormq", "aiormq is at home in shared/broker/rabbitmq/"),
    ("services/delivery/a.py", "import dns.resolver", "dns is at home in shared/dns/"),
    ("shared/a.py", "import requests", "requests has no home"),
    ("shared/a.py", "\n" * (MODULE_LINES + 1), f"{MODULE_LINES + 1} lines, at most {MODULE_LINES}"),
    ("shared/a.py", "def f():\n" + "    pass\n" * FUNCTION_LINES, f"f has {FUNCTION_LINES + 1} lines"),
    ("shared/a.py", "class C:\n    async def f(self, a, b, c, d, *, e, f, g): ...", "f has 7 parameters"),
]


@pytest.mark.parametrize(("path", "text"), GOOD, ids=[path for path, _ in GOOD])
def test_what_is_allowed(path: str, text: str) -> None:
    assert violations({path: text}) == []


@pytest.mark.parametrize(("path", "text", "what"), BAD, ids=[what for *_, what in BAD])
def test_each_breach_is_found(path: str, text: str, what: str) -> None:
    (found,) = violations({path: text})
    assert what in found
