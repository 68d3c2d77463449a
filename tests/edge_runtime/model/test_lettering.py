import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.model import lettering
from edge_runtime.model.lettering import Style, write

WHITE = (255, 255, 255)


def dark(height: int = 60, width: int = 300) -> NDArray[np.uint8]:
    return np.full((height, width, 3), 24, np.uint8)


def lit(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((image > 24).any(axis=-1))


@pytest.mark.parametrize("style", ["title", "text", "caption", "small"])
def test_every_letter_is_drawn_and_no_two_alike(style: Style) -> None:
    pictures = {}
    for letter in lettering.LETTERS:
        image = dark()
        write(image, letter, (100, 30), style, WHITE)
        pictures[letter] = image.tobytes()
        assert lit(image).any() == (letter != " ")

    assert len(set(pictures.values())) == len(pictures)


def test_a_line_ends_where_it_is_to_end() -> None:
    image, same = dark(), dark()

    write(image, "0.5: strong", (250, 30), "small", WHITE, to_the_left=True)
    write(same, "0.5: strong", (100, 30), "small", WHITE)

    columns, others = np.flatnonzero(lit(image).any(axis=0)), np.flatnonzero(lit(same).any(axis=0))
    assert 246 <= columns[-1] <= 250
    assert columns[-1] - columns[0] == others[-1] - others[0]


def test_letters_follow_each_other() -> None:
    one, three = dark(), dark()

    write(one, "m", (10, 30), "text", WHITE)
    write(three, "mmm", (10, 30), "text", WHITE)

    assert lit(three).sum() == pytest.approx(3 * lit(one).sum(), rel=0.1)


def test_a_colour_is_mixed_where_a_letter_ends() -> None:
    image = dark()

    write(image, "NORMAL", (10, 30), "title", (240, 120, 60))

    assert tuple(image.reshape(-1, 3).max(axis=0)) == (240, 120, 60)
    assert len(np.unique(image[..., 0])) > 5


@pytest.mark.parametrize("origin", [(-20, 30), (290, 30), (100, 2), (100, 70), (-900, 30), (900, 900)])
def test_what_does_not_fit_is_left_out(origin: tuple[int, int]) -> None:
    image = dark()

    write(image, "pneumonia", origin, "text", WHITE)

    assert image.shape == (60, 300, 3)


def test_a_character_that_is_not_there_is_a_question_mark() -> None:
    image, expected = dark(), dark()

    write(image, "a\u00e4b", (10, 30), "text", WHITE)
    write(expected, "a?b", (10, 30), "text", WHITE)

    np.testing.assert_array_equal(image, expected)
