import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count

import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from numpy.typing import NDArray

from edge_runtime.answer import answer
from edge_runtime.clock import Clock
from edge_runtime.gate.statistics import Statistics
from edge_runtime.model.bundle import UncertainBand
from edge_runtime.model.classifier import Classifier
from tests.engines import CHANNELS, ScriptedEngine, bundle_without_model
from tests.gates import closed, wide_open

START = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


def ticking_clock() -> Clock:
    """Each look at ``seconds`` is a hundredth of a second after the last; ``now`` stands still."""
    ticks = count()
    return Clock(now=lambda: START + timedelta(seconds=1), seconds=lambda: next(ticks) / 100)


def encoded(pixels: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", pixels)[1])


def png(level: int = 100, side: int = 64) -> bytes:
    return encoded(np.full((side, side), level, np.uint8))


@pytest.fixture
def classifier() -> Classifier:
    return Classifier(bundle_without_model(), ScriptedEngine([-8, 8, 0]))


def test_a_radiograph_becomes_a_classified_finding(classifier: Classifier) -> None:
    data = png()

    answered = answer("a.png", data, classifier, clock=ticking_clock(), received=START)

    finding, logits = answered.finding, np.array([-1.0, 1.0, 0.0])
    shares = np.exp(logits) / np.exp(logits).sum()
    assert (finding.status, finding.reason, finding.label) == ("classified", None, "PNEUMONIA")
    assert finding.probability == pytest.approx(1 - shares[0], abs=1e-6)
    assert finding.types is not None
    assert finding.types.bacterial == pytest.approx(shares[1], abs=1e-6)
    assert finding.types.viral == pytest.approx(shares[2], abs=1e-6)
    assert finding.sha256 == hashlib.sha256(data).hexdigest()
    assert (finding.model.name, finding.model.sha256) == ("scripted", "a" * 64)
    assert finding.engine == "scripted 1.0, 1 thread"
    assert (finding.received, finding.finished) == ("2024-05-01T09:30:00.000Z", "2024-05-01T09:30:01.000Z")
    assert finding.heatmap is None
    assert answered.grey is not None
    assert answered.grey.shape == (64, 64)
    assert answered.answer is not None
    assert answered.answer.label == "PNEUMONIA"


def test_every_stage_is_timed_and_the_total_covers_them(classifier: Classifier) -> None:
    finding = answer("a.png", png(), classifier, clock=ticking_clock(), received=START, read_milliseconds=5.0).finding

    stages = dict(finding.milliseconds)
    total = stages.pop("total")
    assert list(stages) == ["read", "decode", "prepare", "screen", "infer"]
    assert stages["read"] == 5.0
    assert stages["decode"] == stages["prepare"] == stages["screen"] == stages["infer"] == 10.0
    assert total >= sum(stages.values())


def test_the_model_sees_the_prepared_pixels() -> None:
    engine = ScriptedEngine([0, 0, 0])

    answer("a.png", png(77), Classifier(bundle_without_model(), engine), clock=ticking_clock(), received=START)

    (pixels,) = engine.seen
    assert pixels.shape == (1, 224, 224, 1)
    assert pixels.dtype == np.uint8
    assert (pixels == 77).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"hello", "neither a JPEG nor a PNG file"),
        (png()[:-20], "truncated: the end of the file is missing"),
        (png(side=16), "too small: 16 x 16 pixels, at least 32 a side needed"),
        (PermissionError(13, "Permission denied"), "cannot be read: permission denied"),
    ],
)
def test_what_cannot_be_answered_is_rejected_with_a_reason(
    classifier: Classifier, data: bytes | OSError, reason: str
) -> None:
    answered = answer("a.png", data, classifier, clock=ticking_clock(), received=START)

    finding = answered.finding
    assert (finding.status, finding.reason) == ("rejected", reason)
    assert (finding.label, finding.probability, finding.types) == (None, None, None)
    assert answered.answer is None
    assert (finding.sha256 is None) == isinstance(data, OSError)
    assert "infer" not in finding.milliseconds
    assert finding.milliseconds["total"] > 0


