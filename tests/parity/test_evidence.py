"""Does the evidence map of the shipped models add up to the answer it explains?"""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.model import bundle
from edge_runtime.model.classifier import Answer, Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.radiograph.prepare import prepare
from tools import synthetic


@pytest.fixture(scope="module")
def classifier(installed_bundle: Path) -> Classifier:
    opened = bundle.read(installed_bundle)
    return Classifier(opened, open_engine(opened, threads=1))


def test_the_mean_of_the_map_is_the_log_odds_of_every_golden_input(classifier: Classifier) -> None:
    _compare(classifier, classifier.bundle.golden.pixels)


def test_the_mean_of_the_map_is_the_log_odds_of_drawn_radiographs(classifier: Classifier) -> None:
    models = synthetic.load()
    drawn = [prepare(synthetic.draw(models[name], seed)) for name in synthetic.CLASSES for seed in (201, 202)]

    _compare(classifier, np.concatenate(drawn))


def _compare(classifier: Classifier, pixels: NDArray[np.uint8]) -> None:
    answers = [classifier.classify(image[np.newaxis]) for image in pixels]
    temperature, quantization = classifier.bundle.info.temperature, classifier.engine.quantization

    odds = np.array([_log_odds(answer, temperature) for answer in answers])
    means = np.array([answer.map.mean(dtype=np.float64) for answer in answers])
    sums = np.array([answer.map.sum(dtype=np.float64) for answer in answers]) / answers[0].map.size

    # Half a step in each cell and half in the score, of the difference of two classes.
    step = (quantization.map_scale + quantization.scores_scale) / temperature
    assert np.abs(means - odds).max() <= step
    assert np.abs(sums - odds).max() <= step
    assert np.abs(odds).max() > 5 * step, "the bound would say nothing of so small a figure"


def _log_odds(answer: Answer, temperature: float) -> float:
    normal, bacterial, viral = answer.logits.astype(np.float64) / temperature
    return float(np.logaddexp(bacterial, viral) - normal)
