"""The report of a judgement, without a training before it."""

import html
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convert import operating
from train import points, report
from train.evaluate import figures, share
from train.judge import Judgement, Scored, Types, WithoutAcquisition

RUN = report.Run("python -m train", 0, "float32", "tensorflow", {"keras": "3"}, "0" * 64, {"train": {"normal": 1}})
TYPES = Types(20, 15, share(15, 20), 0.8, 0.6, 0.9)


def _scored(seed: int, spread: float) -> Scored:
    rng = np.random.default_rng(seed)
    pneumonia = np.arange(60) < 40
    probability = 1 / (1 + np.exp(-rng.normal(0, spread, 60) - np.where(pneumonia, 2.0, -2.0)))
    return Scored(probability, pneumonia, figures(probability, pneumonia))


def _judgement(*, tested: bool) -> Judgement:
    plain, shifted = _scored(0, 1.0), {"gamma 0.6": _scored(1, 2.0), "noise & co": _scored(2, 1.5)}
    chosen = points.choose({"": plain.answers} | {name: scored.answers for name, scored in shifted.items()})
    test = (_scored(3, 1.0), TYPES) if tested else (None, None)
    return Judgement(0.8, chosen, plain, shifted, TYPES, WithoutAcquisition(0.95, 0.52, 0.98), *test)


@pytest.fixture
def judgement() -> Judgement:
    return _judgement(tested=True)


def _metrics(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def test_conversion_reads_what_was_chosen(judgement: Judgement, tmp_path: Path) -> None:
    report.write(tmp_path, judgement, {}, RUN)

    found = operating.read(tmp_path)

    assert (found.temperature, found.default) == (0.8, "balanced")
    assert found.points == judgement.points.thresholds
    assert found.uncertain == (judgement.points.uncertain.low, judgement.points.uncertain.high)


def test_each_point_is_told_on_validation_under_shift_and_on_test(judgement: Judgement, tmp_path: Path) -> None:
    report.write(tmp_path, judgement, {}, RUN)

    for name, found in _metrics(tmp_path)["operating_points"].items():
        threshold = judgement.points.thresholds[name]
        expected = figures(*judgement.validation.answers, threshold)
        assert found["validation"]["sensitivity"]["count"] == expected.sensitivity.count
        assert found["validation"]["specificity"]["count"] == expected.specificity.count
        assert found["validation"]["worst_sensitivity"]["change"] in judgement.shifted
        assert judgement.test is not None
        tested = figures(*judgement.test.answers, threshold)
        assert found["test"]["specificity"]["count"] == tested.specificity.count


def test_the_band_is_told_on_every_set(judgement: Judgement, tmp_path: Path) -> None:
    report.write(tmp_path, judgement, {}, RUN)

    band = _metrics(tmp_path)["uncertain"]
    for name, scored in (("validation", judgement.validation), ("test", judgement.test)):
        assert scored is not None
        inside = (band["low"] <= scored.probability) & (scored.probability <= band["high"])
        assert band[name]["inside"]["count"] == inside.sum()
        wrong = band[name]["wrong_inside"]["count"] + band[name]["wrong_outside"]["count"]
        assert wrong == len(scored.pneumonia) - scored.figures.right
    assert 0 < band["validation_under_shift"]["inside"] < 1


def test_the_page_shows_points_band_types_and_calibration(judgement: Judgement, tmp_path: Path) -> None:
    page = report.write(tmp_path, judgement, {}, RUN).read_text()

    text = html.unescape(re.sub(r"<[^>]*>", " ", page))
    for name, threshold in judgement.points.thresholds.items():
        assert re.search(rf"\b{name}\s+{threshold:g}\s+validation\b", text)
    assert f"uncertain from a probability of {judgement.points.uncertain.low:g} to" in text
    assert "15 of 20, 75.0%" in text
    assert "0.800 (0.600 to 0.900)" in text
    assert f"{judgement.validation.figures.brier:.3f}" in text
    assert "noise & co" in text
    assert "noise & co" not in page
    assert "Research software, not a medical device." in text


def test_without_a_look_at_test_nothing_is_said_of_it(tmp_path: Path) -> None:
    page = report.write(tmp_path, _judgement(tested=False), {}, RUN).read_text()

    metrics = _metrics(tmp_path)
    assert "test" not in metrics
    assert all("test" not in point for point in metrics["operating_points"].values())
    assert "test" not in metrics["uncertain"]
    assert not re.search(r"<td>test</td>", page)


def test_what_acquisition_alone_tells_stands_beside_the_model(judgement: Judgement, tmp_path: Path) -> None:
    page = report.write(tmp_path, judgement, {}, RUN).read_text()

    assert _metrics(tmp_path)["validation_without_acquisition"]["model_weighted"] == 0.98
    assert re.search(r"AUC of 0\.950.*reach\s+0\.520, and the model 0\.980", page)
