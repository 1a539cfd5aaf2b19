"""Cabinet files: names of members; their content is not unpacked (MS-CAB section 2)."""

from collections.abc import Iterator

from services.screener.containers.member import ContainerError, Found, Member, Sign
from services.screener.mime.words import decode_octets

SIGNATURE = b"MSCF\0\0\0\0"
_LONGEST = 512


def read_cab(octets: bytes) -> Iterator[Found]:
    """Yield every file that the cabinet lists, and say if it is one of several."""
    if len(octets) < 36:
        raise ContainerError(Sign.MALFORMED)
    at = int.from_bytes(octets[16:20], "little")
    count = int.from_bytes(octets[28:30], "little")
    if int.from_bytes(octets[30:32], "little") & 3:
        yield Sign.VOLUME
    for _ in range(count):
        end = octets.find(b"\0", at + 16, at + 16 + _LONGEST)
        if end < 0:
            raise ContainerError(Sign.MALFORMED)
        name = octets[at + 16 : end].replace(b"\\", b"/")
        yield Member((decode_octets(name),), int.from_bytes(octets[at : at + 4], "little"))
        at = end + 1
