"""Validation under shift: what another detector, exposure or crop does to the radiographs, one change at a time.

A validation set cut from the training images comes from the same detectors and hands as they do and cannot show how a
model fares elsewhere. These changes are fixed, so that two models are judged on the same pixels.
"""

from collections.abc import Callable, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

Change = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def changed(pixels: NDArray[np.uint8], change: Change) -> NDArray[np.uint8]:
    """Apply one change to each radiograph: ``uint8 (n, rows, columns, 1)`` in and out."""
    return np.stack([change(image[..., 0])[..., None] for image in pixels]) if len(pixels) else pixels


def _gamma(exponent: float) -> Change:
    table = np.rint(255.0 * (np.arange(256) / 255.0) ** exponent).astype(np.uint8)
    return lambda image: table[image]


def _linear(contrast: float, brightness: float) -> Change:
    def change(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        middle = float(image.mean())
        return np.clip((image - middle) * contrast + middle + brightness, 0, 255).astype(np.uint8)

    return change


def _affine(zoom_x: float, zoom_y: float, degrees: float = 0.0) -> Change:
    def change(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows, columns = image.shape
        centre = ((columns - 1) / 2, (rows - 1) / 2)
        matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
        matrix[0] *= zoom_x
        matrix[1] *= zoom_y
        matrix[0, 2] += centre[0] * (1 - zoom_x)
        matrix[1, 2] += centre[1] * (1 - zoom_y)
        return np.asarray(cv2.warpAffine(image, matrix, (columns, rows), flags=cv2.INTER_LINEAR), np.uint8)

    return change


def _blur(sigma: float) -> Change:
    return lambda image: np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)


def _noise(deviation: float) -> Change:
    def change(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rng = np.random.default_rng(0)
        return np.clip(image + rng.normal(0.0, deviation, image.shape), 0, 255).astype(np.uint8)

    return change


def _local_contrast(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.createCLAHE(clipLimit=2.0, tileGridSize=(4, 4)).apply(image), np.uint8)


def _margins(share: float, shade: int) -> Change:
    def change(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        rows, columns = (round(side * share) for side in image.shape)
        framed = np.full_like(image, shade)
        framed[rows:-rows, columns:-columns] = image[rows:-rows, columns:-columns]
        return framed

    return change


CHANGES: Mapping[str, Change] = {
    "gamma 0.6": _gamma(0.6),
    "gamma 1.6": _gamma(1.6),
    "contrast 0.6": _linear(0.6, 0.0),
    "contrast 1.5": _linear(1.5, 0.0),
    "brighter by 40": _linear(1.0, 40.0),
    "darker by 40": _linear(1.0, -40.0),
    "local contrast": _local_contrast,
    "blur of 1.5 pixels": _blur(1.5),
    "noise of 10 levels": _noise(10.0),
    "closer by 15%": _affine(1.15, 1.15),
    "farther by 15%": _affine(0.85, 0.85),
    "wider by 15%": _affine(1.15, 1.0),
    "taller by 15%": _affine(1.0, 1.15),
    "turned by 8 degrees": _affine(1.0, 1.0, 8.0),
    "black margins": _margins(0.07, 0),
    "white margins": _margins(0.07, 255),
}
