import pytest

from edge_runtime.film.quality import is_blurred, judge, sharpness


@pytest.mark.parametrize(
    ("sharp", "glare", "grade"),
    [
        (0.9, 0.0, "good"),
        (0.5, 0.005, "good"),
        (0.4, 0.0, "fair"),
        (0.9, 0.05, "fair"),
        (0.09, 0.0, "poor"),
        (0.9, 0.09, "poor"),
    ],
)
def test_grades(sharp: float, glare: float, grade: str) -> None:
    assert judge(sharp, glare, False).grade == grade


def test_sharpness_falls_with_the_blur_of_the_models_pixels() -> None:
    # A blur of one of the model's pixels leaves 29% of stripes four of them wide.
    assert sharpness(0.0, 600) == 1.0
    assert sharpness(600 / 224, 600) == pytest.approx(0.291, abs=0.001)
    assert sharpness(2 * 600 / 224, 600) < 0.01


def test_what_has_no_edge_is_not_sharp() -> None:
    assert sharpness(float("nan"), 600) == 0.0
    assert is_blurred(0.0)
    assert not is_blurred(0.6)
