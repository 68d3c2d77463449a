from dataclasses import replace

import numpy as np

from convert import graph, ranges
from convert.equalize import equalize
from convert.fold import Folded
from tests.convert.models import noise, tiny_network


def _lopsided() -> Folded:
    """One channel of the first feature map a hundred times the others, and its kernel column as much smaller."""
    folded = tiny_network()
    first, second, head = folded.convolutions
    factor = np.ones(6, np.float32)
    factor[2] = 100.0
    return folded.with_convolutions(
        (
            replace(first, kernel=first.kernel * factor, bias=first.bias * factor),
            replace(second, kernel=second.kernel / factor[:, np.newaxis]),
            head,
        )
    )


def test_an_equalized_network_answers_the_same() -> None:
    folded, pixels = _lopsided(), noise(6, 16)
    seen = ranges.observe(folded, pixels)

    even = equalize(folded, {name: statistics.channel_high for name, statistics in seen.items()})

    for before, after in zip(graph.predict(folded, pixels), graph.predict(even, pixels), strict=True):
        np.testing.assert_allclose(after, before, atol=1e-4)


def test_a_channel_that_overshadows_the_others_is_brought_down() -> None:
    folded, pixels = _lopsided(), noise(6, 16)
    seen = ranges.observe(folded, pixels)

    even = equalize(folded, {name: statistics.channel_high for name, statistics in seen.items()})

    before, after = (s["first"].channel_high for s in (seen, ranges.observe(even, pixels)))
    assert before.max() / np.median(before) > 10
    assert after.max() / np.median(after) < 5


def test_a_dead_channel_does_not_blow_up() -> None:
    folded = tiny_network()
    first, *rest = folded.convolutions
    dead = replace(first, kernel=first.kernel * np.array([0, 1, 1, 1, 1, 1], np.float32), bias=np.zeros(6, np.float32))
    folded = folded.with_convolutions((dead, *rest))
    seen = ranges.observe(folded, noise(6, 16))

    even = equalize(folded, {name: statistics.channel_high for name, statistics in seen.items()})

    assert all(np.isfinite(layer.kernel).all() and np.isfinite(layer.bias).all() for layer in even.convolutions)
