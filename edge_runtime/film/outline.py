"""Finds the film: four straight edges around something that is like a chest, before a bright light or on a screen.

Line segments (LSD: von Gioi et al. 2012, doi 10.5201/ipol.2012.gjmr-lsd) are joined to lines, and every two lines
across and two down make a quadrilateral. What counts is how much of each side really is an edge, so that a hand over a
corner or a side that fades hides a film no more than in part. Light box, screen and bezel have four edges as well: of
all that have, the one that holds a chest best, and no rim of bare light, is the film.

It is done on a reduced frame; ``edges.refine`` then finds the corners in the full one.
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.film import chest

WIDTH: Final = 480  # pixels of the longer side of the reduced frame

_LINES = 11  # of each direction, at most
_SHORTEST = 0.03  # of the longer side: a segment
_TOGETHER = 2.5  # pixels that a segment may lie off a line that it is part of: a lens bends lines
_STEP = 5.0  # grey levels across an edge
_REACH = 2  # pixels beside a line where its edge is looked for
_LEAST_AREA = 0.06  # of the frame
_LEAST_SIDE = 0.4  # of a side is an edge, at least
_LEAST_MEAN = 0.68  # of all four sides
_ASPECT = (0.45, 2.2)
_OPPOSITE = 1.8  # times the length of the opposite side, at most
_SQUARE = 0.6  # cosine of a corner's angle, at most: 53 to 127 degrees
_CANDIDATES = 32
_EDGES, _CORNERS = 0.6, 0.8  # what edges and corners count, where being like a chest counts 1
_ARM = 0.1  # of a side: how much of it is looked at next to its corners
_BEYOND = 0.3  # what an edge that goes on beyond its corner counts, of one that ends there
_PLAIN = 0.035  # structure below which there is bare light, or a reflection on it
_GRID = 16  # averages a side, in which structure is looked for
_BRIGHT = 0.3  # of the frame's brightest, that a film or its surround must have somewhere

Float = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A film in a frame.

    Attributes:
        corners: ``float32 (4, 2)``: x, y in pixels of the frame given, clockwise from the top left.
        edges: Share of the outline that shows an edge, 0 to 1.
        likeness: How like a chest it is, 0 to 1.
    """

    corners: Float
    edges: float
    likeness: float


class _Lines(NamedTuple):
    """Lines in one direction: ``a`` along plus ``b`` gives the coordinate across."""

    slope: NDArray[np.float64]  # (n,)
    offset: NDArray[np.float64]  # (n,)
    edge: NDArray[np.float64]  # (n, length + 1): how many pixels from the frame's side on have been an edge


def reduce(grey: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """A frame of at most 480 pixels a side, and how many of the frame's pixels are one of it."""
    longer = max(grey.shape)
    if longer <= WIDTH:
        return grey, 1.0
    factor = longer / WIDTH
    size = (round(grey.shape[1] / factor), round(grey.shape[0] / factor))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8), factor


def find(grey: NDArray[np.uint8]) -> Found | None:
    """Find the film in a reduced frame, ``uint8 (height, width)``; ``None`` where there is none."""
    across, down = _lines(grey)
    if len(across.slope) < 2 or len(down.slope) < 2:
        return None
    corners, mean, arms = _quadrilaterals(across, down, grey.shape)
    best = np.argsort(-(mean + arms), kind="stable")[:_CANDIDATES]
    brightest = float(np.percentile(grey[::4, ::4], 99.5))
    chosen: Found | None = None
    highest = -np.inf
    for candidate in best.tolist():
        quad = np.asarray(corners[candidate], np.float32)
        score = _EDGES * float(mean[candidate]) + _CORNERS * float(arms[candidate])
        if score + 1.0 <= highest or (likeness := _content(grey, quad, brightest)) is None:
            continue
        score += likeness
        if score > highest:
            highest, chosen = score, Found(quad, float(mean[candidate]), likeness)
    return chosen


def _lines(grey: NDArray[np.uint8]) -> tuple[_Lines, _Lines]:
    """Lines across and lines down."""
    found: NDArray[np.float32] | None = cv2.createLineSegmentDetector(cv2.LSD_REFINE_NONE).detect(grey)[0]  # type: ignore[assignment]
    # OpenCV 4 gives (n, 1, 4), OpenCV 5 (n, 4), either None for nothing.
    segments = np.empty((0, 4)) if found is None else np.asarray(found, np.float64).reshape(-1, 4)
    run = np.abs(segments[:, 2:] - segments[:, :2])
    long = np.hypot(run[:, 0], run[:, 1]) >= _SHORTEST * max(grey.shape)
    flat = run[:, 0] >= run[:, 1]
    gradient_x = np.asarray(cv2.Sobel(grey, cv2.CV_16S, 1, 0), np.int16)
    gradient_y = np.asarray(cv2.Sobel(grey, cv2.CV_16S, 0, 1), np.int16)
    across = _joined(segments[long & flat], gradient_y, gradient_x)
    # Down is across in the frame with x and y exchanged.
    down = _joined(segments[long & ~flat][:, [1, 0, 3, 2]], gradient_x.T, gradient_y.T)
    return across, down


