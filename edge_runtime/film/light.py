"""From what the camera saw to the film's own grey levels: even light, no reflections, and the tone of a radiograph.

Only a light box or a screen that is seen around the film tells how uneven its light is: a smooth surface through what
is bare of it is what the film is divided by, and the radiograph's own slow changes stay. Where none is seen, nothing is
divided: what a film that fills its box loses to the edges cannot be told from the chest.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_AROUND: Final = 1.3  # times the film: where bare light is looked for
_BESIDE: Final = 1.05  # times the film: where it begins
_SIDE: Final = 96  # of the square that film and surround are looked at in
_SATURATED = 0.93  # of the brightest that the camera tells
_DARK = 0.02  # light too weak to be a box
_LEAST = 0.2  # of the surround that must be bare light
_EVEN = 0.12  # in logarithms, off the surface: what is still bare light
_BARE = 0.85  # of the bare light: brighter than clear film
_SMALL = 0.08  # of the film: more than this is no reflection
_STROKE = 0.015  # of the film's height: markers are drawn with thinner strokes
_MARGIN = 0.01  # of the film's height around a reflection,
_SKIRT = 0.6  # and of half its own width
_MOST_PATCHES = 16
_FILL_ROWS = 112  # what is filled in is smooth
_ENDS = (0.5, 99.5)  # percentiles that become black and white
_MIDDLE = 0.60  # the median of a radiograph, between black 0 and white 1
_GAMMA = (0.35, 1.6)

Float = NDArray[np.float32]
Mask = NDArray[np.bool_]


def linear(levels: NDArray[np.generic]) -> Float:
    """Grey levels 0 to 255 as a camera gives them (sRGB) to light, 0 to 1."""
    share = np.asarray(levels, np.float32) / np.float32(255)
    return np.asarray(np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4), np.float32)


def field(frame: NDArray[np.uint8], corners: Float) -> Float | None:
    """The bare light behind the film, by what is seen of it around.

    Args:
        frame: ``uint8 (height, width)``; a reduced one will do.
        corners: The film's in it, ``float32 (4, 2)``.

    Returns:
        Light from 0 to 1, ``float32 (74, 74)``, over the film from corner to corner, or ``None`` where too little is
        seen, or it outshines the camera.
    """
    edge = _SIDE * (1 - 1 / _AROUND) / 2
    low, high = edge - 0.5, _SIDE - edge - 0.5
    target = np.array([[low, low], [high, low], [high, high], [low, high]], np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(corners, np.float32), target)
    seen = cv2.warpPerspective(frame, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderValue=0)
    light = linear(np.asarray(seen))
    at = ((np.arange(_SIDE) + 0.5) / _SIDE * 2 - 1) * _AROUND  # -1 to 1 over the film
    x, y = (axis.ravel() for axis in np.meshgrid(at, at))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    values = light.ravel()
    around = (np.maximum(np.abs(x), np.abs(y)) > _BESIDE) & (values > 0)
    if np.count_nonzero(around & (values >= _SATURATED)) > 0.3 * np.count_nonzero(around):
        return None
    logarithm = np.log(np.maximum(values, 1e-4))
    brightest = float(np.percentile(values[around], 90)) if around.any() else 0.0
    bare = around & (values > max(_DARK, 0.3 * brightest)) & (values < _SATURATED)
    fit = np.zeros(6)
    for even in (1.0, 0.5, 0.25, _EVEN, _EVEN):
        if np.count_nonzero(bare) < _LEAST * np.count_nonzero(around):
            return None
        own = terms[bare]
        hold = np.diag([0.0, 1.0, 1.0, 4.0, 4.0, 4.0]) * (len(own) / 1000)
        fit = np.linalg.solve(own.T @ own + hold, own.T @ logarithm[bare])
        bare = around & (values > _DARK) & (values < _SATURATED) & (np.abs(logarithm - terms @ fit) < even)
    # From one side alone the surface would be a guess.
    sides = (x < -_BESIDE, x > _BESIDE, y < -_BESIDE, y > _BESIDE)
    if sum(np.count_nonzero(bare & side) > 0.3 * np.count_nonzero(side) for side in sides) < 2:
        return None
    inner = slice(round(edge), _SIDE - round(edge))
    return np.asarray(np.exp(terms @ fit).reshape(_SIDE, _SIDE)[inner, inner], np.float32)


def divide(film: Float, bare: Float | None) -> Float:
    """The share of light that the film lets through: 1 where the box is bare; the film itself without a field."""
    if bare is None:
        return film
    spread = cv2.resize(bare, (film.shape[1], film.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(film / np.maximum(spread, np.float32(_DARK / 4)), np.float32)


def reflections(film: Float, share: Float | None) -> Mask:
    """Where something shines on the film.

    Args:
        film: Light, 0 to 1, ``float32 (height, width)``.
        share: Of the bare light, from ``divide``, where that is known.

    Returns:
        ``bool`` of the film's shape: compact patches that outshine the camera, or clear film.
    """
    shining = film >= _SATURATED
    if share is not None:
        brighter = share >= _BARE
        if brighter.mean() <= _SMALL:  # a picture on a screen may well be brighter than what is around it
            shining |= brighter
    stroke = max(round(_STROKE * film.shape[0]), 1)
    opened = cv2.morphologyEx(shining.astype(np.uint8), cv2.MORPH_OPEN, _disc(stroke))
    return np.asarray(opened > 0, np.bool_)


def fill(film: Float, hidden: Mask) -> Float:
    """The film with what is hidden replaced by what lies around it, smoothly: there is nothing to be seen there."""
    if not hidden.any():
        return film
    wide = _with_skirts(hidden)
    rows = min(film.shape[0], _FILL_ROWS)
    size = (max(round(film.shape[1] * rows / film.shape[0]), 1), rows)
    known = cv2.resize(1.0 - wide.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    around = cv2.resize(film * (1 - wide), size, interpolation=cv2.INTER_AREA)
    value, left = np.zeros_like(around), np.ones(around.shape, np.bool_)
    for sigma in (0.02, 0.04, 0.08, 0.16, 0.32, 0.64):  # from near to far, until each pixel has a neighbour
        weight = cv2.GaussianBlur(known, (0, 0), sigma * rows)
        reached = left & (weight > 0.05)
        value[reached] = (cv2.GaussianBlur(around, (0, 0), sigma * rows) / np.maximum(weight, 1e-6))[reached]
        left &= ~reached
        if not left.any():
            break
    smooth = cv2.resize(value, (film.shape[1], film.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(np.where(wide > 0, smooth, film), np.float32)


def _with_skirts(hidden: Mask) -> NDArray[np.uint8]:
    """Reflections fade over a part of their own width: each grows by half of it."""
    patches = hidden.astype(np.uint8)
    count, numbers = cv2.connectedComponents(patches)
    within = cv2.distanceTransform(patches, cv2.DIST_L2, 3)
    wide = patches.copy()
    for number in range(1, min(count, _MOST_PATCHES + 1)):
        patch = numbers == number
        margin = round(_MARGIN * hidden.shape[0] + _SKIRT * float(within[patch].max()))
        wide = np.maximum(wide, cv2.dilate(patch.astype(np.uint8), _disc(max(margin, 1))))
    return np.asarray(wide, np.uint8)


def tone(film: Float, *, known: Mask | None = None, negative: bool = False) -> NDArray[np.uint8]:
    """Light to the grey levels that a radiograph's file has.

    Neither the film's curve nor the camera's is known. Black and white are stretched to the ends, and one gamma brings
    the median to where it is in radiographs.

    Args:
        film: Light or a share of it, ``float32 (height, width)``.
        known: What counts, of the film's shape; all of it by default.
        negative: It is a negative, of which the median lies elsewhere. It stays one.
    """
    level = np.sqrt(np.maximum(film, 0.0))
    values = level[known] if known is not None and known.any() else level.ravel()
    low, high = np.percentile(values, _ENDS)
    even = np.clip((level - low) / max(float(high - low), 1e-6), 0.0, 1.0)
    middle = float(np.clip(np.median((values - low) / max(float(high - low), 1e-6)), 0.02, 0.98))
    gamma = float(np.clip(np.log(1.0 - _MIDDLE if negative else _MIDDLE) / np.log(middle), *_GAMMA))
    return np.asarray(np.rint(255 * even**gamma), np.uint8)


def _disc(radius: int) -> NDArray[np.uint8]:
    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), np.uint8)
