"""A statistical atlas: where dark and bright lie in a frontal chest radiograph, at 32 x 32 averages.

The averages, normalised to local contrast, are projected on principal components ("eigen-radiographs"). Two numbers
follow. The first is the Mahalanobis distance within the components plus the residual outside them, as in probabilistic
principal component analysis (Tipping and Bishop 1999). The second is a score from ridge regression on random ReLU
features (Rahimi and Recht 2008) of the components, fitted to tell radiographs from what a program makes of them or
draws: turned, inverted, cut, shuffled and tiled ones, noise, shapes, phantoms. It costs a third of a million
multiplications, where the network costs fifteen thousand million.
"""

from typing import Final, NamedTuple

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.gate.statistics import FARTHEST, block_means

SIZE: Final = 32
_NEIGHBOURHOOD = SIZE / 6  # sigma of local contrast, in averages
_FLOOR = 9.0  # grey levels squared: what is flatter than this is not blown up to full contrast

Float32 = NDArray[np.float32]


class Atlas(msgspec.Struct, frozen=True, eq=False):
    """What the converter fitted; ``k`` components, ``h`` random features.

    Attributes:
        mean: ``(1024,)``.
        directions: ``(k, 1024)``, orthonormal.
        whitening: ``(k, k)``: components times it have unit covariance over radiographs.
        residual: Mean square outside the components, over radiographs.
        scale: Standard deviation of the components, one number.
        hidden: ``(k, h)``.
        offsets: ``(h,)``.
        weights: ``(k + h + 2,)``: of the components, the random features, the residual and a constant.
        farthest: The Mahalanobis distance that is refused.
        least: The score that is refused; radiographs are near 1, others near -1.
        clear: The score from which a picture is clearly within.
    """

    mean: Float32
    directions: Float32
    whitening: Float32
    residual: float
    scale: float
    hidden: Float32
    offsets: Float32
    weights: Float32
    farthest: float
    least: float
    clear: float


class Place(NamedTuple):
    """Where pictures lie to an atlas: Mahalanobis distances and scores, each ``(n,)``."""

    distance: NDArray[np.float64]
    score: NDArray[np.float64]


def layout(pixels: NDArray[np.uint8]) -> Float32:
    """Averages of grey pixels ``(224, 224)``, normalised to local contrast: ``(32, 32)``. Inverted pixels negate it."""
    coarse = block_means(pixels)
    difference = coarse - cv2.GaussianBlur(coarse, (0, 0), _NEIGHBOURHOOD)
    spread = cv2.GaussianBlur(difference * difference, (0, 0), _NEIGHBOURHOOD)
    return np.asarray(difference / np.sqrt(spread + np.float32(_FLOOR)), np.float32)


def features(layouts: Float32, atlas: Atlas) -> tuple[Float32, Float32]:
    """Components ``(n, k)``, and all that the score weighs ``(n, k + h + 2)``, of layouts ``(n, 1024)``."""
    centred = layouts - atlas.mean
    components = centred @ atlas.directions.T
    outside = np.maximum((centred**2).mean(axis=1) - (components**2).sum(axis=1) / centred.shape[1], 0.0)
    scaled = components / np.float32(atlas.scale)
    random = np.maximum(scaled @ atlas.hidden + atlas.offsets, 0.0)
    weighed = np.column_stack([scaled, random, outside, np.ones(len(layouts))])
    return np.asarray(components, np.float32), np.asarray(weighed, np.float32)


def place(layouts: Float32, atlas: Atlas) -> Place:
    """Where layouts of shape ``(n, 1024)`` lie."""
    components, weighed = features(layouts, atlas)
    outside = weighed[:, -2].astype(np.float64) / atlas.residual
    within = ((components @ atlas.whitening) ** 2).mean(axis=1)
    return Place(np.sqrt(within + outside), (weighed @ atlas.weights).astype(np.float64))


def scaled(found: Place, atlas: Atlas) -> NDArray[np.float64]:
    """The two numbers as one distance ``(n,)``: 1.0 where either reaches its limit."""
    by_score = (1.0 - found.score) / (1.0 - atlas.least)
    return np.clip(np.maximum(found.distance / atlas.farthest, by_score), 0.0, FARTHEST)


# What undoes a turn or a negative, by the words for the fault. A mirrored radiograph is not among them: the layouts of
# a chest and of its mirror image are too alike, and a heart on the right can be a person's own.
AS_IT_IS, INVERTED = "as it is", "inverted"
TURNED: Final = {
    "rotated by 90 degrees clockwise": 1,
    "upside down": 2,
    "rotated by 90 degrees anticlockwise": 3,
}


def views(picture: Float32) -> dict[str, Float32]:
    """A layout ``(32, 32)`` as it is, turned back and inverted, each ``(1024,)``, by what would be wrong with it."""
    found = {AS_IT_IS: picture, INVERTED: -picture}
    for words, quarters in TURNED.items():
        # rot90 turns anticlockwise, which undoes a clockwise turn.
        found[words] = np.rot90(picture, quarters)
        found[f"{INVERTED} and {words}"] = -found[words]
    return {words: np.ascontiguousarray(view).ravel() for words, view in found.items()}
