"""Draw the letters of the heat map's legend once, for ``edge_runtime/model/lettering.npz``.

    python -m tools.lettering [FILE]

OpenCV 5 keeps 10 MB for its font from the first letter on, and OpenCV 4 has another one. So the program carries the
letters that it needs as pictures: every printable character of ASCII in each face, as OpenCV 5 draws it.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge_runtime.model import lettering

_FONTS: Final = {
    "title": (cv2.FONT_HERSHEY_DUPLEX, 0.8),
    "text": (cv2.FONT_HERSHEY_SIMPLEX, 0.48),
    "caption": (cv2.FONT_HERSHEY_SIMPLEX, 0.45),
    "small": (cv2.FONT_HERSHEY_SIMPLEX, 0.42),
}


def draw(face: str) -> dict[str, object]:
    """The two arrays of a face, see ``lettering.Face``."""
    font, size = _FONTS[face]

    def width(text: str) -> int:
        return int(cv2.getTextSize(text, font, size, 1)[0][0])

    masks, advances = [], []
    for letter in lettering.LETTERS:
        advances.append(width(f"n{letter}n") - width("nn"))
        mask = np.zeros((lettering.HEIGHT, lettering.WIDTH), np.uint8)
        cv2.putText(mask, letter, (lettering.LEFT, lettering.BASELINE), font, size, 255, 1, cv2.LINE_AA)
        masks.append(mask)
    return {f"{face}.masks": np.stack(masks), f"{face}.advances": np.array(advances, np.uint8)}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tools.lettering", description="Draw the legend's letters.")
    parser.add_argument("file", type=Path, nargs="?", default=lettering.FILE, metavar="FILE")
    file = parser.parse_args(arguments).file
    arrays = {name: array for face in _FONTS for name, array in draw(face).items()}
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    print(f"{file}: {file.stat().st_size} bytes")


if __name__ == "__main__":
    main()
