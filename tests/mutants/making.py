"""Mutants of a module: each is its source with one condition, one row of a table or one effect taken out."""

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

_CALLS = frozenset({"add", "append", "update"})
_STARTS = frozenset({"startswith", "endswith"})


class Mutant(NamedTuple):
    """One change."""

    path: str
    """Relative to services/screener."""
    line: int
    what: str
    """The kind of change, and the code that goes."""
    source: str
    """The module as changed."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


class _Change(NamedTuple):
    """What is done to one node: `field` of `owner` (an element of it, if there is a `place`) becomes `instead`."""

    what: str
    line: int
    owner: ast.AST
    field: str
    place: int | None
    instead: object
    """None: the element goes."""


def mutants_of(path: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, no two alike."""
    tree = ast.parse(source)
    seen = {ast.unparse(tree)}
    for change in _changes(tree):
        text = _applied(tree, change)
        if text not in seen:
            seen.add(text)
            yield Mutant(path, change.line, change.what, text)


def _applied(tree: ast.Module, change: _Change) -> str:
    """Return the source with a change made; the tree is as it was afterwards."""
    old = getattr(change.owner, change.field)
    if change.place is None:
        new = change.instead
    else:
        new = copy.copy(old)
        new[change.place : change.place + 1] = [] if change.instead is None else [change.instead]
    keys = getattr(change.owner, "keys", None) if isinstance(change.owner, ast.Dict) else None
    setattr(change.owner, change.field, new)
    if keys is not None and change.place is not None:
        change.owner.keys = [*keys[: change.place], *keys[change.place + 1 :]]  # type: ignore[attr-defined]
    try:
        return ast.unparse(ast.fix_missing_locations(tree))
    finally:
        setattr(change.owner, change.field, old)
        if keys is not None:
            change.owner.keys = keys  # type: ignore[attr-defined]


def _changes(tree: ast.Module) -> Iterator[_Change]:
    for statement in tree.body:
        # `Callable[[bytes], bool]` is a name for a type, which nothing asks for while it runs
        if isinstance(statement, ast.Assign | ast.AnnAssign) and not isinstance(statement.value, ast.Subscript | None):
            yield from _rows(statement.value)
    for node in ast.walk(tree):
        yield from _conditions(node)
        yield from _choices(node)
        yield from _effects(node)


def _rows(table: ast.expr) -> Iterator[_Change]:
    """Yield the rows of a table of the module, those of tables inside it too, and the words of a list in a string."""
    for node in ast.walk(table):
        if isinstance(node, ast.Set | ast.List) or (isinstance(node, ast.Tuple) and _is_table(node)):
            for index, row in enumerate(node.elts):
                yield _Change(f"row {_short(row)}", row.lineno, node, "elts", index, None)
        elif isinstance(node, ast.Dict):
            for index, row in enumerate(node.values):
                yield _Change(f"row {_short(node.keys[index])}", row.lineno, node, "values", index, None)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "\n" in node.value:
            words = node.value.split()
            for index, word in enumerate(words):
                rest = " ".join(words[:index] + words[index + 1 :])
                yield _Change(f"row {word}", node.lineno, node, "value", None, rest)


def _is_table(node: ast.Tuple) -> bool:
    """Return whether a tuple lists things of one kind, and is not itself a row."""
    kinds = {type(element) for element in node.elts}
    rows = len(kinds) == 1 and len(node.elts) > 1
    if rows and kinds == {ast.Constant}:
        return len({type(element.value) for element in node.elts if isinstance(element, ast.Constant)}) == 1
    return rows


def _conditions(node: ast.AST) -> Iterator[_Change]:
    if isinstance(node, ast.BoolOp):
        for index, operand in enumerate(node.values):
            yield _Change(f"condition {_short(operand)}", operand.lineno, node, "values", index, None)
    if isinstance(node, ast.If | ast.IfExp):
        yield _Change(f"if {_short(node.test)}", node.lineno, node, "test", None, ast.Constant(value=False))
    if isinstance(node, ast.comprehension):
        for index, test in enumerate(node.ifs):
            yield _Change(f"for ... if {_short(test)}", test.lineno, node, "ifs", index, None)


def _choices(node: ast.AST) -> Iterator[_Change]:
    """Yield the rows of small tables within a statement: sets, and what a text is compared to the start or end of."""
    tables: list[ast.Set | ast.Tuple] = []
    if isinstance(node, ast.Set) and len(node.elts) > 1:
        tables.append(node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _STARTS:
        tables += [argument for argument in node.args if isinstance(argument, ast.Tuple)]
    for table in tables:
        for index, row in enumerate(table.elts):
            yield _Change(f"row {_short(row)}", row.lineno, table, "elts", index, None)


def _effects(node: ast.AST) -> Iterator[_Change]:
    """Yield the statements that note something, in bodies that hold more than one: others go with their condition."""
    for field in ("body", "orelse"):
        body = getattr(node, field, None)
        if not isinstance(body, list) or (len(body) == 1 and isinstance(node, ast.If)):
            continue
        for index, statement in enumerate(body):
            if _is_effect(statement):
                yield _Change(f"statement {_short(statement)}", statement.lineno, node, field, index, ast.Pass())


def _is_effect(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise | ast.AugAssign):
        return True
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Call):
        return isinstance(value.func, ast.Attribute) and value.func.attr in _CALLS
    return isinstance(value, ast.Yield | ast.YieldFrom)


def _short(node: ast.AST | None) -> str:
    text = "" if node is None else " ".join(ast.unparse(node).split())
    return text if len(text) <= 100 else f"{text[:99]}…"
