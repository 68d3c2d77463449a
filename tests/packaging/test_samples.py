"""The synthetic radiographs that `make watch` shows."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.classify import classify
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from tests.packaging.places import SAMPLES
from tools import synthetic


def test_there_are_six_of_each_class() -> None:
    names = [path.name for path in SAMPLES]

    assert names == [f"synthetic-{name}-{number}.png" for name in synthetic.CLASSES for number in range(1, 7)]


@pytest.mark.parametrize("name", synthetic.CLASSES)
def test_samples_are_drawn_from_the_committed_model(name: str, tmp_path: Path) -> None:
    synthetic.main(["draw", "--out", str(tmp_path), "--count", "1"])

    drawn, committed = (
        cv2.imread(str(folder / f"synthetic-{name}-1.png"), cv2.IMREAD_GRAYSCALE)
        for folder in (tmp_path, SAMPLES[0].parent)
    )

    assert drawn is not None
    assert committed is not None
    # Another version of OpenCV may round another way.
    assert np.abs(drawn.astype(int) - committed).max() <= 2


def test_a_drawing_is_no_average_and_no_other_drawing() -> None:
    model = synthetic.load()["normal"]

    first, second = (synthetic.draw(model, seed, 224, 224, label=False).astype(float) for seed in (1, 2))

    assert np.abs(first - second).mean() > 5
    assert np.abs(first - model.mean).mean() > 5


def test_label_changes_one_corner_alone() -> None:
    model = synthetic.load()["normal"]

    changed = synthetic.draw(model, 1) != synthetic.draw(model, 1, label=False)

    rows, columns = np.nonzero(changed)
    assert len(rows) > 100
    assert rows.min() > 0.9 * changed.shape[0]
    assert columns.max() < 0.3 * changed.shape[1]


def test_the_fit_finds_what_differs_within_a_class() -> None:
    """Images that differ in brightness alone have one component, and drawings that differ in brightness alone."""
    rows, columns = np.mgrid[:224, :224]
    base = 100 + 40 * np.sin(rows / 9) * np.cos(columns / 7)
    images = [np.clip(base + level, 0, 255).astype(np.uint8) for level in np.linspace(-30, 30, 40)]

    model = synthetic.fit(images, images)["pneumonia"]

    scale = model.appearance.scale * np.abs(model.appearance.directions).max(axis=1)
    assert scale[0] > 20 * scale[1]
    differences = synthetic.draw(model, 1, 224, 224, label=False).astype(float) - synthetic.draw(
        model, 2, 224, 224, label=False
    )
    assert abs(differences.mean()) > 2 * np.std(cv2.blur(differences, (15, 15)))


def test_bundled_models_answer_the_samples_as_their_class(installed_bundle: Path) -> None:
    opened = bundle.read(installed_bundle)

    findings = list(classify(SAMPLES, Classifier(opened, open_engine(opened)), SYSTEM_CLOCK))

    assert [finding.label for finding in findings] == ["NORMAL"] * 6 + ["PNEUMONIA"] * 6
