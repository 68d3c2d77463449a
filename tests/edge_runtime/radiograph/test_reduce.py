import pytest

from edge_runtime.radiograph.reduce import Sides, factor


@pytest.mark.parametrize(
    ("least", "by"),
    [
        (Sides(75, 100), 8),
        (Sides(76, 100), 4),
        (Sides(75, 101), 4),
        (Sides(150, 200), 4),
        (Sides(300, 400), 2),
        (Sides(301, 400), 1),
        (Sides(1000, 1000), 1),
    ],
)
@pytest.mark.parametrize("size", [(800, 600), (600, 800)])
def test_both_sides_keep_their_pixels_whichever_is_longer(size: tuple[int, int], least: Sides, by: int) -> None:
    assert factor(size, least) == by
