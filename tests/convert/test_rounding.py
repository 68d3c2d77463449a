from dataclasses import replace

import numpy as np

from convert.fold import Folded
from convert.rounding import STEPS, round_first, round_nearest
from tests.convert.models import noise, tiny_network


def _edge_detectors() -> Folded:
    """A first layer whose filters sum to zero, as weight standardization leaves them."""
    folded = tiny_network()
    first, *rest = folded.convolutions
    kernel = first.kernel - first.kernel.mean(axis=(0, 1, 2), keepdims=True)
    return folded.with_convolutions((replace(first, kernel=kernel), *rest))


def test_rounding_to_nearest_is_within_half_a_step_and_stable() -> None:
    kernel = tiny_network().convolutions[1].kernel

    rounded = round_nearest(kernel)

    step = np.abs(kernel).max(axis=(0, 1, 2)) / STEPS
    assert (np.abs(rounded - kernel) <= 0.5001 * step).all()
    np.testing.assert_allclose(round_nearest(rounded), rounded, rtol=1e-6)


def test_the_searched_first_kernel_lies_on_the_grid() -> None:
    folded = round_first(_edge_detectors(), noise(10, 16))

    kernel = folded.convolutions[0].kernel
    step = np.abs(kernel).max(axis=(0, 1, 2)) / STEPS
    np.testing.assert_allclose(kernel / step, np.round(kernel / step), atol=1e-3)
    np.testing.assert_allclose(round_nearest(kernel), kernel, rtol=1e-5, atol=1e-9)


def test_brightness_leaks_less_than_after_rounding_to_nearest() -> None:
    folded = _edge_detectors()
    exact = folded.convolutions[0].kernel

    searched = round_first(folded, noise(20, 16)).convolutions[0].kernel

    leak = np.abs(searched.sum(axis=(0, 1, 2)))
    nearest = np.abs(round_nearest(exact).sum(axis=(0, 1, 2)))
    assert leak.max() < 0.6 * nearest.max()
    assert leak.mean() < 0.5 * nearest.mean()
    step = np.abs(exact).max(axis=(0, 1, 2)) / STEPS
    assert (np.abs(searched - exact) <= 1.0001 * step).all()


def test_all_but_the_first_kernel_stay() -> None:
    folded = _edge_detectors()

    searched = round_first(folded, noise(10, 16))

    for before, after in zip(folded.convolutions[1:], searched.convolutions[1:], strict=True):
        assert after is before
    assert searched.convolutions[0].bias is folded.convolutions[0].bias


def test_a_first_kernel_too_large_to_search_is_left_alone() -> None:
    folded = tiny_network()
    first, *rest = folded.convolutions
    wide = replace(first, kernel=np.random.default_rng(0).normal(size=(5, 5, 1, 6)).astype(np.float32))
    folded = folded.with_convolutions((wide, *rest))

    assert round_first(folded, noise(4, 16)) is folded
