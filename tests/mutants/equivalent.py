"""Mutants that no test can notice, and why: the file under services/screener, what goes, the reason."""

EQUIVALENT: dict[tuple[str, str], str] = {
    (
        "antivirus/ruling.py",
        "condition [seen.part for seen in screening.seen]",
    ): "a short cut: the same parts, that need not be looked for again",
    ("containers/streams.py", "if sys.version_info >= (3, 14)"): "one library under two names, as Python has it or not",
    ("containers/sevenzip.py", "if len(header) >= folder.size"): "spares time and memory: what is beyond is cut off",
    ("containers/documents/formulas.py", "condition b'|' in octets"): "a short cut: the pattern begins with it",
    ("containers/documents/pdf.py", "if decoder.eof"): "spares time: nothing comes after the end",
    ("containers/documents/pgp.py", "condition ARMOUR in octets"): "a short cut: the pattern has these words in it",
    (
        "mime/describe.py",
        "if all((param.name == 'boundary' and (not has_words(param.value)) and (param.value == param.raw) for p…",
    ): "a short cut: what follows gives the same for plain boundaries",
    (
        "mime/embedded.py",
        "if all((source.find(word, start, end) < 0 for word in _WORDS))",
    ): "a short cut: the pattern finds nothing without one of the words",
    (
        "identity/magic.py",
        "condition octets.find(_PERCENT, start, start + 1024) >= 0",
    ): "a short cut: the mark of a PDF is found without it",
    (
        "identity/magic.py",
        "for ... if row[0]",
    ): "a short cut: the rows that begin at the first octet are looked for before",
    (
        "identity/magic.py",
        "condition size > 32769",
    ): "a short cut: a text that is shorter has nothing there",
    (
        "identity/names.py",
        "condition '+' in name",
    ): "a short cut: UTF-7 without a plus is ASCII",
    ("mime/addresses.py", "condition b'data:' in flat"): "a short cut: the pattern has these words in it",
    ("mime/addresses.py", "condition b'&' in flat"): "a short cut: the pattern has this character in it",
    ("mime/decode.py", "if encoding == 'base64'"): "a short cut, without a second copy of a large attachment",
    ("mime/decode.py", "if octets is not None"): "a short cut, without a second copy of a large attachment",
    ("mime/decode.py", "if encoding in IDENTITY"): "a short cut: what is more is cut off",
    ("mime/decode.py", "condition text"): "a short cut: the slower way gives the same",
    ("mime/decode.py", "condition decoded.tell() % 3"): "a short cut: the slower way gives the same",
    ("mime/filenames.py", "condition semicolon"): "a short cut: without one it is the reading before again",
    ("mime/filenames.py", "condition encoded"): "a short cut: what has no charset reads the same by itself",
    ("mime/header.py", "condition b'\\n' in value"): "a short cut: the patterns have it in them",
    ("mime/header.py", "condition raw.find(b'\\r', start, stop) >= 0"): "a short cut: the pattern begins with it",
    ("mime/octets.py", "if not _has_doubtful_structure(raw)"): "a short cut: the patterns find nothing without it",
    ("mime/octets.py", "condition raw.count(b'\\r') != pairs"): "a short cut: the pattern looks for a bare one",
    ("mime/octets.py", "condition raw.count(b'\\n') != pairs"): "a short cut: the pattern looks for a bare one",
    ("mime/tree.py", "if region.start >= region.end"): "a short cut: nothing is found in nothing",
    ("mime/tree.py", "if inside.parent is None"): "for the types: whatever is split is the parent of what is in it",
    ("mime/words.py", "if text.isascii()"): "a short cut: it stays as it is",
    ("mime/part.py", "if len(found) > 1"): "spares the time to hash a large attachment",
}
