"""Photographs with the film's outline and a line of words over them, for a person."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.film.tracker import Sighting, State

# BGR. What is about to be taken or was is green, what a person has to do something about orange.
_GREEN, _ORANGE, _GREY = (80, 200, 60), (0, 150, 255), (160, 160, 160)
_COLOURS: dict[State, tuple[int, int, int]] = {
    "nothing": _GREY,
    "moving": _ORANGE,
    "blurred": _ORANGE,
    "glare": _ORANGE,
    "holding": _GREEN,
    "taken": _GREEN,
    "seen": _GREEN,
}
_QUALITY = [cv2.IMWRITE_JPEG_QUALITY, 85]


def with_outline(frame: NDArray[np.uint8], sighting: Sighting | None, by: float = 1.0) -> NDArray[np.uint8]:
    """A frame in colour, with the outline that was found in it.

    Args:
        frame: ``uint8 (height, width)``.
        sighting: What was seen in it; ``None`` for nothing.
        by: By how much it was reduced since.

    Returns:
        ``uint8 (height, width, 3)``, BGR.
    """
    picture = cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR)
    if sighting is not None and sighting.outline is not None:
        thickness = max(round(max(frame.shape) / 400), 2)
        points = np.rint(sighting.outline * by).astype(np.int32).reshape(1, 4, 2)
        cv2.polylines(picture, [points], True, _COLOURS[sighting.state], thickness, cv2.LINE_AA)
    return np.asarray(picture, np.uint8)


def with_words(picture: NDArray[np.uint8], *lines: str) -> NDArray[np.uint8]:
    """A picture with lines of text on black below it, as large as its width allows."""
    width = picture.shape[1]
    row = max(width // 32, 14)
    band = np.zeros((row * len(lines) + row // 2, width, 3), np.uint8)
    for number, line in enumerate(lines):
        text = line.encode("ascii", "replace").decode()  # what OpenCV's font has
        scale = row / 36
        (long, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
        scale *= min((width - row) / max(long, 1), 1.0)
        place = (row // 2, round(row * (number + 0.95)))
        cv2.putText(band, text, place, cv2.FONT_HERSHEY_SIMPLEX, scale, (255, 255, 255), 1, cv2.LINE_AA)
    return np.vstack([picture, band])


def jpeg(picture: NDArray[np.uint8]) -> bytes:
    """The picture as a JPEG file."""
    done, data = cv2.imencode(".jpg", picture, _QUALITY)
    assert done
    return data.tobytes()
