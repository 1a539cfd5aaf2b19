"""Mutants that no test can notice, and why: the file under services/screener, what goes, the reason."""

EQUIVALENT: dict[tuple[str, str], str] = {}
