import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from edge_runtime.model import bundle
from edge_runtime.model.bundle import UncertainBand
from edge_runtime.model.classifier import Classifier, evidence_map, verify_golden
from edge_runtime.model.engines import open_engine
from tests.bundles import example_pixels
from tests.engines import ScriptedEngine, bundle_without_model

PIXELS = np.zeros((1, 224, 224, 1), np.uint8)


def test_probability_is_the_softmax_of_the_logits_over_the_temperature() -> None:
    classifier = Classifier(bundle_without_model(temperature=2.0), ScriptedEngine([16, -16, 0], scale=0.25))

    answer = classifier.classify(PIXELS)

    weights = np.exp(np.array([4.0, -4.0, 0.0]) / 2)
    assert answer.logits.tolist() == [4.0, -4.0, 0.0]
    assert answer.probability == pytest.approx(1 - weights[0] / weights.sum())
    assert answer.bacterial == pytest.approx(weights[1] / weights.sum())
    assert answer.viral == pytest.approx(weights[2] / weights.sum())
    assert answer.bacterial + answer.viral == pytest.approx(answer.probability)


def test_the_zero_point_is_taken_off() -> None:
    classifier = Classifier(bundle_without_model(), ScriptedEngine([10, 20, 30], scale=0.5, zero=10))

    assert classifier.classify(PIXELS).logits.tolist() == [0.0, 5.0, 10.0]


@pytest.mark.parametrize(
    ("scores", "low", "high"), [([127, -128, -128], 0.0, 1e-80), ([-128, 127, -128], 1 - 1e-80, 1.0)]
)
def test_extreme_logits_stay_probabilities(scores: list[int], low: float, high: float) -> None:
    answer = Classifier(bundle_without_model(), ScriptedEngine(scores, scale=1.0)).classify(PIXELS)

    assert low <= answer.probability <= high
    assert np.isfinite(answer.map).all()
    assert answer.probability > 0, "a small probability keeps its rank"


def test_the_label_changes_exactly_at_the_threshold() -> None:
    probability = Classifier(bundle_without_model(), ScriptedEngine([3, 2, 1])).classify(PIXELS).probability

    def label(threshold: float) -> str:
        return Classifier(bundle_without_model(threshold=threshold), ScriptedEngine([3, 2, 1])).classify(PIXELS).label

    assert label(probability) == "PNEUMONIA"
    assert label(math.nextafter(probability, 1.0)) == "NORMAL"


def test_an_operating_point_is_chosen_by_name() -> None:
    opened, engine = bundle_without_model(), ScriptedEngine([8, 0, -8])  # a probability of about 0.33

    assert Classifier(opened, engine).classify(PIXELS).label == "NORMAL"
    assert Classifier(opened, engine, "screening").classify(PIXELS).label == "PNEUMONIA"


def test_an_unknown_operating_point_names_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"scripted has no operating point 'strict'; choose from balanced, screening"):
        Classifier(bundle_without_model(), ScriptedEngine([0, 0, 0]), "strict")


def test_the_uncertain_band_includes_its_ends() -> None:
    band = UncertainBand(low=0.25, high=0.75)
    classifier = Classifier(bundle_without_model(uncertain=band), ScriptedEngine([0, 0, 0]))

    probabilities = (0.0, math.nextafter(0.25, 0), 0.25, 0.5, 0.75, math.nextafter(0.75, 1), 1.0)
    found = [classifier.confidence(probability) for probability in probabilities]

    assert found == ["certain", "certain", "uncertain", "uncertain", "uncertain", "certain", "certain"]


def test_between_the_band_and_the_threshold_in_use_nothing_is_certain() -> None:
    band = UncertainBand(low=0.25, high=0.75)
    classifier = Classifier(bundle_without_model(uncertain=band), ScriptedEngine([0, 0, 0]), "screening")

    assert classifier.threshold == 0.05
    assert classifier.uncertain == UncertainBand(low=0.05, high=0.75)
    assert classifier.confidence(0.1) == "uncertain"
    assert classifier.confidence(0.04) == "certain"


def test_without_a_band_nothing_is_said_of_confidence() -> None:
    assert Classifier(bundle_without_model(), ScriptedEngine([0, 0, 0])).confidence(0.5) is None


@given(
    maps=arrays(np.float64, (5, 4, 3), elements=st.floats(-40, 40)),
    temperature=st.floats(0.3, 5),
)
@settings(max_examples=200, deadline=None)
def test_the_mean_of_the_evidence_is_the_log_odds(maps: NDArray[np.float64], temperature: float) -> None:
    logits = maps.mean(axis=(0, 1))

    evidence = evidence_map(maps, logits, temperature)

    normal, bacterial, viral = logits / temperature
    assert evidence.mean(dtype=np.float64) == pytest.approx(np.logaddexp(bacterial, viral) - normal, abs=1e-3)


def test_evidence_lies_where_the_likelier_type_has_it() -> None:
    maps = np.zeros((14, 14, 3))
    maps[3, 4, 1] = 500.0  # bacterial
    maps[9, 9, 2] = 5.0  # viral
    maps[12, 1, 0] = 500.0  # normal

    evidence = evidence_map(maps, maps.mean(axis=(0, 1)))

    assert evidence[3, 4] == evidence.max()
    assert evidence[12, 1] == evidence.min()
    assert evidence[9, 9] > evidence[0, 0]
    assert evidence.dtype == np.float32


@pytest.mark.parametrize("index", range(5))
def test_the_mean_of_the_evidence_is_the_log_odds_on_a_real_model(tiny_bundle: Path, index: int) -> None:
    opened = bundle.read(tiny_bundle)
    engine = open_engine(opened, 1)
    pixels = example_pixels(np.random.default_rng(7), 5)[index : index + 1]

    answer = Classifier(opened, engine).classify(pixels)

    # Half a step of rounding in each integer: in each cell's (1x1 convolution), and in the score's.
    steps = engine.quantization.map_scale + engine.quantization.scores_scale
    log_odds = math.log(answer.probability / (1 - answer.probability))
    assert abs(answer.map.mean(dtype=np.float64) - log_odds) <= steps
    assert abs(log_odds) > 5 * steps or index == 2, "the bound would say nothing of so small a figure"


@pytest.mark.parametrize(("level", "label"), [(10, "NORMAL"), (110, "NORMAL"), (145, "PNEUMONIA"), (245, "PNEUMONIA")])
def test_a_real_model_decides_by_what_it_is_made_for(tiny_bundle: Path, level: int, label: str) -> None:
    opened = bundle.read(tiny_bundle)

    answer = Classifier(opened, open_engine(opened, 1)).classify(np.full_like(PIXELS, level))

    assert answer.label == label


def test_golden_vectors_are_reproduced(tiny_bundle: Path) -> None:
    opened = bundle.read(tiny_bundle)

    report = verify_golden(open_engine(opened, 2), opened.golden)

    assert (report.n, report.identical, report.largest_difference) == (3, 3, 0)


def test_golden_vectors_tell_how_far_an_engine_is_off() -> None:
    maps = np.zeros((14, 14, 3), np.int8)
    maps[0, 0, 0] = -128
    golden = bundle_without_model().golden
    golden.scores[1] = [0, 5, 0]
    golden.maps[1, 0, 0, 0] = 127
    golden.maps[0] = maps

    report = verify_golden(ScriptedEngine([0, 0, 0], maps), golden)

    assert (report.n, report.identical, report.largest_difference) == (2, 1, 255)
