import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.finding import Label
from edge_runtime.model import heatmap
from edge_runtime.model.classifier import Answer


def an_answer(evidence: NDArray[np.float32], label: Label = "PNEUMONIA", probability: float = 0.9) -> Answer:
    return Answer(label, probability, probability, 0.0, np.zeros(3, np.float32), evidence, np.zeros(4, np.float32))


def flat(value: float) -> NDArray[np.float32]:
    return np.full((14, 14), value, np.float32)


def saturation(picture: NDArray[np.uint8]) -> NDArray[np.int16]:
    """How far each pixel is from grey."""
    return np.asarray(picture.max(axis=-1).astype(np.int16) - picture.min(axis=-1))


@pytest.mark.parametrize("evidence", [0.0, -5.0])
def test_without_evidence_the_radiograph_shows_as_it_is(evidence: float) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (600, 800), dtype=np.uint8)

    picture = heatmap.render(grey, an_answer(flat(evidence), "NORMAL", 0.02))

    np.testing.assert_array_equal(picture[:600], np.repeat(grey[..., np.newaxis], 3, axis=-1))


def test_evidence_colours_its_place_and_no_other() -> None:
    evidence = flat(-1.0)
    evidence[2, 11] = 20.0  # row 2, column 11 of 14

    picture = heatmap.render(np.full((700, 840), 90, np.uint8), an_answer(evidence))[:700]

    coloured = saturation(picture)
    assert np.unravel_index(coloured.argmax(), coloured.shape) == pytest.approx((2.5 * 50, 11.5 * 60), abs=30)
    assert coloured[:, : 840 // 2].max() == 0
    assert coloured[700 // 2 :].max() == 0


def test_more_evidence_is_brighter_and_weak_evidence_stays_faint() -> None:
    grey = np.full((700, 700), 90, np.uint8)

    def centre(peak: float) -> int:
        evidence = flat(0.0)
        evidence[6:8, 6:8] = peak
        return int(saturation(heatmap.render(grey, an_answer(evidence)))[350, 350])

    assert 0 < centre(0.2) < centre(1.0) < centre(4.0)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1000, 2000), (512, 1024)),
        ((2048, 1024), (1024, 512)),
        ((700, 900), (700, 900)),
        ((224, 224), (448, 448)),
        ((64, 48), (512, 384)),
        ((4000, 40), (1024, 10)),
    ],
)
def test_the_aspect_is_kept_and_the_size_bounded(shape: tuple[int, int], expected: tuple[int, int]) -> None:
    picture = heatmap.render(np.full(shape, 255, np.uint8), an_answer(flat(0.0)))

    white = (picture == 255).all(axis=-1)
    rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white[: expected[0]].any(axis=0))
    assert (rows[0], columns[-1] - columns[0] + 1) == (0, expected[1])
    assert white[: expected[0], picture.shape[1] // 2].all()
    assert not white[expected[0]].all()


def test_each_pixel_of_a_small_radiograph_is_drawn_as_a_square() -> None:
    grey = np.random.default_rng(0).integers(0, 256, (224, 200), dtype=np.uint8)

    picture = heatmap.render(grey, an_answer(flat(0.0)))

    left = (560 - 400) // 2
    drawn = picture[:448, left : left + 400, 0]
    np.testing.assert_array_equal(drawn, grey.repeat(2, axis=0).repeat(2, axis=1))


def test_there_is_a_legend_that_tells_answers_apart() -> None:
    grey = np.full((600, 600), 100, np.uint8)
    answers: list[tuple[Label, float]] = [("PNEUMONIA", 0.9), ("NORMAL", 0.1), ("NORMAL", 0.2)]

    legends = [heatmap.render(grey, an_answer(flat(0.0), label, probability))[600:] for label, probability in answers]

    assert all((legend.max(axis=-1) > 200).sum() > 500 for legend in legends), "text is drawn"
    assert all(saturation(legend).max() > 60 for legend in legends), "a colour scale is drawn"
    assert (legends[0] != legends[1]).any()
    assert (legends[1] != legends[2]).any()


def test_text_stays_inside_the_narrowest_picture() -> None:
    picture = heatmap.render(np.full((600, 50), 100, np.uint8), an_answer(flat(1000.0), "PNEUMONIA", 0.99999))

    legend = picture[600:]
    border = np.concatenate([legend[:, :8], legend[:, -8:]], axis=1)
    assert (border == legend[0, 0]).all()


def test_png_is_the_picture() -> None:
    grey, answer = np.full((600, 800), 80, np.uint8), an_answer(flat(3.0))

    data = heatmap.png(grey, answer)

    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(decoded, heatmap.render(grey, answer))
