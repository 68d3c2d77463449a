"""The film's four edges in the full frame: its corners to a fraction of a pixel, and how blurred the picture is.

Short profiles are read across each side, their steepest point is found between pixels, and a parabola is fitted to
them per side (a lens bends straight edges), weighed down where it does not fit (Tukey's biweight), so that a finger
does not pull. The corners are where the parabolas meet. The blur is the width of the steps themselves: the edge of a
film is sharp whatever the film shows.
"""

from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_PROFILES: Final = 48  # across each side
_MARGIN = 0.03  # of a side, near its corners, without profiles
_REACH = 0.012  # of the outline's mean side, to either side of the edge
_LEAST_STEP = 6.0  # grey levels
_ROUNDS = 6

Float = NDArray[np.float32]
Double = NDArray[np.float64]


class Edges(NamedTuple):
    """Of a film in a frame.

    Attributes:
        corners: ``float32 (4, 2)``: x, y in pixels, clockwise from the top left.
        blur: Standard deviation of the blur across its edges, in pixels; ``nan`` where no edge is clear.
    """

    corners: Float
    blur: float


def refine(grey: NDArray[np.uint8], corners: Float) -> Edges:
    """Find the edges near those of an outline.

    Args:
        grey: The full frame, ``uint8 (height, width)``.
        corners: ``float32 (4, 2)``, right to a few pixels.
    """
    rough = corners.astype(np.float64)
    lengths = np.linalg.norm(np.roll(rough, -1, axis=0) - rough, axis=1)
    reach = max(4, round(_REACH * float(lengths.mean())))
    sides, widths = [], []
    for number in range(4):
        start, end = rough[number], rough[(number + 1) % 4]
        bend, blur = _side(grey, start, end, reach)
        sides.append(bend)
        widths.append(blur)
    found = np.array([_meeting(rough, sides, number) for number in range(4)])
    clear = [width for width in widths if np.isfinite(width)]
    return Edges(np.asarray(found, np.float32), float(np.median(clear)) if clear else float("nan"))


def _side(grey: NDArray[np.uint8], start: Double, end: Double, reach: int) -> tuple[Double, float]:
    """How far the edge lies outside the line from start to end, as a parabola over 0 to 1, and its blur."""
    along = end - start
    outward = np.array([along[1], -along[0]]) / np.linalg.norm(along)
    places = np.linspace(_MARGIN, 1 - _MARGIN, _PROFILES)
    across = np.arange(-2 * reach, 2 * reach + 1) / 2.0
    points = start + places[:, None, None] * along + across[None, :, None] * outward
    x, y = (np.ascontiguousarray(points[..., axis], np.float32) for axis in (0, 1))
    profiles = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE).astype(np.float32)
    smooth = cv2.sepFilter2D(profiles, -1, _TRIANGLE, _ALONG, borderType=cv2.BORDER_REPLICATE)
    slope = np.abs(np.diff(np.asarray(smooth, np.float64), axis=1))
    peak = slope[:, 1:-1].argmax(axis=1) + 1
    row = np.arange(_PROFILES)
    before, top, after = slope[row, peak - 1], slope[row, peak], slope[row, peak + 1]
    between = 0.5 * (before - after) / np.minimum(before - 2 * top + after, -1e-6)
    at = (peak + np.clip(between, -0.5, 0.5) + 0.5) / 2.0 - reach
    low, high = np.percentile(profiles, [10, 90], axis=1)
    step = high - low
    weight = np.where(step >= _LEAST_STEP, np.sqrt(top), 0.0)
    if np.count_nonzero(weight) < 8:
        return np.zeros(3), float("nan")
    fit, inliers = _parabola(places, at, weight)
    sharp = step[inliers] / np.maximum(2.0 * top[inliers], 1e-6)
    blur = float(np.median(sharp)) / np.sqrt(2 * np.pi) if len(sharp) else float("nan")
    return fit, blur


_TRIANGLE = np.array([0.25, 0.5, 0.25], np.float32)  # across the edge, in half pixels
_ALONG = np.array([0.25, 0.5, 0.25], np.float32)  # over neighbouring profiles


def _parabola(places: Double, at: Double, weight: Double) -> tuple[Double, NDArray[np.bool_]]:
    """Weighed least squares, robust by Tukey's biweight: coefficients of 1, t, t squared, and what fits them."""
    terms = np.stack([np.ones_like(places), places, places**2], axis=1)
    # The bend is held near 0 where little tells it.
    hold = np.diag([0.0, 0.0, 2e-4 * float(weight.sum())])
    robust = weight * (np.abs(at - _weighted_median(at, weight)) < max(2.5, 0.5 * float(np.abs(at).max())))
    fit: Double = np.zeros(3)
    rest = at
    for _ in range(_ROUNDS):
        normal = (terms * robust[:, None]).T @ terms + hold + 1e-9 * np.eye(3)
        fit = np.asarray(np.linalg.solve(normal, terms.T @ (robust * at)), np.float64)
        rest = at - terms @ fit
        scale = max(2.0 * float(np.median(np.abs(rest[weight > 0]))), 0.5)
        robust = weight * np.clip(1 - (rest / (2.5 * scale)) ** 2, 0, 1) ** 2
    return np.asarray(fit, np.float64), np.asarray(robust > 0, np.bool_)


def _weighted_median(values: Double, weight: Double) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _meeting(rough: Double, sides: list[Double], corner: int) -> Double:
    """Where the side that ends in a corner meets the one that starts there."""
    before, start, after = rough[corner - 1], rough[corner], rough[(corner + 1) % 4]
    first, second = start - before, after - start
    out_first = np.array([first[1], -first[0]]) / np.linalg.norm(first)
    out_second = np.array([second[1], -second[0]]) / np.linalg.norm(second)
    t, s = 1.0, 0.0
    point = start
    for _ in range(3):
        # Each edge near the corner as a straight line: a point on it and its direction.
        one = before + t * first + np.polynomial.polynomial.polyval(t, sides[corner - 1]) * out_first
        along_one = first + (sides[corner - 1][1] + 2 * t * sides[corner - 1][2]) * out_first
        other = start + s * second + np.polynomial.polynomial.polyval(s, sides[corner]) * out_second
        along_other = second + (sides[corner][1] + 2 * s * sides[corner][2]) * out_second
        steps = np.linalg.solve(np.column_stack([along_one, -along_other]), other - one)
        point = one + steps[0] * along_one
        t, s = t + float(steps[0]), s + float(steps[1])
    return np.asarray(point, np.float64)
