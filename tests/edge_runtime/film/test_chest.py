import numpy as np
import pytest

from edge_runtime.film import chest
from tests.edge_runtime.film.scenes import radiograph


@pytest.mark.parametrize("name", ["normal", "pneumonia"])
@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("inverted", [False, True])
def test_a_chest_is_known_however_it_lies(name: str, quarters: int, inverted: bool) -> None:
    for seed in range(311, 315):
        picture = radiograph(seed, name)
        turned = np.ascontiguousarray(np.rot90(255 - picture if inverted else picture, -quarters))

        found = chest.view(turned)

        assert (found.quarters, found.inverted) == (quarters, inverted)
        assert found.likeness > 0.4
        assert found.clear > 0.0


def test_a_mirrored_chest_is_not_told() -> None:
    found = [chest.view(np.ascontiguousarray(radiograph(seed)[:, ::-1])) for seed in range(311, 315)]

    assert [(view.quarters, view.inverted) for view in found] == [(0, False)] * 4


def test_a_blank_picture_is_like_nothing() -> None:
    assert chest.view(np.full((100, 100), 128, np.uint8)).likeness < 0.001


def test_noise_is_little_like_a_chest() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (160, 160), np.uint8)

    assert chest.view(noise).likeness < 0.27
