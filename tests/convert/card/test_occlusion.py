import numpy as np
import pytest
from numpy.typing import NDArray

from convert.card import occlusion

SIDE, CELL = 112, 8  # 14 cells a side

Pictures = list[NDArray[np.uint8]]
Maps = list[NDArray[np.float32]]


@pytest.fixture
def spotted() -> tuple[Pictures, Maps]:
    """Dark pictures with one bright square of 4 x 4 cells, at another place in each, and maps that know where."""
    pictures, maps = [], []
    for index in range(12):
        row, column = 1 + index % 4 * 2, index // 4 * 4
        picture, evidence = np.full((SIDE, SIDE), 40, np.uint8), np.zeros((14, 14), np.float32)
        picture[row * CELL : (row + 4) * CELL, column * CELL : (column + 4) * CELL] = 200
        evidence[row : row + 4, column : column + 4] = 5.0
        pictures.append(picture)
        maps.append(evidence)
    return pictures, maps


def brightness(picture: NDArray[np.uint8]) -> float:
    """A model that goes by the bright square alone."""
    return float((picture > 120).mean() * 100)


def test_the_hottest_tenth_is_a_tenth_and_lies_where_the_map_is_highest() -> None:
    evidence = np.zeros((14, 14), np.float32)
    evidence[2:8, 9:13] = 3.0

    mask = occlusion.hottest(evidence, 224, 224)

    assert mask.shape == (224, 224)
    assert mask.sum() == round(0.1 * 224 * 224)
    assert mask[2 * 16 : 8 * 16, 9 * 16 : 13 * 16].sum() > 0.95 * mask.sum()


def test_a_moved_cover_is_as_large_and_elsewhere() -> None:
    mask = np.zeros((60, 80), np.bool_)
    mask[5:15, 10:40] = True

    others = [occlusion.moved(mask, np.random.default_rng(seed)) for seed in range(5)]

    assert all(other.sum() == mask.sum() for other in others)
    assert any((other != mask).any() for other in others)


def test_a_cover_takes_away_what_it_covers_and_nothing_else() -> None:
    picture = np.tile(np.linspace(50, 90, SIDE), (SIDE, 1)).round().astype(np.uint8)
    plain = picture.copy()
    picture[40:60, 40:60] = 255
    mask = np.zeros_like(picture, np.bool_)
    mask[38:62, 38:62] = True

    covered = occlusion.cover(picture, mask)

    assert covered.dtype == np.uint8
    assert (covered[~mask] == picture[~mask]).all()
    assert np.abs(covered[mask].astype(int) - plain[mask]).max() <= 6, "what surrounds it goes on through it"


def test_the_middle_of_a_cover_out_of_reach_of_the_rest_takes_its_mean() -> None:
    picture = np.full((200, 200), 80, np.uint8)
    mask = np.ones((200, 200), np.bool_)
    mask[:4] = False

    assert (occlusion.cover(picture, mask) == 80).all()


def test_a_map_that_knows_what_the_answer_hangs_on_wins_everywhere(spotted: tuple[Pictures, Maps]) -> None:
    pictures, maps = spotted

    found = occlusion.measure(pictures, maps, [brightness(picture) for picture in pictures], brightness)

    assert found is not None
    assert (found.images, found.draws, found.covered) == (12, 3, 0.1)
    assert found.random.wins.count == found.borrowed.wins.count == 12
    assert found.random.difference.low > 0
    assert found.borrowed.difference.low > 0
    assert found.hottest.value > 2 * found.random.drop.value


def test_a_map_that_lies_loses(spotted: tuple[Pictures, Maps]) -> None:
    pictures, maps = spotted

    found = occlusion.measure(pictures, [-m for m in maps], [brightness(picture) for picture in pictures], brightness)

    assert found is not None
    assert found.hottest.value <= 0.0, "the bright square is never covered"
    assert found.random.difference.high < 0


def test_the_draws_are_the_same_every_time_and_the_others_are_others(spotted: tuple[Pictures, Maps]) -> None:
    pictures, maps = spotted
    scores = [brightness(picture) for picture in pictures]

    first, second = (occlusion.measure(pictures[:2], maps[:2], scores[:2], brightness) for _ in range(2))

    assert first == second
    assert first is not None
    # Of two radiographs the other's hottest tenth is the only one to borrow: three draws, one and the same fall.
    falls = [
        before - brightness(occlusion.cover(picture, occlusion.hottest(other, SIDE, SIDE)))
        for picture, other, before in zip(pictures[:2], (maps[1], maps[0]), scores[:2], strict=True)
    ]
    assert first.borrowed.drop.value == pytest.approx(np.mean(falls))


def test_one_radiograph_alone_is_not_measured(spotted: tuple[Pictures, Maps]) -> None:
    assert occlusion.measure(spotted[0][:1], spotted[1][:1], [1.0], brightness) is None
