"""Text on a picture, of letters that are pictures themselves (``python -m tools.lettering`` draws them).

OpenCV's own text costs 10 MB of memory from its first letter on, and looks otherwise in each of its versions.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

FILE: Final = Path(__file__).with_name("lettering.npz")
LETTERS: Final = "".join(map(chr, range(32, 127)))
"""Every printable character of ASCII."""

HEIGHT, WIDTH, LEFT, BASELINE = 32, 32, 4, 22
"""Of each letter's picture, in pixels, and where in it the letter begins."""

Style = Literal["title", "text", "caption", "small"]
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """Letters of one size.

    Attributes:
        masks: ``uint8`` of shape ``(letters, HEIGHT, WIDTH)``: how much of a pixel each covers.
        advances: ``uint8`` of shape ``(letters,)``: by how much the next one begins further right.
    """

    masks: NDArray[np.uint8]
    advances: NDArray[np.uint8]


@cache
def _faces() -> dict[str, Face]:
    with np.load(FILE, allow_pickle=False) as file:
        names = sorted({name.partition(".")[0] for name in file})
        return {name: Face(file[f"{name}.masks"], file[f"{name}.advances"]) for name in names}


def write(
    image: NDArray[np.uint8],
    text: str,
    origin: tuple[int, int],
    style: Style,
    colour: Colour,
    *,
    to_the_left: bool = False,
) -> None:
    """Write one line in a colour that is lighter than what is under it.

    Args:
        image: ``uint8`` of shape ``(rows, columns, 3)``; changed. What does not fit on it is left out.
        text: Characters that are not ASCII become question marks.
        origin: Column and row where the line begins.
        style: Its face.
        colour: In the image's order.
        to_the_left: The line ends at ``origin``.
    """
    face = _faces()[style]
    places = [LETTERS.find(letter) if letter in LETTERS else LETTERS.index("?") for letter in text]
    starts = np.concatenate([[0], np.cumsum(face.advances[places], dtype=np.int64)])
    cover = np.zeros((HEIGHT, int(starts[-1]) + WIDTH), np.uint8)
    for place, start in zip(places, starts[:-1].tolist(), strict=True):
        part = cover[:, start : start + WIDTH]
        np.maximum(part, face.masks[place], out=part)
    left = origin[0] - LEFT - (int(starts[-1]) if to_the_left else 0)
    top = origin[1] - BASELINE
    rows, columns = _within(top, HEIGHT, image.shape[0]), _within(left, cover.shape[1], image.shape[1])
    under = image[rows.start + top : rows.stop + top, columns.start + left : columns.stop + left]
    if not under.size:
        return
    lit = cv2.applyColorMap(np.ascontiguousarray(cover[rows, columns]), _lit(colour))
    np.maximum(under, lit, out=under)


@cache
def _lit(colour: Colour) -> NDArray[np.uint8]:
    """The colour in 256 steps of how much of a pixel is covered."""
    return (np.outer(np.arange(256), colour) // 255).astype(np.uint8).reshape(256, 1, 3)


def _within(start: int, length: int, size: int) -> slice:
    """The part of something of a length that lies inside a size when it begins at ``start``."""
    first = min(max(-start, 0), length)
    return slice(first, max(min(length, size - start), first))