def test_the_label_is_decided_before_the_probability_is_rounded() -> None:
    # Equal logits give 2/3, which rounds up, past a threshold that it does not reach.
    threshold = 2 / 3 + 1e-9
    classifier = Classifier(bundle_without_model(threshold=threshold), ScriptedEngine([0, 0, 0]))

    finding = answer("a.png", png(), classifier, clock=ticking_clock(), received=START).finding

    assert finding.probability == 0.666667 > threshold
    assert finding.label == "NORMAL"


def test_the_finding_says_by_which_threshold_and_how_surely() -> None:
    # Equal logits give 2/3.
    opened = bundle_without_model(threshold=0.4, uncertain=UncertainBand(low=0.3, high=2 / 3 - 1e-9))

    finding, screened = (
        answer(
            "a.png", png(), Classifier(opened, ScriptedEngine(scores), point), clock=ticking_clock(), received=START
        ).finding
        for scores, point in (([0, 0, 0], None), ([16, 0, 0], "screening"))
    )

    # Decided, as the label is, before the probability is rounded.
    assert (finding.operating_point, finding.threshold, finding.confidence) == ("balanced", 0.4, "certain")
    assert (screened.operating_point, screened.threshold, screened.confidence) == ("screening", 0.04, "uncertain")


def test_a_rejected_file_has_no_threshold_and_no_confidence() -> None:
    opened = bundle_without_model(uncertain=UncertainBand(low=0.0, high=1.0))

    finding = answer(
        "a.png", b"", Classifier(opened, ScriptedEngine([0, 0, 0])), clock=ticking_clock(), received=START
    ).finding

    assert (finding.operating_point, finding.threshold, finding.confidence) == (None, None, None)


def test_features_too_far_from_the_learned_ones_are_refused_after_the_network() -> None:
    opened = bundle_without_model(gate=closed(CHANNELS))
    engine = ScriptedEngine([-8, 8, 0], features=np.array([9, 0, 0, 0], np.int8))

    answered = answer("a.png", png(), Classifier(opened, engine), clock=ticking_clock(), received=START)

    finding = answered.finding
    assert (finding.status, finding.label, finding.operating_point) == ("rejected", None, None)
    assert finding.reason is not None
    assert finding.reason.startswith("too unlike the chest radiographs")
    assert finding.distance is not None
    assert finding.distance > 1.0
    assert "infer" in finding.milliseconds
    assert answered.answer is None


def test_what_the_gate_refuses_never_reaches_the_network() -> None:
    gate = wide_open(CHANNELS)
    strict = replace(gate, limits=replace(gate.limits, least=Statistics(0, 10, 0, 0)))
    engine = ScriptedEngine([0, 0, 0])

    finding = answer(
        "a.png", png(), Classifier(bundle_without_model(gate=strict), engine), clock=ticking_clock(), received=START
    ).finding

    assert engine.seen == []
    assert finding.status == "rejected"
    assert finding.reason is not None
    assert finding.reason.startswith("blank")
    assert finding.distance == 100.0
    assert "infer" not in finding.milliseconds


def test_a_negative_is_answered_as_the_positive_it_should_be() -> None:
    picture = np.full((64, 64), 200, np.uint8)
    picture[:8, :8] = 20
    weights = np.zeros(7, np.float32)
    weights[0] = -1.0  # bright at the place of the first average is wrong
    gate = wide_open(CHANNELS)
    gate = replace(gate, atlas=replace(gate.atlas, weights=weights, least=0.0, clear=0.01))
    engine = ScriptedEngine([0, 0, 0])
    classifier = Classifier(bundle_without_model(gate=gate), engine)

    positive, negative = (
        answer("a.png", encoded(pixels), classifier, clock=ticking_clock(), received=START)
        for pixels in (picture, np.asarray(255 - picture))
    )

    assert positive.finding.notes == ()
    assert negative.finding.status == "classified"
    assert negative.finding.notes == ("inverted: black and white were exchanged before the answer",)
    np.testing.assert_array_equal(engine.seen[0], engine.seen[1])
    assert negative.grey is not None
    np.testing.assert_array_equal(negative.grey, picture)


def test_a_name_that_is_not_utf8_does_not_stop_the_answer(classifier: Classifier) -> None:
    name = b"r\xf6ntgen.png".decode("utf-8", "surrogateescape")

    finding = answer(name, png(), classifier, clock=ticking_clock(), received=START).finding

    assert finding.source == r"r\xf6ntgen.png"
