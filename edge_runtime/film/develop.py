"""From a still frame with a film in it to the radiograph on that film."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.film import chest, edges, light, outline
from edge_runtime.film.quality import Quality, judge, sharpness
from edge_runtime.film.straighten import straighten

_INSET: Final = 0.006  # of the film's shorter side, cut off along its edge: half a blur, and what a lens bends
_ROWS: Final = 448  # twice a model's: of more, a camera's noise and a screen's stripes would be all
_CLEAR = 0.1  # by which another way up must be more like a chest to be believed

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Film:
    """A film that was taken.

    Attributes:
        pixels: Grey, upright, straightened, cropped, a positive; ``uint8`` of shape ``(height, width)``, of which the
            shorter side has at most 448 pixels. Whether it is mirrored cannot be known.
        quality: How good the picture is.
        outline: Where it lay in the frame, ``float32 (4, 2)``: x, y in pixels, clockwise from the top left corner.
    """

    pixels: NDArray[np.uint8]
    quality: Quality
    outline: Float


def develop(frame: Float, corners: Float) -> Film:
    """Cut the film out of a frame.

    Args:
        frame: Grey levels 0 to 255, ``float32 (height, width)``: the mean of several frames has less noise.
        corners: The outline in it, ``float32 (4, 2)``, right to a few pixels.
    """
    levels = np.clip(np.rint(frame), 0, 255).astype(np.uint8)
    found = edges.refine(levels, corners)
    flat = np.asarray(straighten(frame, found.corners, _INSET), np.float32)
    sharp = sharpness(found.blur, flat.shape[0])
    film = light.linear(_reduced(flat))
    small, factor = outline.reduce(levels)
    bare = light.field(small, np.asarray((found.corners + 0.5) / factor - 0.5, np.float32))
    share = light.divide(film, bare)
    hidden = light.reflections(film, None if bare is None else share)
    pixels = light.tone(light.fill(share, hidden), known=~hidden)
    lies = chest.view(pixels)
    if lies.inverted:
        # The curve that brings a radiograph's median to its place is another one for its negative.
        pixels = 255 - light.tone(light.fill(share, hidden), known=~hidden, negative=True)
    if lies.quarters and lies.clear >= _CLEAR:
        pixels = np.rot90(pixels, lies.quarters)
    quality = judge(sharp, float(hidden.mean()), lies.inverted)
    return Film(np.ascontiguousarray(pixels), quality, found.corners)


def _reduced(flat: Float) -> Float:
    """By averages, so that each of the model's pixels is made of all that the camera saw of it."""
    shorter = min(flat.shape)
    if shorter <= _ROWS:
        return flat
    size = (round(flat.shape[1] * _ROWS / shorter), round(flat.shape[0] * _ROWS / shorter))
    return np.asarray(cv2.resize(flat, size, interpolation=cv2.INTER_AREA), np.float32)
