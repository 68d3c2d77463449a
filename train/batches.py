"""Training batches, made ahead on threads: balanced draws, augmented, mixed; the same for the same seed."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import msgspec
import numpy as np
from numpy.typing import NDArray

from train.augment import Augmentation, augment

_AHEAD = 4
# Stands where an image's generator has the image's place in the epoch, which is never so large.
_MIXUP = 2**31 - 1


class Plan(msgspec.Struct, frozen=True):
    """What the batches of a stage are like."""

    size: int
    batch: int
    mixup: float
    label_smoothing: float
    augmentation: Augmentation
    seed: int


def steps_per_epoch(images: int, batch: int) -> int:
    """Whole batches in an epoch of as many draws as there are images."""
    return max(1, images // batch)


def balanced_order(
    pneumonia: NDArray[np.bool_], rng: np.random.Generator, weights: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    """Draw as many images as there are, half of them normal, each class passing through all its images in turn.

    Args:
        pneumonia: ``bool`` of shape ``(n,)``.
        rng: Source of the order.
        weights: How often each image is to come within its class, ``(n,)``, above 0; ``None`` for all alike. Systematic
            resampling: an image comes as often as its weight says, give or take one.

    Returns:
        ``int64`` of shape ``(n,)``: indices of the images.
    """
    halves = []
    for members, count in (
        (np.flatnonzero(~pneumonia), len(pneumonia) // 2),
        (np.flatnonzero(pneumonia), -(-len(pneumonia) // 2)),
    ):
        shuffled = rng.permutation(members)
        shares = np.ones(len(members)) if weights is None else weights[shuffled]
        upto = np.cumsum(shares) / shares.sum()
        places = np.searchsorted(upto, (rng.random() + np.arange(count)) / count, side="right")
        halves.append(shuffled[np.minimum(places, len(members) - 1)])
    return rng.permutation(np.concatenate(halves))


def epoch_batches(
    pixels: NDArray[np.uint8],
    targets: NDArray[np.float32],
    plan: Plan,
    epoch: int,
    pool: ThreadPoolExecutor,
    weights: NDArray[np.float64] | None = None,
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """The batches of one epoch. Every random choice hangs on the seed, the epoch and the image's place in it alone.

    Args:
        pixels: ``uint8`` of shape ``(n, rows, columns, 1)``.
        targets: ``float32`` of shape ``(n, 3)``.
        plan: What the batches are like.
        epoch: Counted from the start of the training, so that a resumed one goes on where it was.
        pool: Threads that make batches ahead.
        weights: How often each image is to come within its class, as ``balanced_order`` takes them.

    Yields:
        Grey pixels ``float32 (batch, size, size, 1)``, 0 to 255, and targets ``float32 (batch, 3)``.
    """
    order = balanced_order(targets[:, 0] < 0.5, np.random.default_rng([plan.seed, epoch]), weights)

    def make(step: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        places = range(step * plan.batch, min((step + 1) * plan.batch, len(order)))
        drawn = [
            augment(
                pixels[order[i], :, :, 0], plan.size, plan.augmentation, np.random.default_rng([plan.seed, epoch, i])
            )
            for i in places
        ]
        images = np.stack(drawn)[..., None].astype(np.float32)
        answers = targets[order[list(places)]]
        answers = answers * (1 - plan.label_smoothing) + plan.label_smoothing / answers.shape[1]
        return _mixed(images, answers, plan.mixup, np.random.default_rng([plan.seed, epoch, _MIXUP, step]))

    pending: list[Future[tuple[NDArray[np.float32], NDArray[np.float32]]]] = []
    steps = steps_per_epoch(len(order), plan.batch)
    for step in range(steps + _AHEAD):
        if step < steps:
            pending.append(pool.submit(make, step))
        if step >= _AHEAD and pending:
            yield pending.pop(0).result()
    while pending:
        yield pending.pop(0).result()


def _mixed(
    images: NDArray[np.float32], targets: NDArray[np.float32], alpha: float, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mixup (Zhang et al. 2018, arXiv:1710.09412), on every other batch so that plain radiographs stay familiar."""
    if alpha == 0 or rng.random() < 0.5:
        return images, targets
    share = np.float32(rng.beta(alpha, alpha))
    other = rng.permutation(len(images))
    return share * images + (1 - share) * images[other], share * targets + (1 - share) * targets[other]
