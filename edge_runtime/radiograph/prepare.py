"""Grey pixels to the model's input."""

import cv2
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import ImageError

MODEL_HEIGHT, MODEL_WIDTH = 224, 224
_SMALLEST_SIDE = 32


def prepare(grey: NDArray[np.uint8], height: int = MODEL_HEIGHT, width: int = MODEL_WIDTH) -> NDArray[np.uint8]:
    """Squash a grey image to the model's input size.

    The aspect ratio is not kept and no anti-aliasing is applied, because that is how the published 224-pixel copies of
    the training data were made; a filter that differs from it shifts every radiograph away from the training set. Over
    80 originals the copies differ from this filter by 0.98 grey levels on average, from ``INTER_AREA`` by 2.2.

    Args:
        grey: ``uint8`` array of shape ``(rows, columns)``.
        height: Rows of the model's input.
        width: Columns of the model's input.

    Returns:
        ``uint8`` array of shape ``(1, height, width, 1)``.

    Raises:
        ImageError: A side is shorter than 32 pixels.
    """
    if min(grey.shape) < _SMALLEST_SIDE:
        raise ImageError(
            f"too small: {grey.shape[1]} x {grey.shape[0]} pixels, at least {_SMALLEST_SIDE} a side needed"
        )
    if grey.shape != (height, width):
        # EXACT gives the same pixels on every processor; plain INTER_LINEAR rounds differently on ARM and x86.
        grey = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)
    return np.ascontiguousarray(grey).reshape(1, height, width, 1)
