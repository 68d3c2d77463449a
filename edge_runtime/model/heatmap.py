"""The heat map: the radiograph with the evidence for pneumonia over it, and a legend that says what it is."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.finding import NOTICE
from edge_runtime.model.classifier import Answer
from edge_runtime.model.lettering import write

# Long side of the radiograph in pixels: larger ones are reduced, and of smaller ones each pixel is drawn as a square of
# so many that they come near the size at which the legend can be read.
_LONGEST, _USUAL = 1024, 512
_LEGEND_WIDTH, _LEGEND_HEIGHT, _MARGIN = 560, 112, 16

# The scale ends at the strongest cell, but not below this, so that a normal radiograph's weak evidence stays faint.
_LEAST_FULL_SCALE = 4.0
_STRONGEST_OPACITY = 0.65

# Long side in pixels at which the evidence is computed. It has few cells, and is smooth between them.
_EVIDENCE_SIDE = 192

# Pixels blended at once: what that needs fits the processor's cache and no memory to speak of. With fewer, threads that
# draw wait for each other: each call of OpenCV gives the interpreter's lock away, and takes it again.
_STRIP_PIXELS = 1 << 16

_BACKGROUND, _TEXT, _FAINT = (24, 24, 24), (240, 240, 240), (170, 170, 170)


@cache
def _blending() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """What is left of the grey and what colour is added, by the square root of the evidence in 255 steps.

    The square root lets weak evidence be seen at all; its colour still says that it is weak.
    """
    root = np.linspace(0.0, 1.0, 256)
    # From purple over orange to yellow: perceptually even, told apart in every common colour blindness, and without
    # the map's black beginning, which would look like missing lung.
    steps = (80 + 160 * root**2).round().astype(np.uint8)
    colours = cv2.applyColorMap(steps, cv2.COLORMAP_INFERNO).reshape(256, 3)
    opacity = _STRONGEST_OPACITY * root
    added = (colours * opacity[:, np.newaxis]).round().astype(np.uint8).reshape(256, 1, 3)
    return (255 * (1 - opacity)).round().astype(np.uint8), added


# Level 1: a few percent larger than the default and several times faster. One filter for every row, where OpenCV lets
# it be named (4.12), takes half the time of trying five on each. The difference to the row above it is the one that is
# nothing at all in rows that are drawn twice.
_PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _PNG_OPTIONS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]


def png(grey: NDArray[np.uint8], answer: Answer) -> bytes:
    """``render`` as the bytes of a PNG file."""
    encoded, data = cv2.imencode(".png", render(grey, answer), _PNG_OPTIONS)
    assert encoded
    return data.tobytes()


def render(grey: NDArray[np.uint8], answer: Answer) -> NDArray[np.uint8]:
    """Draw a heat map.

    Only positive evidence is drawn: where ``answer.map`` is zero or negative the radiograph shows as it is.

    Args:
        grey: The radiograph, ``uint8`` of shape ``(height, width)``.
        answer: What the model said about it.

    Returns:
        ``uint8`` of shape ``(rows, columns, 3)`` in OpenCV's order blue, green, red: the radiograph with its aspect
        ratio kept, reduced to 1024 pixels on its long side where that is longer, its pixels drawn several times in both
        directions where that comes nearer to 512, and the legend below it.
    """
    base = reduced(grey)
    times = max(round(_USUAL / max(base.shape)), 1)
    full_scale = max(float(answer.map.max()), _LEAST_FULL_SCALE)
    root = _root(answer.map / np.float32(full_scale), base.shape)

    height, width = times * base.shape[0], times * base.shape[1]
    canvas = np.empty((height + _LEGEND_HEIGHT, max(width, _LEGEND_WIDTH), 3), np.uint8)
    left = (canvas.shape[1] - width) // 2
    canvas[:height, :left] = canvas[:height, left + width :] = _BACKGROUND
    step = max(_STRIP_PIXELS // base.shape[1], 1)
    for top in range(0, len(base), step):
        rows = slice(top, min(top + step, len(base)))
        strip = _blend(base[rows], root[rows])
        if times > 1:
            size = (width, times * len(strip))
            strip = np.asarray(cv2.resize(strip, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        canvas[times * rows.start : times * rows.stop, left : left + width] = strip
    _draw_legend(canvas[height:], answer, full_scale)
    return canvas


def reduced(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The radiograph at the size at which it is drawn: at most 1024 pixels on its long side."""
    scale = _LONGEST / max(grey.shape)
    if scale >= 1.0:
        return grey
    size = (max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale)))
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def _root(evidence: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The square root of the evidence, which is cut off below 0 and above 1, in 255 steps at this shape."""
    scale = min(1.0, _EVIDENCE_SIDE / max(shape))
    size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    # Enlarged before it is cut at zero, so that the edge of the evidence is smooth and lies where it belongs.
    smooth = np.asarray(cv2.resize(evidence, size, interpolation=cv2.INTER_CUBIC), np.float32)
    root = cv2.convertScaleAbs(cv2.sqrt(np.maximum(smooth, np.float32(0.0))), alpha=255.0)
    return np.asarray(cv2.resize(root, shape[::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def _blend(base: NDArray[np.uint8], root: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Colour over grey, by the square root of the evidence."""
    if not root.any():
        return np.asarray(cv2.cvtColor(base, cv2.COLOR_GRAY2BGR), np.uint8)
    left, added = _blending()
    grey = cv2.multiply(base, cv2.LUT(root, left), scale=1 / 255)
    return np.asarray(cv2.add(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), cv2.applyColorMap(root, added)), np.uint8)


@cache
def _empty_legend(width: int) -> NDArray[np.uint8]:
    """What is the same in every legend of this width."""
    strip = np.full((_LEGEND_HEIGHT, width, 3), _BACKGROUND, np.uint8)
    bar_left, bar_right = _bar(width)
    write(strip, NOTICE, (_MARGIN, 102), "small", _FAINT)
    ramp = np.sqrt(np.linspace(0.0, 1.0, bar_right - bar_left, dtype=np.float32))
    steps = np.tile((255 * ramp).round().astype(np.uint8), (14, 1))
    strip[36:50, bar_left:bar_right] = _blend(np.full(steps.shape, 90, np.uint8), steps)
    write(strip, "evidence for pneumonia (log odds)", (bar_left, 27), "caption", _TEXT)
    write(strip, "0: none", (bar_left, 68), "small", _FAINT)
    return strip


def _bar(width: int) -> tuple[int, int]:
    """Where the colour scale begins and ends."""
    right = width - _MARGIN
    return right - min(260, width // 2 - 2 * _MARGIN), right


def _draw_legend(strip: NDArray[np.uint8], answer: Answer, full_scale: float) -> None:
    strip[:] = _empty_legend(strip.shape[1])
    write(strip, answer.label, (_MARGIN, 34), "title", _TEXT)
    write(strip, f"probability of pneumonia {_share(answer.probability)}", (_MARGIN, 58), "text", _TEXT)
    types = f"bacterial {_share(answer.bacterial)}, viral {_share(answer.viral)}"
    write(strip, types, (_MARGIN, 77), "small", _FAINT)
    scale = f"{full_scale:.1f}: strong"
    write(strip, scale, (_bar(strip.shape[1])[1], 68), "small", _FAINT, to_the_left=True)


def _share(probability: float) -> str:
    if probability > 0.9994:
        return "> 0.999"
    if probability < 0.0006:
        return "< 0.001"
    return f"{probability:.3f}"
