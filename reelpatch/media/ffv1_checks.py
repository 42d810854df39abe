"""The checksums of FFV1, which FFmpeg's decoder looks at, but tells nobody of.

Source: RFC 9043, section 4.9 (the footer of a slice).
"""

import zlib

_FOOTER_BYTES = 8  # a size of 3 bytes, a status, and a checksum of 4 over all of the slice
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_STARTS = (0, 0x7A8C4079)  # of the register, in version 3 and in version 4


class SliceChecks:
    """Tells which packets are hurt, once all were shown to it: whether a film has checksums shows in those that are right."""

    def __init__(self) -> None:
        self._has_right = False
        self._wrong: set[int] = set()

    def see(self, packet: bytes, pts: int | None) -> None:
        """One packet, in the order of the file."""
        if _is_right(packet):
            self._has_right = True
        elif pts is not None:
            self._wrong.add(pts)

    @property
    def hurt(self) -> set[int]:
        """When the frames are shown whose checksums are wrong, on the stream's clock; none for a film without checksums."""
        return self._wrong if self._has_right else set()


def _is_right(packet: bytes) -> bool:
    end = len(packet)
    while end > 0:
        size = int.from_bytes(packet[max(0, end - _FOOTER_BYTES) : end][:3], "big") + _FOOTER_BYTES
        if size > end or not _has_right_sum(packet[end - size : end]):
            return False
        end -= size
    return True


def _has_right_sum(data: bytes) -> bool:
    """FFV1 counts bits from the top and Python from the bottom, so that bytes are turned around."""
    turned = data.translate(_TURNED)
    return any(zlib.crc32(turned, _reversed(start) ^ 0xFFFFFFFF) == 0xFFFFFFFF for start in _STARTS)


def _reversed(value: int) -> int:
    return int(f"{value:032b}"[::-1], 2)
