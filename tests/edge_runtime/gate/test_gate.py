"""The shipped bundle's gate before drawn radiographs, what can be made of them, drawings, and published pictures."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime import gate
from edge_runtime.answer import answer
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.gate.gate import CORRECTED
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from tools import synthetic

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def numbers(installed_bundle: Path) -> gate.Gate:
    return bundle.read(installed_bundle).gate


@pytest.fixture(scope="module")
def radiographs() -> list[Picture]:
    models = synthetic.load()
    return [synthetic.draw(models[name], seed, label=False) for name in synthetic.CLASSES for seed in range(201, 207)]


def test_drawn_radiographs_pass(numbers: gate.Gate, radiographs: list[Picture]) -> None:
    screened = [gate.before(picture, numbers) for picture in radiographs]

    assert [found.reason for found in screened] == [None] * len(radiographs)
    assert all(0.0 < found.distance <= 1.0 and found.notes == () for found in screened)
    assert all(found.grey is picture for found, picture in zip(screened, radiographs, strict=True))


@pytest.mark.parametrize(
    ("quarters", "words"),
    [(-1, "rotated by 90 degrees clockwise"), (2, "upside down"), (1, "rotated by 90 degrees anticlockwise")],
)
def test_turned_radiographs_are_refused_and_most_are_told_why(
    numbers: gate.Gate, radiographs: list[Picture], quarters: int, words: str
) -> None:
    reasons = [
        gate.before(np.ascontiguousarray(np.rot90(picture, quarters)), numbers).reason for picture in radiographs
    ]

    assert None not in reasons
    assert reasons.count(f"{words}: turn it and try again") >= 0.75 * len(reasons)


def test_a_negative_is_turned_into_its_positive(numbers: gate.Gate, radiographs: list[Picture]) -> None:
    screened = [gate.before(np.asarray(255 - picture), numbers) for picture in radiographs]

    corrected = [(found, picture) for found, picture in zip(screened, radiographs, strict=True) if found.notes]
    assert len(corrected) >= 0.75 * len(radiographs)
    for found, picture in corrected:
        assert (found.reason, found.notes) == (None, (CORRECTED,))
        np.testing.assert_array_equal(found.grey, picture)
    # One that is not certain is refused, and never answered as it is.
    assert all(found.reason is not None for found in screened if not found.notes)


def test_halves_and_collages_are_refused(numbers: gate.Gate, radiographs: list[Picture]) -> None:
    for one, other in itertools.pairwise(radiographs):
        for picture in (one[:, :256], one[:, 256:], np.hstack([one, other]), np.tile(one, (2, 2))):
            assert gate.before(np.ascontiguousarray(picture), numbers).reason is not None


def page(seed: int) -> Picture:
    """A page of text."""
    rng = np.random.default_rng(seed)
    paper = np.full((700, 500), 240, np.uint8)
    for y in range(60, 660, 26):
        words = " ".join(["lorem", "ipsum", "dolor", "sit", "amet", "consectetur"][: int(rng.integers(3, 7))])
        cv2.putText(paper, words, (40, y), cv2.FONT_HERSHEY_COMPLEX, 0.6, 20, 1, cv2.LINE_AA)
    return paper


def slice_(seed: int) -> Picture:
    """An axial slice of a trunk: an ellipse with two dark fields and a bright spot, on black."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((512, 512), np.uint8)
    cv2.ellipse(picture, (256, 256), (210, 150), 0, 0, 360, 140, -1)
    for x in (160, 352):
        cv2.ellipse(picture, (x, 250), (70, 95), 0, 0, 360, 30, -1)
    cv2.circle(picture, (256, 350), 26, 230, -1)
    return np.asarray(np.clip(cv2.GaussianBlur(picture, (0, 0), 2) + rng.normal(0, 4, picture.shape), 0, 255), np.uint8)


def noise(sigma: float) -> Picture:
    rough = np.random.default_rng(0).standard_normal((448, 448))
    smooth = np.asarray(cv2.GaussianBlur(rough, (0, 0), sigma)) if sigma else rough
    return np.asarray(np.clip(128 + 45 * smooth / smooth.std(), 0, 255), np.uint8)


@pytest.mark.parametrize(
    "picture",
    [
        *(page(seed) for seed in range(3)),
        *(slice_(seed) for seed in range(3)),
        *(noise(sigma) for sigma in (0, 2, 8, 32, 64)),
        np.full((300, 300), 0, np.uint8),
        np.full((300, 300), 130, np.uint8),
        np.tile(np.linspace(0, 255, 300).astype(np.uint8), (300, 1)),
        (255 * (np.indices((320, 320)).sum(axis=0) // 40 % 2)).astype(np.uint8),
    ],
)
def test_what_is_no_radiograph_is_refused(numbers: gate.Gate, picture: Picture) -> None:
    found = gate.before(picture, numbers)

    assert found.reason is not None
    assert found.distance > 1.0
    assert found.notes == ()


@pytest.fixture(scope="module")
def classifier(installed_bundle: Path) -> Classifier:
    opened = bundle.read(installed_bundle)
    return Classifier(opened, open_engine(opened))


def _reasons(folder: Path, classifier: Classifier) -> dict[str, str | None]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {
        file.name: answer(
            file.name, file.read_bytes(), classifier, clock=SYSTEM_CLOCK, received=SYSTEM_CLOCK.now()
        ).finding.reason
        for file in files
    }


def test_pictures_that_are_no_radiographs_are_refused(chest_xray: Path, classifier: Classifier) -> None:
    folder = chest_xray.parent / "not_chest"
    if not folder.is_dir():
        pytest.skip(f"needs pictures that are no radiographs in {folder}")

    answered = [name for name, reason in _reasons(folder, classifier).items() if reason is None]

    assert answered == []


def test_radiographs_at_their_original_size_are_answered(chest_xray: Path, classifier: Classifier) -> None:
    folder = chest_xray.parent / "originals"
    if not folder.is_dir():
        pytest.skip(f"needs radiographs at their original size in {folder}")

    refused = {name: reason for name, reason in _reasons(folder, classifier).items() if reason is not None}

    assert refused == {}
