"""What the model's numbers mean: logits to a label, a calibrated probability and the evidence for it."""

import sys

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from edge_runtime.finding import Confidence, Label
from edge_runtime.model.bundle import Bundle, Golden, UncertainBand
from edge_runtime.model.engines.interface import Engine, RawOutputs, Runner

NORMAL, BACTERIAL, VIRAL = range(3)  # the order of bundle.LABELS


class Answer(msgspec.Struct, frozen=True, eq=False):
    """What the model says about one radiograph.

    Attributes:
        label: ``PNEUMONIA`` where the probability reaches the operating point's threshold.
        probability: Of pneumonia, calibrated, 0 to 1.
        bacterial: Probability of bacterial pneumonia.
        viral: Probability of viral pneumonia; the two add up to ``probability``.
        logits: ``float32`` of shape ``(3,)``: normal, bacterial, viral, before the temperature.
        map: ``float32`` of shape ``(rows, columns)``: the evidence for pneumonia, see ``evidence_map``.
        features: ``float32`` of shape ``(channels,)``: the pooled last feature maps, for the gate.
    """

    label: Label
    probability: float
    bacterial: float
    viral: float
    logits: NDArray[np.float32]
    map: NDArray[np.float32]
    features: NDArray[np.float32]


class Classifier:
    """A bundle's model in an engine, at an operating point.

    Attributes:
        operating_point: Its name.
        threshold: Probability from which the label is ``PNEUMONIA``.
        uncertain: The bundle's uncertain band, and from there to the threshold in use: what one operating point calls
            pneumonia and another normal is never certain. ``None`` where the bundle has no band.
        bundle: The model.
        engine: What runs it.
    """

    def __init__(self, bundle: Bundle, engine: Engine, operating_point: str | None = None) -> None:
        """Join them.

        Args:
            bundle: From ``bundle.read``.
            engine: From ``open_engine(bundle)``.
            operating_point: Name of a threshold in the bundle; ``None`` for the bundle's default.

        Raises:
            UsageError: The bundle has no operating point of that name.
        """
        points = bundle.info.operating_points
        self.operating_point = operating_point or bundle.info.default_operating_point
        if self.operating_point not in points:
            raise UsageError(
                f"the model {bundle.info.name} has no operating point {self.operating_point!r}; "
                f"choose from {', '.join(sorted(points))}"
            )
        self.threshold = points[self.operating_point].threshold
        band = bundle.info.uncertain
        self.uncertain = band and UncertainBand(min(band.low, self.threshold), max(band.high, self.threshold))
        self.bundle = bundle
        self.engine = engine

    def confidence(self, probability: float) -> Confidence | None:
        """Whether an answer of this probability lies in the uncertain band; ``None`` where there is none.

        Args:
            probability: Of pneumonia, not rounded.
        """
        if self.uncertain is None:
            return None
        return "uncertain" if self.uncertain.low <= probability <= self.uncertain.high else "certain"

    def classify(self, pixels: NDArray[np.uint8]) -> Answer:
        """Answer for the model input of ``prepare``: ``uint8`` of shape ``(1, height, width, 1)``."""
        return self.interpret(self.engine.invoke(pixels))

    def interpret(self, outputs: RawOutputs) -> Answer:
        """What the engine's outputs mean. May be called in any thread: the engine is not run."""
        quantization = self.engine.quantization
        logits = dequantize(outputs.scores, quantization.scores_scale, quantization.scores_zero)
        maps = dequantize(outputs.maps, quantization.map_scale, quantization.map_zero)
        temperature = self.bundle.info.temperature
        _, bacterial, viral = softmax(logits / temperature)
        # The complement of normal, as a sum: 1 - p(normal) would round a small probability to zero.
        probability = min(float(bacterial + viral), 1.0)
        return Answer(
            label="PNEUMONIA" if probability >= self.threshold else "NORMAL",
            probability=probability,
            bacterial=float(bacterial),
            viral=float(viral),
            logits=logits.astype(np.float32),
            map=evidence_map(maps, logits, temperature),
            features=dequantize(outputs.features, quantization.features_scale, quantization.features_zero).astype(
                np.float32
            ),
        )


def dequantize(integers: NDArray[np.int8], scale: float, zero: int) -> NDArray[np.float64]:
    """The real numbers that the integers stand for."""
    return (integers.astype(np.float64) - zero) * scale


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True))


def evidence_map(
    maps: NDArray[np.float64], logits: NDArray[np.float64], temperature: float = 1.0
) -> NDArray[np.float32]:
    """How much each cell speaks for pneumonia, in units of log odds.

    With ``z = logits / temperature`` the log odds of pneumonia are ``logsumexp(z[bacterial], z[viral]) - z[normal]``,
    and ``logsumexp(z) = sum(w * z) + entropy(w)`` with ``w = softmax(z)`` over the two. A logit being the mean of its
    class activation map (Zhou et al. 2016, arXiv:1512.04150), the same mix of the maps,
    ``(w[bacterial] * map[bacterial] + w[viral] * map[viral] - map[normal]) / temperature + entropy(w)``,
    **has the log odds as its mean**: positive cells speak for pneumonia, negative ones against it, and together they
    are the answer, up to the rounding of the integer outputs.

    Args:
        maps: Class activation maps of shape ``(rows, columns, 3)``.
        logits: Of shape ``(3,)``.
        temperature: Of the calibration.

    Returns:
        ``float32`` of shape ``(rows, columns)``.
    """
    weights = softmax(logits[[BACTERIAL, VIRAL]] / temperature)
    entropy = -float(np.sum(weights * np.log(np.maximum(weights, sys.float_info.min))))
    difference = maps[..., [BACTERIAL, VIRAL]] @ weights - maps[..., NORMAL]
    return (difference / temperature + entropy).astype(np.float32)


class GoldenReport(msgspec.Struct, frozen=True):
    """How an engine's outputs compare with the converter's.

    Attributes:
        n: Golden vectors replayed.
        identical: Those whose scores, maps and features are equal in every number.
        largest_difference: Over all numbers of all vectors, in integer steps.
    """

    n: int
    identical: int
    largest_difference: int


def verify_golden(engine: Runner, golden: Golden) -> GoldenReport:
    """Replay the golden vectors on an engine."""
    differences = []
    for pixels, *expected in zip(golden.pixels, golden.scores, golden.maps, golden.features, strict=True):
        outputs = engine.invoke(pixels[np.newaxis])
        found = (outputs.scores, outputs.maps, outputs.features)
        differences.append(max(map(_largest_difference, found, expected)))
    return GoldenReport(n=len(differences), identical=differences.count(0), largest_difference=max(differences))


def is_reproduced(report: GoldenReport, engine: Runner) -> bool:
    """Whether the outputs are the converter's, up to the engine's tolerance (none for LiteRT)."""
    return report.largest_difference <= engine.tolerance


def _largest_difference(found: NDArray[np.int8], expected: NDArray[np.int8]) -> int:
    return int(np.abs(found.astype(np.int16) - expected).max())