def _joined(segments: NDArray[np.float64], steep: NDArray[np.int16], along: NDArray[np.int16]) -> _Lines:
    """Segments that run along x joined to the longest lines, with where they are edges.

    Args:
        segments: ``(n, 4)``: two points x, y each.
        steep: Gradient in y, ``(height, width)``, times 4.
        along: Gradient in x, likewise.
    """
    length = np.abs(segments[:, 2] - segments[:, 0])
    left = np.argsort(-length, kind="stable")
    lines: list[tuple[float, float, float]] = []
    while len(left) and len(lines) < 3 * _LINES:
        one = segments[left[0]]
        slope = (one[3] - one[1]) / (one[2] - one[0])
        offset = one[1] - slope * one[0]
        for _ in range(2):  # once by the longest segment, once by all that it found
            rest = segments[left]
            near = np.abs(rest[:, 1::2] - (slope * rest[:, ::2] + offset)).max(axis=1) <= _TOGETHER
            near[0] = True
            slope, offset = _regression(rest[near], length[left][near])
        lines.append((float(length[left][near].sum()), float(slope), float(offset)))
        left = left[~near]
    lines = sorted(lines, reverse=True)[:_LINES]
    slopes, offsets = (np.array([line[part] for line in lines], np.float64) for part in (1, 2))
    return _Lines(slopes, offsets, _edge(slopes, offsets, steep, along))


