"""How far a JPEG may be reduced while it is decoded.

libjpeg can leave out the high frequencies of each block and so decode a picture at a half, a quarter or an eighth of
its size: a smaller picture in memory, and less to compute. What is left out is averaged away, where ``prepare`` samples
without anti-aliasing as the published copies of the training data were made, so that a reduced picture is a little
smoother to the model than it should be. How little is measured in docs/speed.md; the limits follow from it.
"""

from typing import Final, NamedTuple

FACTORS: Final = (8, 4, 2)


class Sides(NamedTuple):
    """The least pixels that the short and the long side of a reduced picture must keep."""

    short: int
    long: int


def factor(size: tuple[int, int], least: Sides) -> int:
    """By how much a JPEG may be reduced: 8, 4, 2, or 1 where it may not.

    Args:
        size: Its height and width.
        least: What must be left.
    """
    short, long = sorted(size)
    return next((by for by in FACTORS if short // by >= least.short and long // by >= least.long), 1)
