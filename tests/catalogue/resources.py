"""Row 73: attacks on the screener itself."""

from services.screener.mime.anomaly import Anomaly
from tests.catalogue.case import MIXED, Case

_LIMIT = (Anomaly.LIMIT,)


def _nested(depth: int, field: str) -> str:
    content = "text"
    for level in range(depth):
        content = f"{field.format(level)}\n\n--b{level}\n{content}\n--b{level}--\n"
    return content


CASES = [
    Case(73, "a huge header", "X: " + "y" * 300_000, "x", _LIMIT, None, whole=True),
    Case(73, "very many fields", "X: y\n" * 1200 + MIXED, "x", _LIMIT, None, whole=True),
    Case(73, "very many parts", MIXED, "--b\n\nx\n" * 1100 + "--b--\n", _LIMIT, None),
    Case(73, "a hundred thousand delimiters", MIXED, "--b\n" * 100_000, _LIMIT, None, whole=True),
    Case(73, "a boundary of a megabyte", f'Content-Type: multipart/mixed; boundary="{"b" * 1_000_000}"', "x", _LIMIT, None, whole=True),
    Case(73, "a boundary of 201", f'Content-Type: multipart/mixed; boundary="{"b" * 201}"', "x", (Anomaly.BAD_BOUNDARY,), None),
    Case(73, "a boundary of 200", f'Content-Type: multipart/mixed; boundary="{"b" * 200}"', "x", (), None),
    Case(73, "very many parameters", MIXED + "; a=b" * 100, "--b\n\nx\n--b--\n", _LIMIT, None),
    Case(73, "very many broken parameters", MIXED + "; a b" + "; a=b" * 100, "--b\n\nx\n--b--\n", _LIMIT, None),
    Case(73, "a huge name", f'Content-Disposition: attachment; filename="{"a" * 9000}"', "x", _LIMIT, None),
    Case(73, "very many names", "Content-Disposition: attachment" + "".join(f"; filename={n}.png" for n in range(40)) + "; filename=a.exe", "x", _LIMIT, None),
    Case(73, "a huge value", f"Content-Type: text/plain; x={'y' * 70_000}", "x", _LIMIT, None),
    Case(73, "forty multiparts deep", "X: y\n" + _nested(40, "Content-Type: multipart/mixed; boundary=b{}"), "", _LIMIT, None, whole=True),
    Case(73, "ten thousand multiparts deep", "X: y\n" + _nested(10_000, "Content-Type: multipart/mixed; boundary=b{}"), "", _LIMIT, None, whole=True),
    Case(73, "a thousand headers of a thousand fields", MIXED, ("--b\n" + "X-Field: yyyyyyyyyy\n" * 400 + "\nx\n") * 990, _LIMIT, None, whole=True),
    Case(73, "readings within readings", "X: y", "", (), None),
]  # fmt: skip
