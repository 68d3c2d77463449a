"""Does the heat map show what the answer hangs on? Cover its hottest tenth and see how far the log odds fall.

Covered pixels are filled with what surrounds them, weighted by distance (normalized convolution, Knutsson and Westin
1993). A black patch would be simpler and measure something else: the model has never seen one, and its edges alone move
an answer (Hooker et al. 2019, arXiv:1806.10758; Samek et al. 2017, doi 10.1109/TNNLS.2016.2599820).

Two comparisons, each with as many pixels and the same outline. *Random*: the same cover, mirrored and shifted anywhere,
around the edges of the picture. *Borrowed*: the hottest tenth of another radiograph, which lies where lungs lie; the
map beats it only if it knows this radiograph and not radiographs alone.
"""

from collections.abc import Callable, Sequence

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from convert.statistics import Mean, Share, mean, share

SHARE, DRAWS, SEED = 0.1, 3, 0
# Of the weights of the fill, as a share of the picture's side: a cell of the map.
_FILL = 1 / 14

Advance = Callable[[int], None]


class Against(msgspec.Struct, frozen=True):
    """The hottest tenth against other tenths.

    Attributes:
        drop: Mean fall of the log odds when another tenth is covered, over images and draws.
        difference: How much further it falls under the hottest, paired by image.
        wins: Images in which it falls further under the hottest than under the others on average.
    """

    drop: Mean
    difference: Mean
    wins: Share


class Occlusion(msgspec.Struct, frozen=True):
    """What covering a tenth of the picture takes from the log odds of pneumonia."""

    images: int
    covered: float
    draws: int
    hottest: Mean
    random: Against
    borrowed: Against


def measure(
    pixels: Sequence[NDArray[np.uint8]],
    maps: Sequence[NDArray[np.float32]],
    log_odds: Sequence[float],
    score: Callable[[NDArray[np.uint8]], float],
    advance: Advance = lambda _: None,
) -> Occlusion | None:
    """Cover radiographs of pneumonia, one after the other.

    Args:
        pixels: Model inputs, each ``uint8`` of shape ``(height, width)``.
        maps: Their evidence maps, each ``float32`` of shape ``(rows, columns)``.
        log_odds: Of pneumonia, of each as it is.
        score: Log odds of one covered model input.
        advance: Called with 1 for each radiograph done.

    Returns:
        ``None`` for fewer than two radiographs, which have no other to borrow from.
    """
    if len(pixels) < 2:
        return None
    drops = np.empty((len(pixels), 1 + 2 * DRAWS))
    masks = [hottest(found, image.shape[0], image.shape[1]) for found, image in zip(maps, pixels, strict=True)]
    for index, (image, before) in enumerate(zip(pixels, log_odds, strict=True)):
        rng = np.random.default_rng([SEED, index])
        # A step from 1 to n - 1 around the row of radiographs never comes back to the same one.
        others = (index + rng.integers(1, len(masks), DRAWS)) % len(masks)
        covers = [masks[index], *(moved(masks[index], rng) for _ in range(DRAWS)), *(masks[i] for i in others)]
        drops[index] = [before - score(cover(image, mask)) for mask in covers]
        advance(1)
    own, random, borrowed = drops[:, 0], drops[:, 1 : 1 + DRAWS], drops[:, 1 + DRAWS :]
    return Occlusion(
        images=len(pixels),
        covered=SHARE,
        draws=DRAWS,
        hottest=mean(own),
        random=_against(own, random),
        borrowed=_against(own, borrowed),
    )


def hottest(evidence: NDArray[np.float32], height: int, width: int, part: float = SHARE) -> NDArray[np.bool_]:
    """The pixels of the strongest evidence: ``bool`` of shape ``(height, width)``, a tenth of them set.

    The map is brought to the picture as the heat map is.
    """
    full = cv2.resize(evidence, (width, height), interpolation=cv2.INTER_CUBIC)
    mask = np.zeros(height * width, np.bool_)
    mask[np.argsort(-full, axis=None, kind="stable")[: round(part * height * width)]] = True
    return mask.reshape(height, width)


def moved(mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """The same cover elsewhere: mirrored or not, and shifted; what leaves on one side enters on the other."""
    height, width = mask.shape
    turned = mask[:: rng.choice([1, -1]), :: rng.choice([1, -1])]
    return np.roll(turned, (int(rng.integers(height)), int(rng.integers(width))), (0, 1))


def cover(image: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The picture with the pixels of the mask filled from around them.

    Args:
        image: ``uint8`` of shape ``(height, width)``.
        mask: ``bool`` of that shape, not all of it set.

    Returns:
        As ``image``.
    """
    known = (~mask).astype(np.float32)
    sigma = _FILL * max(image.shape)
    weights = cv2.GaussianBlur(known, (0, 0), sigma)
    sums = cv2.GaussianBlur(image.astype(np.float32) * known, (0, 0), sigma)
    # Out of reach of everything known, in the middle of a very large cover.
    far = float(image[~mask].mean())
    fill = np.where(weights > 1e-4, sums / np.maximum(weights, 1e-4), far)
    return np.where(mask, np.clip(np.rint(fill), 0, 255), image).astype(np.uint8)


def _against(own: NDArray[np.float64], others: NDArray[np.float64]) -> Against:
    theirs = others.mean(axis=1)
    return Against(mean(theirs), mean(own - theirs), share(int((own > theirs).sum()), len(own)))
