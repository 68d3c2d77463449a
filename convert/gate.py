"""Fits the gate's numbers: the atlas to all training radiographs, the features to some, the limits to validation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from convert import calibration, counterexamples, interpreter
from convert.reference import reference
from edge_runtime import gate as runtime
from edge_runtime.gate import atlas as atlas_
from edge_runtime.gate import features as features_
from edge_runtime.gate import statistics
from edge_runtime.gate.atlas import Atlas
from edge_runtime.gate.features import FeatureStatistics
from edge_runtime.gate.statistics import Limits
from edge_runtime.gate.store import Gate, halved, in_eight_bits
from edge_runtime.model.bundle import Reference

FEATURE_IMAGES = 1500  # more do not move the distances, and each is an inference

_COMPONENTS, _RANDOM, _RIDGE = 96, 1024, 1e-4
_FEATURE_COMPONENTS, _SHRINKAGE, _FEATURE_MARGIN = 48, 0.1, 1.05
# Shares of radiographs that may lie beyond a limit, and how far the limit is moved out from there.
_OUTSIDE, _OUTSIDE_MILD, _MARGIN = 0.001, 0.007, 1.05
_CLEAR = 0.05  # share of validation radiographs whose score is not clearly within
_STATISTICS_OUTSIDE, _STATISTICS_MARGIN = 0.0005, (2.0, 1.5, 1.4)

Pictures = Sequence[NDArray[np.uint8]] | NDArray[np.uint8]
Advance = Callable[[int], None]


@dataclass(frozen=True)
class Measured:
    """What the int8 model said of radiographs.

    Attributes:
        pooled: Features in real numbers, ``(n, channels)``.
        labels: ``(n,)``.
        step: What one step of the features' integers stands for.
    """

    pooled: NDArray[np.float64]
    labels: NDArray[np.str_]
    step: float


@dataclass(frozen=True)
class Fitted:
    """The gate, and what it says of the validation radiographs.

    Attributes:
        gate: For the bundle.
        distances: ``(n,)``, 1.0 at the limit.
    """

    gate: Gate
    distances: NDArray[np.float64]

    @property
    def refused(self) -> int:
        """Validation radiographs it refuses."""
        return int((self.distances > 1.0).sum())


def of_model(
    model: bytes,
    training: Sequence[calibration.Image],
    validation: Sequence[calibration.Image],
    validated: interpreter.Outputs,
    size: tuple[int, int],
    *,
    seed: int = 0,
    advance: Advance = lambda _: None,
) -> Fitted:
    """Fit the gate of an int8 model.

    Args:
        model: The ``.tflite``.
        training: What it learned from, free of validation and test.
        validation: What it did not.
        validated: The model's answers to ``validation``.
        size: Height and width of the model's input.
        seed: Draws the radiographs whose features are taken, and the counterexamples.
        advance: Called with 1 for each of ``feature_images(training)`` inferences done.

    Raises:
        UsageError: A file cannot be read.
    """
    few = feature_images(training, seed=seed)
    outputs = interpreter.run(model, calibration.load(few, *size), advance=advance)
    pictures = calibration.load(training, counterexamples.SIZE, counterexamples.SIZE)[..., 0]
    others = calibration.load(validation, counterexamples.SIZE, counterexamples.SIZE)[..., 0]
    gate = fit(
        pictures,
        others,
        Measured(outputs.pooled, np.array([image.label for image in few]), outputs.pooled_step),
        Measured(validated.pooled, np.array([image.label for image in validation]), validated.pooled_step),
        seed=seed,
    )
    distances = [
        max(runtime.before(picture, gate).distance, runtime.after(pooled, gate))
        for picture, pooled in zip(others, validated.pooled, strict=True)
    ]
    return Fitted(gate, np.array(distances))


def feature_images(training: Sequence[calibration.Image], *, seed: int = 0) -> list[calibration.Image]:
    """The training radiographs whose features are taken: at most 1,500, each label with its share."""
    if len(training) <= FEATURE_IMAGES:
        return list(training)
    return calibration.choose(training, count=FEATURE_IMAGES, seed=seed)


def drift_reference(
    fitted: Fitted, probabilities: NDArray[np.floating], pneumonia: NDArray[np.bool_]
) -> Reference | None:
    """What a device would report of the validation radiographs; ``None`` where they show one class alone."""
    if not pneumonia.any() or pneumonia.all():
        return None
    answered = np.where(fitted.distances > 1.0, np.nan, probabilities)
    return reference(answered, fitted.distances, pneumonia)


def fit(training: Pictures, validation: Pictures, measured: Measured, validated: Measured, *, seed: int = 0) -> Gate:
    """Fit the gate.

    Args:
        training: Grey radiographs ``(224, 224)`` the model learned from.
        validation: Those it did not.
        measured: Features of some of the first.
        validated: Features of the second.
        seed: Draws the counterexamples.
    """
    rng = np.random.default_rng(seed)
    changed = [counterexamples.mild(image, rng) for image in validation]
    return Gate(
        limits=fit_limits([*training, *validation]),
        atlas=fit_atlas(training, validation, changed, rng),
        features=fit_features(measured, validated),
    )


def fit_limits(images: Pictures) -> Limits:
    """Limits of exposure, contrast, sharpness and grey levels: well beyond all but one in two thousand."""
    values = np.stack([statistics.as_array(statistics.measure(image)) for image in images])
    low, high = np.quantile(values, [_STATISTICS_OUTSIDE, 1 - _STATISTICS_OUTSIDE], axis=0)
    exposure, sharpness, extremes = _STATISTICS_MARGIN
    least = low / np.array([exposure, exposure, exposure, 1.0])
    most = high * np.array([1.0, 1.0, sharpness, extremes])
    most[0] = 255.0 - (255.0 - high[0]) / exposure
    most[3] = min(most[3], 0.99)
    return Limits(statistics.from_array(least), statistics.from_array(most))


def fit_atlas(training: Pictures, validation: Pictures, changed: Pictures, rng: np.random.Generator) -> Atlas:
    """Components of radiographs and counterexamples, the score that tells them apart, and both limits."""
    true = _layouts([*training, *(counterexamples.mild(image, rng) for image in training)])
    order = rng.permutation(len(training))
    false = _layouts(
        [
            *counterexamples.make(training, rng),
            *counterexamples.make([training[i] for i in order], rng),
        ]
    )
    k = min(_COMPONENTS, len(true) - 1)
    mean = true.mean(axis=0)
    directions = in_eight_bits(_principal(np.concatenate([true, false]) - mean, k)[0])
    components = (true - mean) @ directions.T
    values, vectors = np.linalg.eigh(np.cov(components.T) + 1e-6 * np.eye(k))
    outside = ((true - mean) ** 2).mean(axis=1) - (components**2).sum(axis=1) / true.shape[1]
    hidden = in_eight_bits((rng.standard_normal((k, _RANDOM)) / np.sqrt(k)).astype(np.float32))
    start = Atlas(
        mean=mean,
        directions=directions,
        whitening=(vectors / np.sqrt(values)).astype(np.float32),
        residual=float(outside.mean()),
        scale=float(components.std()),
        hidden=hidden,
        offsets=rng.uniform(-1, 1, _RANDOM).astype(np.float32),
        weights=np.zeros(k + _RANDOM + 2, np.float32),
        farthest=1.0,
        least=0.0,
        clear=0.0,
    )
    weights = _ridge(atlas_.features(true, start)[1], atlas_.features(false, start)[1])
    fitted = replace(start, weights=weights)
    plain, mild = (atlas_.place(_layouts(images), fitted) for images in (validation, changed))
    farthest = max(np.quantile(plain.distance, 1 - _OUTSIDE), np.quantile(mild.distance, 1 - _OUTSIDE_MILD))
    least = min(np.quantile(plain.score, _OUTSIDE), np.quantile(mild.score, _OUTSIDE_MILD))
    return replace(
        fitted,
        farthest=float(farthest) * _MARGIN,
        least=1.0 - (1.0 - float(least)) * _MARGIN,
        clear=float(np.quantile(plain.score, _CLEAR)),
    )


def fit_features(measured: Measured, validated: Measured) -> FeatureStatistics:
    """Class means and their shared covariance after standardising, and the limit."""
    mean = measured.pooled.mean(axis=0)
    spread = np.sqrt(measured.pooled.var(axis=0) + max(measured.step, 1e-6) ** 2)
    standard = features_.compressed(((measured.pooled - mean) / spread).astype(np.float32)).astype(np.float64)
    names = sorted(set(measured.labels.tolist()))
    means = np.stack([standard[measured.labels == name].mean(axis=0) for name in names])
    within = standard - means[np.searchsorted(names, measured.labels)]
    p = min(_FEATURE_COMPONENTS, within.shape[1] - 1, len(within) - 1)
    directions, variances = _principal(within.astype(np.float32), p)
    components = halved(directions.T)
    shrunk = variances + _SHRINKAGE * float((within**2).mean())
    whitening = halved((components / np.sqrt(shrunk)).astype(np.float32))
    outside = (standard**2).sum(axis=1) - ((standard @ components) ** 2).sum(axis=1)
    start = FeatureStatistics(
        mean=mean.astype(np.float32),
        spread=spread.astype(np.float32),
        whitening=whitening,
        classes=(means @ whitening).astype(np.float32),
        components=components,
        residual=max(float(outside.mean()) / max(standard.shape[1] - p, 1), 1e-6),
        farthest=1.0,
    )
    found = features_.distances(validated.pooled, start)
    return replace(start, farthest=float(np.quantile(found, 1 - _OUTSIDE)) * _FEATURE_MARGIN)


def _layouts(images: Pictures) -> NDArray[np.float32]:
    return np.stack([atlas_.layout(image).ravel() for image in images])


def _principal(centred: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Principal directions ``(count, values)`` and their variances, the largest first."""
    second = (centred.T @ centred).astype(np.float64) / len(centred)
    values, vectors = np.linalg.eigh(second)
    return vectors[:, ::-1][:, :count].T.astype(np.float32), np.maximum(values[::-1][:count], 0.0)


def _ridge(true: NDArray[np.float32], false: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weights under which ``true`` is near 1 and ``false`` near -1, both counting the same."""
    columns = true.shape[1]
    matrix, wanted = np.zeros((columns, columns)), np.zeros(columns)
    for rows, answer in ((true, 1.0), (false, -1.0)):
        matrix += rows.T.astype(np.float64) @ rows / len(rows)
        wanted += answer * rows.mean(axis=0)
    matrix += _RIDGE * np.trace(matrix) / columns * np.eye(columns)
    return np.linalg.solve(matrix, wanted).astype(np.float32)
