import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.gate.atlas import AS_IT_IS, INVERTED, layout, place, scaled, views
from tests.datasets import draw
from tests.gates import wide_open


def chest() -> NDArray[np.uint8]:
    small = draw(np.random.default_rng(0), 0)
    return np.asarray(np.kron(small, np.ones((3, 3), np.uint8))[:224, :224])


def test_a_layout_does_not_know_exposure_and_a_negative_negates_it() -> None:
    pixels = chest()

    found = layout(pixels)

    assert found.shape == (32, 32)
    np.testing.assert_allclose(layout(np.asarray(255 - pixels)), -found, atol=1e-4)
    np.testing.assert_allclose(layout(np.asarray(pixels - 20)), found, atol=1e-4)


def test_a_flat_picture_has_a_flat_layout() -> None:
    assert not layout(np.full((224, 224), 90, np.uint8)).any()


@pytest.mark.parametrize(
    ("quarters", "words"),
    [(-1, "rotated by 90 degrees clockwise"), (2, "upside down"), (1, "rotated by 90 degrees anticlockwise")],
)
def test_each_view_undoes_what_it_is_named_after(quarters: int, words: str) -> None:
    upright = layout(chest())
    turned = np.rot90(upright, quarters)

    found = views(np.ascontiguousarray(turned))

    np.testing.assert_array_equal(found[words], upright.ravel())
    np.testing.assert_array_equal(found[f"{INVERTED} and {words}"], -upright.ravel())
    np.testing.assert_array_equal(found[AS_IT_IS], turned.ravel())


def test_mahalanobis_distance_and_residual_add_up() -> None:
    atlas = wide_open(1).atlas
    layouts = np.zeros((2, 1024), np.float32)
    layouts[0, :2] = 3.0, 4.0  # within both components: mean square 12.5
    layouts[1, 2] = 32.0  # outside: 1024 / 1024

    found = place(layouts, atlas)

    assert found.distance == pytest.approx([np.sqrt(12.5), 1.0])
    assert found.score == pytest.approx([0.0, 0.0])
    assert scaled(found, atlas).max() < 1e-4
