"""The worker of tests/service/test_container_pool.py: does what the attachment says."""

import ctypes
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from services.screener.containers import worker
from services.screener.containers.budget import Limits
from services.screener.containers.contents import Contents, Inside


def look(octets: bytes, names: Sequence[str], limits: Limits) -> Contents:
    match octets:
        case b"crash":
            ctypes.string_at(0)
        case b"mark and crash":
            Path(names[0], str(os.getpid())).touch()
            ctypes.string_at(0)
        case b"leave":
            os._exit(0)
        case b"hang":
            time.sleep(600)
        case b"spin":
            while True:
                pass
        case b"hog":
            return Contents((Inside(str(len(bytearray(1 << 33))), (), 0, "", ()),), frozenset())
        case b"talk":
            return Contents((Inside("x" * 5_000_000, (), 0, "", ()),), frozenset())
        case b"write":
            os.write(os.memfd_create("x"), b"x" * 10)
    return Contents((Inside(str(os.getpid()), tuple(names), len(octets), "", ()),), frozenset())


if __name__ == "__main__":
    worker.main(int(sys.argv[1]), look)
