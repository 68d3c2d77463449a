"""The heat map: the radiograph with the evidence for pneumonia over it, and a legend that says what it is."""

from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.finding import NOTICE
from edge_runtime.model.classifier import Answer

SUFFIX = ".heatmap.png"

# Long side of the radiograph in pixels: larger ones are reduced, smaller ones enlarged until the legend can be read.
_LONGEST, _SHORTEST = 1024, 512
_LEGEND_WIDTH, _LEGEND_HEIGHT, _MARGIN = 560, 112, 16

# The scale ends at the strongest cell, but not below this, so that a normal radiograph's weak evidence stays faint.
_LEAST_FULL_SCALE = 4.0
_STRONGEST_OPACITY = 0.65

# Rows blended at once: what that needs in floating point fits the processor's cache and no memory to speak of.
_STRIP = 32

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
# it be named (4.12), is as small as the best of five tried on each row, and takes half the time.
_PNG_OPTIONS = [cv2.IMWRITE_PNG_COMPRESSION, 1]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):
    _PNG_OPTIONS += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_AVG]


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
        ratio kept and 512 to 1024 pixels on its long side, and the legend below it.
    """
    height, width = grey.shape
    scale = min(max(1.0, _SHORTEST / max(grey.shape)), _LONGEST / max(grey.shape))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    base = cv2.resize(grey, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    full_scale = max(float(answer.map.max()), _LEAST_FULL_SCALE)
    # Enlarged before it is cut at zero, so that the edge of the evidence is smooth and lies where it belongs.
    evidence = np.asarray(cv2.resize(answer.map, size, interpolation=cv2.INTER_CUBIC), np.float32)

    columns = max(size[0], _LEGEND_WIDTH)
    canvas = np.empty((size[1] + _LEGEND_HEIGHT, columns, 3), np.uint8)
    left = (columns - size[0]) // 2
    for outside in (canvas[size[1] :], canvas[: size[1], :left], canvas[: size[1], left + size[0] :]):
        outside[:] = _BACKGROUND
    for top in range(0, size[1], _STRIP):
        rows = slice(top, min(top + _STRIP, size[1]))
        strip = evidence[rows] / np.float32(full_scale)
        canvas[rows, left : left + size[0]] = _blend(np.asarray(base[rows], np.uint8), strip)
    _draw_legend(canvas[size[1] :], answer, full_scale)
    return canvas


def _blend(base: NDArray[np.uint8], evidence: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Colour over grey. Evidence from 0 to 1, below and above which it is cut off."""
    if evidence.max() <= 0.0:
        return np.asarray(cv2.cvtColor(base, cv2.COLOR_GRAY2BGR), np.uint8)
    # In integers, which is several times as fast: 255 steps are finer than can be seen.
    root = cv2.convertScaleAbs(cv2.sqrt(np.maximum(evidence, np.float32(0.0))), alpha=255.0)
    left, added = _blending()
    grey = cv2.multiply(base, cv2.LUT(root, left), scale=1 / 255)
    return np.asarray(cv2.add(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), cv2.applyColorMap(root, added)), np.uint8)


def _draw_legend(strip: NDArray[np.uint8], answer: Answer, full_scale: float) -> None:
    right = strip.shape[1] - _MARGIN
    bar_width = min(260, strip.shape[1] // 2 - 2 * _MARGIN)
    bar_left = right - bar_width
    _write(strip, answer.label, (_MARGIN, 34), 0.8, bold=True)
    _write(strip, f"probability of pneumonia {_share(answer.probability)}", (_MARGIN, 58), 0.48)
    _write(
        strip,
        f"bacterial {_share(answer.bacterial)}, viral {_share(answer.viral)}",
        (_MARGIN, 77),
        0.42,
        colour=_FAINT,
    )
    _write(strip, NOTICE, (_MARGIN, 102), 0.42, colour=_FAINT)

    ramp = np.linspace(0.0, 1.0, bar_width, dtype=np.float32)
    strip[36:50, bar_left:right] = _blend(np.full((14, bar_width), 90, np.uint8), np.tile(ramp, (14, 1)))
    _write(strip, "evidence for pneumonia (log odds)", (bar_left, 27), 0.45)
    _write(strip, "0: none", (bar_left, 68), 0.42, colour=_FAINT)
    _write(strip, f"{full_scale:.1f}: strong", (right, 68), 0.42, colour=_FAINT, to_the_left=True)


def _share(probability: float) -> str:
    if probability > 0.9994:
        return "> 0.999"
    if probability < 0.0006:
        return "< 0.001"
    return f"{probability:.3f}"


def _write(
    image: NDArray[np.uint8],
    text: str,
    origin: tuple[int, int],
    size: float,
    *,
    colour: tuple[int, int, int] = _TEXT,
    bold: bool = False,
    to_the_left: bool = False,
) -> None:
    font = cv2.FONT_HERSHEY_DUPLEX if bold else cv2.FONT_HERSHEY_SIMPLEX
    if to_the_left:
        (width, _), _ = cv2.getTextSize(text, font, size, 1)
        origin = (origin[0] - width, origin[1])
    cv2.putText(image, text, origin, font, size, colour, 1, cv2.LINE_AA)
