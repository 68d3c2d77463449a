"""How good the picture of a film is: its sharpness, and how much of it a lamp's reflection hides."""

import math
from typing import Final, Literal

import msgspec

Grade = Literal["good", "fair", "poor"]

# Sharpness and glare of each grade. What is poor is not taken of itself: a model's answer to it would mean little.
_GOOD: Final = (0.5, 0.005)
_FAIR: Final = (0.1, 0.08)

_ROWS: Final = 224  # of a model's input


class Quality(msgspec.Struct, frozen=True):
    """Of a film that was taken.

    Attributes:
        sharpness: Share of contrast that blur leaves of the finest stripes in which a model can see, 0 to 1.
        glare: Share of the film's area that a reflection hides, 0 to 1.
        inverted: The film showed black for white and was turned into a positive.
        grade: In one word.
    """

    sharpness: float
    glare: float
    inverted: bool
    grade: Grade


def judge(sharpness: float, glare: float, inverted: bool) -> Quality:
    """The quality, rounded, with its grade."""
    grade: Grade = "poor"
    if sharpness >= _GOOD[0] and glare <= _GOOD[1]:
        grade = "good"
    elif sharpness >= _FAIR[0] and glare <= _FAIR[1]:
        grade = "fair"
    return Quality(round(sharpness, 3), round(glare, 4), inverted, grade)


def is_blurred(sharpness: float) -> bool:
    """Whether it is the blur that makes a picture poor."""
    return sharpness < _FAIR[0]


def sharpness(blur: float, rows: float) -> float:
    """The contrast left of stripes four of a model's pixels wide, by the transfer function of a Gaussian blur.

    Args:
        blur: Standard deviation in the film's pixels; ``nan`` where no edge is clear, which is not sharp.
        rows: Height of the film in these pixels.
    """
    if not math.isfinite(blur):
        return 0.0
    return math.exp(-2.0 * (math.pi * blur * _ROWS / rows / 4.0) ** 2)
