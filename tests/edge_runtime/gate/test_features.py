import numpy as np
import pytest
from msgspec.structs import replace

from edge_runtime.gate import after
from edge_runtime.gate.features import compressed, distances
from tests.gates import wide_open


def test_the_distance_is_to_the_nearest_class() -> None:
    statistics = replace(wide_open(3).features, classes=np.array([[0.0], [2.0]], np.float32))
    # One channel is whitened, the others are outside; e**2 - 1 is drawn in to 2.
    pooled = np.array([[0.0, 0, 0], [np.e**2 - 1, 0, 0], [np.e - 1, 0, 0], [0.0, np.e - 1, 0]])

    found = distances(pooled, statistics)

    assert found == pytest.approx([0.0, 0.0, 1.0, np.sqrt(0.5)], abs=1e-5)


def test_drawing_in_keeps_sign_and_order() -> None:
    values = np.array([-9.0, -1.0, 0.0, 1.0, 9.0], np.float32)

    drawn = compressed(values)

    assert (np.diff(drawn) > 0).all()
    np.testing.assert_allclose(drawn, -drawn[::-1])


def test_after_is_one_at_the_limit() -> None:
    gate = wide_open(3)
    gate = replace(gate, features=replace(gate.features, farthest=1.0))

    assert after(np.array([np.e - 1, 0, 0]), gate) == pytest.approx(1.0)
