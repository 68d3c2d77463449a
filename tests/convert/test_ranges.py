import numpy as np
import pytest

from convert import ranges
from convert.ranges import FEATURES, INPUT, SCORES, Statistics
from tests.convert.models import noise, tiny_network


def test_observation_counts_every_value_once() -> None:
    folded, pixels = tiny_network(), noise(5, 16)
    done: list[int] = []

    seen = ranges.observe(folded, pixels, histograms=True, batch=2, advance=done.append)

    exact = {name: np.asarray(x) for name, x in ranges.feature_maps(folded, pixels.astype(np.float32)).items()}
    assert set(seen) == {"first", "second", "head", SCORES, FEATURES}
    for name, x in exact.items():
        assert seen[name].counts.sum() == x.size
        assert seen[name].high == pytest.approx(x.max(), rel=1e-5)
        assert seen[name].low == pytest.approx(x.min(), rel=1e-5, abs=1e-6)
        np.testing.assert_allclose(seen[name].channel_high, np.abs(x).reshape(-1, x.shape[-1]).max(axis=0), rtol=1e-5)
    assert sum(done) == 2 * len(pixels)


@pytest.mark.parametrize("method", ranges.METHODS)
def test_every_range_holds_zero_and_the_input_is_raw_pixels(method: str) -> None:
    folded = tiny_network()

    chosen = ranges.choose(folded, ranges.observe(folded, noise(5, 16), histograms=True), method)

    assert chosen[INPUT] == (0.0, 255.0)
    assert all(low <= 0 <= high for low, high in chosen.values())


def test_a_lone_outlier_moves_the_extremes_alone() -> None:
    folded = tiny_network()
    counts = np.zeros(2048, np.int64)
    counts[:205], counts[-1] = 10_000, 1
    outlier = Statistics(0.0, 10.0, np.array([10.0]), counts)
    seen = dict.fromkeys(["first", "second", "head", SCORES], outlier)

    high = {method: ranges.choose(folded, seen, method) for method in ranges.METHODS}

    assert high["minmax"]["first"][1] == 10.0
    assert high["percentile"]["first"][1] < 1.1
    assert 1.0 < high["mse"]["first"][1] < 10.0
    # The answers themselves are never cut.
    assert {limits["head"][1] for limits in high.values()} == {limits[SCORES][1] for limits in high.values()} == {12.5}
