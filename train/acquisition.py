"""How a radiograph was taken, as far as it gives the class away, and draws that break the tie.

In the published training images the sharpness of the copy, the stretch left by squashing another aspect ratio and the
letters in the corners tell normal from pneumonia with an area under the ROC curve of 0.96, without a look at a lung.
A network that learns this shortcut (Geirhos et al. 2020, arXiv:2004.07780) is right until radiographs come from
elsewhere. Images are therefore drawn by the inverse of how well their acquisition tells their class (for images: Puli
et al. 2022, arXiv:2107.00520), so that in training it tells little.
"""

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

DEFAULT_CAP = 5.0
_CORNER = 30  # pixels a side: where markers stand


class Acquisition(msgspec.Struct, frozen=True):
    """What acquisition alone says of each image: log odds of pneumonia at equal shares, ``float64`` ``(n,)``."""

    training: NDArray[np.float64]
    validation: NDArray[np.float64]


def statistics(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Statistics that know nothing of lungs.

    Args:
        pixels: ``uint8`` of shape ``(n, 224, 224, 1)``.

    Returns:
        ``float64`` of shape ``(n, 5)``: sharpness twice (log of the median Laplacian, of the mean difference from a
        blurred copy), the ratio of vertical to horizontal gradients, the brightest level of both upper corners.
    """
    return np.array([_statistics(image[..., 0]) for image in pixels], np.float64).reshape(-1, 5)


def compare(training: NDArray[np.uint8], pneumonia: NDArray[np.bool_], validation: NDArray[np.uint8]) -> Acquisition:
    """Learn from the training images what acquisition says, and say it of both sets.

    Args:
        training: ``uint8`` of shape ``(n, 224, 224, 1)``.
        pneumonia: ``bool`` of shape ``(n,)``.
        validation: ``uint8`` of shape ``(m, 224, 224, 1)``.
    """
    seen = statistics(training)
    model: Pipeline = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(2),
        LogisticRegression(C=0.1, class_weight="balanced", max_iter=2000),
    )
    model.fit(seen, pneumonia)
    return Acquisition(model.decision_function(seen), model.decision_function(statistics(validation)))


def draw_weights(log_odds: NDArray[np.float64], pneumonia: NDArray[np.bool_], cap: float) -> NDArray[np.float64]:
    """How often each image should be drawn within its class.

    Args:
        log_odds: What acquisition says, of shape ``(n,)``.
        pneumonia: The truth, of shape ``(n,)``.
        cap: The weights are kept between ``1 / cap`` and ``cap``, or a few odd images would be all that is seen; 1
            draws all alike.

    Returns:
        ``float64`` of shape ``(n,)``, above 0.
    """
    return np.clip(np.exp(np.where(pneumonia, -log_odds, log_odds)), 1.0 / cap, cap)


def _statistics(image: NDArray[np.uint8]) -> list[float]:
    levels = image.astype(np.float32)
    soft = cv2.GaussianBlur(levels, (0, 0), 1.0)
    vertical, horizontal = (float(np.abs(np.diff(levels, axis=axis)).mean()) for axis in (0, 1))
    return [
        float(np.log1p(np.median(np.abs(cv2.Laplacian(levels, cv2.CV_32F))))),
        float(np.log(np.abs(levels - soft).mean() + 0.1)),
        vertical / max(horizontal, 1e-3),
        float(levels[:_CORNER, :_CORNER].max()) / 255.0,
        float(levels[:_CORNER, -_CORNER:].max()) / 255.0,
    ]
