"""Mutants that no test can notice, and why: the file under services/screener, what goes, the reason."""

EQUIVALENT: dict[tuple[str, str], str] = {
    (
        "antivirus/ruling.py",
        "condition [seen.part for seen in screening.seen]",
    ): "a short cut: the same parts, that need not be looked for again",
    (
        "mime/describe.py",
        "if all((param.name == 'boundary' and (not has_words(param.value)) and (param.value == param.raw) for p…",
    ): "a short cut: what follows gives the same for plain boundaries",
    (
        "mime/embedded.py",
        "if all((source.find(word, start, end) < 0 for word in _WORDS))",
    ): "a short cut: the pattern finds nothing without one of the words",
}
