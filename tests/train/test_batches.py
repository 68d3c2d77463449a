from concurrent.futures import ThreadPoolExecutor

import msgspec
import numpy as np
from numpy.typing import NDArray

from tests.datasets import draw
from train.augment import Augmentation
from train.batches import Plan, balanced_order, epoch_batches, steps_per_epoch

PLAN = Plan(size=64, batch=4, mixup=0.2, label_smoothing=0.1, augmentation=Augmentation(), seed=3)


def _images(count: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    labels = np.arange(count) % 3
    return np.stack([draw(rng, int(label))[..., None] for label in labels]), np.eye(3, dtype=np.float32)[labels]


def _epoch(epoch: int, plan: Plan = PLAN, workers: int = 2) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    pixels, targets = _images(18)
    with ThreadPoolExecutor(workers) as pool:
        return list(epoch_batches(pixels, targets, plan, epoch, pool))


def test_half_of_the_draws_are_normal_and_each_class_passes_through_its_images() -> None:
    pneumonia = np.array([False] * 4 + [True] * 12)

    order = balanced_order(pneumonia, np.random.default_rng(0))

    assert len(order) == 16
    assert pneumonia[order].sum() == 8
    assert [int((order == i).sum()) for i in range(4)] == [2, 2, 2, 2]
    assert max(int((order == i).sum()) for i in range(4, 16)) == 1


def test_epoch_yields_whole_batches_of_the_training_size() -> None:
    batches = _epoch(0)

    assert len(batches) == steps_per_epoch(18, 4) == 4
    assert {images.shape for images, _ in batches} == {(4, 64, 64, 1)}
    assert {images.dtype for images, _ in batches} == {np.dtype(np.float32)}


def test_targets_stay_shares() -> None:
    for _, targets in _epoch(0):
        np.testing.assert_allclose(targets.sum(axis=1), 1.0, rtol=1e-5)
        assert targets.min() >= 0.1 / 3 - 1e-6


def test_epoch_is_the_same_again_however_many_threads_make_it() -> None:
    for (images, targets), (other_images, other_targets) in zip(
        _epoch(5, workers=1), _epoch(5, workers=4), strict=True
    ):
        np.testing.assert_array_equal(images, other_images)
        np.testing.assert_array_equal(targets, other_targets)


def test_next_epoch_is_another() -> None:
    assert any((a[0] != b[0]).any() for a, b in zip(_epoch(0), _epoch(1), strict=True))


def test_mixup_mixes_two_classes() -> None:
    plain = msgspec.structs.replace(PLAN, mixup=0.0, label_smoothing=0.0)
    mixed = msgspec.structs.replace(plain, mixup=2.0)

    assert all(set(np.unique(targets)) <= {0.0, 1.0} for _, targets in _epoch(0, plain))
    assert any(((targets > 0.05) & (targets < 0.95)).any() for _, targets in _epoch(0, mixed))


def test_weighted_images_come_as_often_as_their_weights_say_and_half_stay_normal() -> None:
    pneumonia = np.array([False] * 20 + [True] * 20)
    weights = np.ones(40)
    weights[0] = 5.0

    order = balanced_order(pneumonia, np.random.default_rng(0), weights)

    assert pneumonia[order].sum() == 20
    # 20 draws of normal images whose weights add up to 24: the heavy one comes 5 * 20 / 24 times, give or take one.
    assert 4 <= int((order == 0).sum()) <= 5
    assert max(int((order == i).sum()) for i in range(1, 20)) <= 1
