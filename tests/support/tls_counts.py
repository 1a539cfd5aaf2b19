"""What delivery has counted of TLS, under the names of reports (RFC 8460)."""

from collections.abc import Iterator
from contextlib import contextmanager

from shared import metrics

Counts = dict[tuple[str, str], int]
"""By policy and result."""


@contextmanager
def tls_counts() -> Iterator[Counts]:
    """Yield what will hold, at the end, how much was added within."""
    before, added = _counts(), Counts()
    yield added
    now = _counts()
    added.update({key: count - before.get(key, 0) for key, count in now.items() if count != before.get(key)})


def _counts() -> Counts:
    (metric,) = metrics.tls.collect()
    samples = [sample for sample in metric.samples if sample.name.endswith("_total")]
    return {(sample.labels["policy"], sample.labels["result"]): int(sample.value) for sample in samples}
