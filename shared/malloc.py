"""What a process asks of the C library's allocator, so that its memory is bounded by what it holds."""

import contextlib
import ctypes

MMAP_THRESHOLD = -3
"""mallopt's M_MMAP_THRESHOLD."""
LARGE = 1024 * 1024


def give_back_large_blocks() -> None:
    """Have each block of a MiB or more be mapped, and given back to the system as soon as it is freed.

    By itself glibc raises that limit to the size of the largest block freed so far, up to 32 MiB: after the first large
    message, later ones leave holes in the heap (measured: 250 MiB of content, 40 MiB of holes). Elsewhere, do nothing.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(MMAP_THRESHOLD, LARGE)
