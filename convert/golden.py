"""Golden vectors: inputs that a device replays to see whether its engine computes what the converter's did.

They are drawn, not photographed, so that a bundle holds no patient's picture.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from convert.interpreter import run
from edge_runtime.model.bundle import Golden

_NOISE_SIGMAS = (1.5, 6.0, 20.0)  # pixels: fine, middle and coarse structure


def pixels(height: int, width: int, *, seed: int = 0) -> NDArray[np.uint8]:
    """Six pictures, ``uint8`` of shape ``(6, height, width, 1)``.

    Noise over the whole range, noise at three scales over a blurred gradient, a checkerboard, and two dark fields in a
    bright frame, which is about as much chest as a drawing needs.
    """
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    down, across = y / max(height - 1, 1), x / max(width - 1, 1)
    pictures = [rng.integers(0, 256, (height, width)).astype(np.float64)]
    for sigma in _NOISE_SIGMAS:
        noise = cv2.GaussianBlur(rng.standard_normal((height, width)), (0, 0), sigma)
        angle = rng.uniform(0, 2 * np.pi)
        gradient = np.cos(angle) * across + np.sin(angle) * down
        pictures.append(_spread(gradient / np.ptp(gradient) + 0.25 * noise / noise.std()))
    pictures.append(255.0 * ((x // 16 + y // 16) % 2))
    fields = sum(np.exp(-(((across - centre) / 0.13) ** 2) - ((down - 0.5) / 0.27) ** 2) for centre in (0.3, 0.7))
    pictures.append(_spread(cv2.GaussianBlur(-np.asarray(fields) - 0.3 * (np.abs(across - 0.5) > 0.48), (0, 0), 3.0)))
    return np.stack([np.clip(np.rint(p), 0, 255).astype(np.uint8) for p in pictures])[..., np.newaxis]


def record(model: bytes, height: int, width: int, *, seed: int = 0) -> Golden:
    """The pictures with the exact ``int8`` outputs of the model in this machine's interpreter."""
    drawn = pixels(height, width, seed=seed)
    outputs = run(model, drawn)
    return Golden(drawn, outputs.scores, outputs.maps, outputs.features)


def _spread(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = picture.min(), picture.max()
    return np.asarray((picture - low) / max(high - low, 1e-9) * 255.0)
