"""How far a JPEG may be reduced while it is decoded.

libjpeg can leave out the high frequencies of each block and so decode a picture at a half, a quarter or an eighth of
its size: a smaller picture in memory, and less to compute. What is left out is averaged away, where ``prepare`` samples
without anti-aliasing as the published copies of the training data were made, so that a reduced picture is a little
smoother to the model than it should be. How little is measured in docs/speed.md; the limits follow from it.
"""

from typing import Final, NamedTuple

FACTORS: Final = (8, 4, 2)

_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # start of frame; the three are tables and a reserved code
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length behind them
_SCAN, _END = 0xDA, 0xD9


class Sides(NamedTuple):
    """The least pixels that the short and the long side of a reduced picture must keep."""

    short: int
    long: int


def factor(data: bytes, least: Sides) -> int:
    """By how much a JPEG may be reduced: 8, 4, 2, or 1 where it may not, or where its size cannot be told.

    Args:
        data: The whole file.
        least: What must be left.
    """
    size = jpeg_size(data)
    if size is None:
        return 1
    short, long = sorted(size)
    return next((by for by in FACTORS if short // by >= least.short and long // by >= least.long), 1)


def jpeg_size(data: bytes) -> tuple[int, int] | None:
    """Height and width as the file's header has them, before any orientation; ``None`` if it has none."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _SIZES:
            return int.from_bytes(data[at + 5 : at + 7]), int.from_bytes(data[at + 7 : at + 9])
        elif marker in (_SCAN, _END):
            return None
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4])
    return None
