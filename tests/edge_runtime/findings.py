"""Answers, made without a model."""

from datetime import UTC, datetime

import numpy as np

from edge_runtime.answer import Answered
from edge_runtime.finding import Confidence, Finding, Model, Types, timestamp
from edge_runtime.model.classifier import Answer

MOMENT = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)


def classified(
    source: str = "a.png",
    sha256: str = "1" * 64,
    *,
    probability: float = 0.9,
    confidence: Confidence | None = None,
    notes: tuple[str, ...] = (),
) -> Finding:
    return Finding(
        source=source,
        sha256=sha256,
        status="classified",
        reason=None,
        label="PNEUMONIA" if probability >= 0.5 else "NORMAL",
        probability=probability,
        types=Types(bacterial=probability, viral=0.0),
        operating_point="balanced",
        threshold=0.5,
        confidence=confidence,
        notes=notes,
        model=Model(name="tiny", sha256="0" * 64),
        engine="none",
        received=timestamp(MOMENT),
        finished=timestamp(MOMENT),
        milliseconds={"total": 12.3},
    )


def rejected(source: str = "a.png", sha256: str | None = "2" * 64, reason: str = "empty file") -> Finding:
    return Finding(
        source=source,
        sha256=sha256,
        status="rejected",
        reason=reason,
        label=None,
        probability=None,
        types=None,
        model=Model(name="tiny", sha256="0" * 64),
        engine="none",
        received=timestamp(MOMENT),
        finished=timestamp(MOMENT),
        milliseconds={"total": 0.2},
    )


def answered(finding: Finding) -> Answered:
    """A finding, with what its heat map is drawn from."""
    if finding.label is None:
        return Answered(finding, None, None)
    grey = np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8)
    answer = Answer(
        label=finding.label,
        probability=finding.probability or 0.0,
        bacterial=0.5,
        viral=0.4,
        logits=np.zeros(3, np.float32),
        map=np.linspace(-4, 4, 196, dtype=np.float32).reshape(14, 14),
        features=np.zeros(4, np.float32),
    )
    return Answered(finding, grey, answer)
