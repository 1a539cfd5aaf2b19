"""The import rules and sizes of the tree, checked on source text; the rules themselves are tested with bad sources."""

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

STAGES = ("ingress", "screener", "delivery")
ADAPTERS = ("shared.broker.sqlite", "shared.broker.rabbitmq", "shared.broker.admin", "shared.dns.resolver")
CHOOSERS = (
    "shared/broker/adapters.py",
    "services/embedded.py",
    "services/cli/",
    *(f"services/{s}/__main__.py" for s in STAGES),
)
"""Who may choose adapters (DESIGN section 3)."""

HOMES: dict[str, tuple[str, ...]] = {
    "aiormq": ("shared/broker/rabbitmq/",),
    "aiosmtpd": ("services/demo/",),
    "aiosmtplib": ("services/delivery/", "services/ingress/policy/"),
    "argon2": ("services/ingress/",),
    "backports": ("services/screener/containers/streams.py",),
    "compression": ("services/screener/containers/streams.py",),
    "cryptography": (
        "services/ingress/auth/",
        "services/ingress/mailauth/",
        "services/delivery/security/",
        "services/delivery/signing/",
    ),
    "dns": ("shared/dns/", "services/demo/"),
    "idna": ("shared/smtp/",),
    "jwt": ("services/ingress/auth/",),
    "msgspec": ("services/", "shared/"),
    "pamqp": ("shared/broker/rabbitmq/",),
    "prometheus_client": ("shared/metrics.py",),
    "publicsuffixlist": ("services/ingress/mailauth/", "services/delivery/shaping/site.py"),
    "pybase64": ("services/screener/",),
    "rich": ("services/cli/", "services/demo/"),
    "sqlite3": ("shared/broker/sqlite/",),
    "structlog": ("shared/log.py",),
    "typer": ("services/cli/",),
    "uvloop": ("shared/runtime.py",),
}
"""Each library's one home; the demonstration plays the outside world and brings its own DNS and destination."""

MODULE_LINES = 400
FUNCTION_LINES = 60
PARAMETERS = 6


class Import(NamedTuple):
    """One module that a source imports, and the line."""

    module: str
    line: int


def sources(root: Path, *packages: str) -> dict[str, str]:
    """Return path (relative, with /) -> text of every Python file of the packages."""
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for package in packages
        for path in sorted((root / package).rglob("*.py"))
    }


def violations(files: Mapping[str, str]) -> list[str]:
    """Return every breach of the rules, each as `path:line: what`."""
    found = []
    for path, text in files.items():
        tree = ast.parse(text, path)
        found += [f"{path}:{line}: {what}" for line, what in (*_imports(path, tree), *_sizes(text, tree))]
    return found


def imports(path: str, tree: ast.AST) -> Iterator[Import]:
    """Yield every import, those inside functions as well; `from a import b` counts as a.b too."""
    package = PurePosixPath(path).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *(node.module or "").split("."))).strip(".")
            yield from (Import(f"{module}.{alias.name}", node.lineno) for alias in node.names)


def _imports(path: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    for module, line in imports(path, tree):
        top = module.partition(".")[0]
        if path.startswith("shared/") and top == "services":
            yield line, f"shared imports {module}"
        stage = _stage_of(path)
        other = module.split(".")[1] if top == "services" and "." in module else None
        if stage is not None and other is not None and other != stage:
            yield line, f"{stage} imports {module}"
        adapter = next((name for name in ADAPTERS if _is_in(module, name)), None)
        if adapter and not path.startswith((*CHOOSERS, adapter.replace(".", "/"))):
            yield line, f"an adapter, {adapter}, is chosen here"
        if top in HOMES:
            if not path.startswith(HOMES[top]):
                yield line, f"{top} is at home in {', '.join(HOMES[top])}"
        elif top not in sys.stdlib_module_names and top not in {"services", "shared"}:
            yield line, f"{top} has no home: name it in HOMES"


def _stage_of(path: str) -> str | None:
    """Return the part of services that must not know the others; the command line and embedded mode know all."""
    parts = PurePosixPath(path).parts
    alone = len(parts) > 2 and parts[0] == "services" and parts[1] != "cli"
    return parts[1] if alone else None


def _is_in(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def _sizes(text: str, tree: ast.AST) -> Iterator[tuple[int, str]]:
    lines = text.count("\n")
    if lines > MODULE_LINES:
        yield 1, f"{lines} lines, at most {MODULE_LINES}"
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {length} lines, at most {FUNCTION_LINES}"
            count = len(list(_parameters(node.args)))
            if count > PARAMETERS:
                yield node.lineno, f"{node.name} has {count} parameters, at most {PARAMETERS}"


def _parameters(args: ast.arguments) -> Iterable[ast.arg]:
    return (arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs) if arg.arg not in {"self", "cls"})
