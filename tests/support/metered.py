"""What a counter of ours has counted, by its labels."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import Counter


def counts(counter: Counter) -> dict[tuple[str, ...], int]:
    """Return the count of each combination of labels."""
    (metric,) = counter.collect()
    samples = [sample for sample in metric.samples if sample.name.endswith("_total")]
    return {tuple(sample.labels.values()): int(sample.value) for sample in samples}


@contextmanager
def counting(counter: Counter) -> Iterator[Callable[[], dict[tuple[str, ...], int]]]:
    """Give what has been counted since; other tests of the process may have counted before."""
    before = counts(counter)
    yield lambda: {key: new for key, count in counts(counter).items() if (new := count - before.get(key, 0))}
