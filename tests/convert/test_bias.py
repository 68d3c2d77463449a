from dataclasses import replace

import numpy as np

from convert import bias, graph, ranges
from convert.fold import Folded
from convert.rounding import round_nearest
from tests.convert.models import noise, tiny_network


def _rounded(folded: Folded) -> Folded:
    """The same network with the kernels an int8 model would use."""
    return folded.with_convolutions(tuple(replace(c, kernel=round_nearest(c.kernel)) for c in folded.convolutions))


def test_the_mean_error_of_rounded_kernels_is_taken_out() -> None:
    folded, pixels = tiny_network(), noise(12, 16)
    done: list[int] = []
    limits = ranges.choose(folded, ranges.observe(folded, pixels), "minmax")

    corrected = bias.correct(folded, limits, pixels, batch=5, advance=done.append)

    exact = graph.predict(folded, pixels)[0].mean(axis=0)
    before = np.abs(graph.predict(_rounded(folded), pixels)[0].mean(axis=0) - exact)
    after = np.abs(graph.predict(_rounded(corrected), pixels)[0].mean(axis=0) - exact)
    assert after.max() < before.max()
    assert done == [1, 1, 1]


def test_kernels_stay_as_they_are() -> None:
    folded, pixels = tiny_network(), noise(4, 16)
    limits = ranges.choose(folded, ranges.observe(folded, pixels), "minmax")

    corrected = bias.correct(folded, limits, pixels)

    for before, after in zip(folded.convolutions, corrected.convolutions, strict=True):
        assert after.kernel is before.kernel
        assert after.relu == before.relu
