import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count

import cv2
import numpy as np
import pytest

from edge_runtime.answer import answer
from edge_runtime.clock import Clock
from edge_runtime.model.classifier import Classifier
from tests.engines import ScriptedEngine, bundle_without_model

START = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


def ticking_clock() -> Clock:
    """Each look at ``seconds`` is a hundredth of a second after the last; ``now`` stands still."""
    ticks = count()
    return Clock(now=lambda: START + timedelta(seconds=1), seconds=lambda: next(ticks) / 100)


def png(level: int = 100, side: int = 64) -> bytes:
    return bytes(cv2.imencode(".png", np.full((side, side), level, np.uint8))[1])


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
    assert list(stages) == ["read", "decode", "prepare", "infer"]
    assert stages["read"] == 5.0
    assert stages["decode"] == stages["prepare"] == stages["infer"] == 10.0
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


def test_a_name_that_is_not_utf8_does_not_stop_the_answer(classifier: Classifier) -> None:
    name = b"r\xf6ntgen.png".decode("utf-8", "surrogateescape")

    finding = answer(name, png(), classifier, clock=ticking_clock(), received=START).finding

    assert finding.source == r"r\xf6ntgen.png"