def _regression(segments: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """The line through the ends of segments ``(n, 4)``, by least squares: slope and offset."""
    x, y = segments[:, ::2], segments[:, 1::2]
    total = 2 * weight.sum()
    middle_x, middle_y = (weight @ x).sum() / total, (weight @ y).sum() / total
    slope = (weight @ ((x - middle_x) * (y - middle_y))).sum() / max((weight @ (x - middle_x) ** 2).sum(), 1e-9)
    return float(slope), float(middle_y - slope * middle_x)


def _edge(
    slope: NDArray[np.float64], offset: NDArray[np.float64], steep: NDArray[np.int16], along: NDArray[np.int16]
) -> NDArray[np.float64]:
    """How many pixels from x = 0 on have an edge along each line: ``(n, width + 1)``."""
    height, width = steep.shape
    x = np.arange(width)
    y = np.rint(slope[:, None] * x + offset[:, None]).astype(np.intp)
    found = np.zeros(y.shape, np.bool_)
    for beside in range(-_REACH, _REACH + 1):
        row = y + beside
        inside = (row >= 0) & (row < height)
        row = np.clip(row, 0, height - 1)
        across = np.abs(steep[row, x] - slope[:, None] * along[row, x])
        # An edge along the line, not one that crosses it.
        other = np.abs(along[row, x] + slope[:, None] * steep[row, x])
        found |= inside & (across >= 4 * _STEP) & (across >= 1.5 * other)
    return np.concatenate([np.zeros((len(slope), 1)), np.cumsum(found, axis=1)], axis=1)


def _quadrilaterals(
    across: _Lines, down: _Lines, shape: tuple[int, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """All plausible ones: corners ``(n, 4, 2)``, the mean and the least share of their sides that is an edge."""
    height, width = shape
    # Where lines across, y = a x + b, meet lines down, x = c y + d.
    a, b = across.slope[:, None], across.offset[:, None]
    c, d = down.slope[None, :], down.offset[None, :]
    x = (c * b + d) / (1 - a * c)
    meet = np.dstack([x, a * x + b])  # (across, down, 2)
    i, k, j, m = (
        index.ravel() for index in np.meshgrid(*(np.arange(len(n)) for n in (a, a, c[0], c[0])), indexing="ij")
    )
    corners = np.stack([meet[i, j], meet[i, m], meet[k, m], meet[k, j]], axis=1)
    top, right, bottom, left = (np.roll(corners, -1, axis=1) - corners)[:, range(4)].transpose(1, 0, 2)
    # In order, within the frame, and of a shape that a film can have.
    good = (top[:, 0] > 0) & (bottom[:, 0] < 0) & (right[:, 1] > 0) & (left[:, 1] < 0)
    low, high = -0.01 * width, np.array([1.01 * width, 1.01 * height])
    good &= ((corners > low) & (corners < high)).all(axis=(1, 2))
    corners, i, k, j, m = corners[good], i[good], k[good], j[good], m[good]
    sides = np.roll(corners, -1, axis=1) - corners
    long = np.linalg.norm(sides, axis=2) + 1e-6
    one, other = sides[:, [0, 1]], sides[:, [2, 3]]
    area = 0.5 * np.abs(_cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1]))
    aspect = (long[:, 0] + long[:, 2]) / (long[:, 1] + long[:, 3])
    cosine = np.abs((sides * np.roll(sides, -1, axis=1)).sum(axis=2)) / (long * np.roll(long, -1, axis=1))
    opposite = np.maximum(long[:, :2] / long[:, 2:], long[:, 2:] / long[:, :2]).max(axis=1)
    good = (area >= _LEAST_AREA * height * width) & (aspect >= _ASPECT[0]) & (aspect <= _ASPECT[1])
    good &= (cosine.max(axis=1) <= _SQUARE) & (opposite <= _OPPOSITE)
    good &= (_cross(one, np.roll(sides, -1, axis=1)[:, [0, 1]]) > 0).all(axis=1)
    good &= (_cross(other, np.roll(sides, -1, axis=1)[:, [2, 3]]) > 0).all(axis=1)
    corners, i, k, j, m = corners[good], i[good], k[good], j[good], m[good]
    ends = (
        (across.edge, i, corners[:, 0, 0], corners[:, 1, 0]),
        (down.edge, m, corners[:, 1, 1], corners[:, 2, 1]),
        (across.edge, k, corners[:, 3, 0], corners[:, 2, 0]),
        (down.edge, j, corners[:, 0, 1], corners[:, 3, 1]),
    )
    shares = np.stack([_share(edge, line, start, end) for edge, line, start, end in ends])
    arms = np.mean([_arms(edge, line, start, end) for edge, line, start, end in ends], axis=0)
    mean, least = shares.mean(axis=0), shares.min(axis=0)
    good = (least >= _LEAST_SIDE) & (mean >= _LEAST_MEAN)
    return corners[good], mean[good], arms[good]


def _arms(
    edge: NDArray[np.float64], line: NDArray[np.intp], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much of a side is an edge next to its two corners, less where it goes on as an edge beyond them."""
    arm = _ARM * (end - start)
    within = _share(edge, line, start, start + arm) + _share(edge, line, end - arm, end)
    beyond = _share(edge, line, start - arm, start - 2.0) + _share(edge, line, end + 2.0, end + arm)
    return np.asarray(within / 2 - _BEYOND * beyond / 2, np.float64)


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0], np.float64)


def _share(
    edge: NDArray[np.float64], line: NDArray[np.intp], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    last = edge.shape[1] - 1
    first = np.clip(np.rint(start), 0, last).astype(np.intp)
    final = np.clip(np.rint(end), 0, last).astype(np.intp)
    return np.asarray((edge[line, final] - edge[line, first]) / np.maximum(final - first, 1), np.float64)


def _content(grey: NDArray[np.uint8], quad: Float, brightest: float) -> float | None:
    """How like a chest the quadrilateral's content is; ``None`` where it cannot be a film."""
    side = 3 * chest.SIDE
    square = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32) - np.float32(0.5)
    matrix = cv2.getPerspectiveTransform(quad, square)
    inside = np.asarray(cv2.warpPerspective(grey, matrix, (side, side), flags=cv2.INTER_LINEAR), np.uint8)
    if inside.max() < _BRIGHT * brightest or structure(inside) < _PLAIN:
        return None
    return chest.view(inside).likeness


def structure(inside: NDArray[np.uint8]) -> float:
    """How much a picture shows beyond uneven light: the median second difference of its logarithm, over its middle.

    The edge of a light box that lies within an outline, or a lamp's reflection, is a small part of the picture and does
    not count.
    """
    rows, columns = (slice(side // 8, side - side // 8) for side in inside.shape)
    coarse = cv2.resize(inside[rows, columns], (_GRID, _GRID), interpolation=cv2.INTER_AREA)
    logarithm = np.log(np.asarray(coarse, np.float32) + np.float32(4.0))
    return float(np.median(np.abs(cv2.Laplacian(logarithm, cv2.CV_32F)[1:-1, 1:-1])))
