"""The gate between the float model and its int8 form: how far apart they are, and how far is too far."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convert.fold import Folded
from convert.interpreter import Advance, Layers
from convert.ranges import feature_maps
from convert.statistics import area
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model.classifier import softmax


@dataclass(frozen=True)
class Limits:
    """The furthest an int8 model may be from its float model on the validation set.

    Attributes:
        flips: Share of the images whose label changes.
        auc_change: Change of the area under the ROC curve, either way.
        largest_probability_change: Of any image.
        mean_probability_change: Mean over the images, without sign.
        layer_sqnr: Least ratio of a layer's signal to its error, in dB; at 0 there is as much error as signal.
    """

    flips: float = 0.01
    auc_change: float = 0.002
    largest_probability_change: float = 0.2
    mean_probability_change: float = 0.01
    layer_sqnr: float = 12.0


@dataclass(frozen=True)
class Layer:
    """A layer's signal-to-quantization-noise ratio in dB, over the float outputs."""

    name: str
    sqnr: float


@dataclass(frozen=True)
class Case:
    """One validation image before both models."""

    file: str
    pneumonia: bool
    float_probability: float
    int8_probability: float


@dataclass(frozen=True)
class Parity:
    """How an int8 model compares with its float model.

    Attributes:
        threshold: Probability of pneumonia from which the label is PNEUMONIA.
        temperature: Divides the logits.
        cases: Every validation image.
        flips: Images whose label differs.
        type_flips: Images both call pneumonia, but of another type.
        float_right: Images the float model labels right.
        int8_right: Images the int8 model labels right.
        float_auc: Area under the ROC curve; ``None`` with one class alone.
        int8_auc: Likewise.
        largest_probability_change: Of any image.
        mean_probability_change: Mean over the images, without sign.
        layers: Every convolution in order, the head last.
        limits: What was allowed.
        broken: The limits that were passed, one phrase each.
    """

    threshold: float
    temperature: float
    cases: tuple[Case, ...]
    flips: int
    type_flips: int
    float_right: int
    int8_right: int
    float_auc: float | None
    int8_auc: float | None
    largest_probability_change: float
    mean_probability_change: float
    layers: tuple[Layer, ...]
    limits: Limits
    broken: tuple[str, ...]

    @property
    def worst_layers(self) -> tuple[Layer, ...]:
        """The layers with the most error for their signal, the worst first."""
        return tuple(sorted(self.layers, key=lambda layer: layer.sqnr))

    def as_json(self, *, cases: bool) -> dict[str, Any]:
        """For the report and the bundle's ``parity.json``; the cases name files, so the bundle leaves them out."""
        record: dict[str, Any] = {
            "schema": "edge-pneumo/parity/1",
            "images": len(self.cases),
            "passed": not self.broken,
        }
        record |= {key: value for key, value in asdict(self).items() if key != "cases"}
        return record | ({"cases": [asdict(case) for case in self.cases]} if cases else {})


class GateError(EdgePneumoError):
    """The int8 model is too far from the float model to be used."""


def compare(
    names: Sequence[str],
    pneumonia: NDArray[np.bool_],
    float_logits: NDArray[np.floating[Any]],
    int8_logits: NDArray[np.floating[Any]],
    layers: Sequence[Layer],
    *,
    threshold: float,
    temperature: float,
    limits: Limits,
) -> Parity:
    """Compare two models' answers for the same images.

    Args:
        names: Of the images.
        pneumonia: The truth, of shape ``(n,)``.
        float_logits: Of shape ``(n, 3)``: normal, bacterial, viral.
        int8_logits: Likewise.
        layers: From ``layer_sqnr``.
        threshold: Of the default operating point.
        temperature: Of the calibration.
        limits: What is allowed.
    """
    before, after = (softmax(np.asarray(z, np.float64) / temperature) for z in (float_logits, int8_logits))
    p, q = before[:, 1:].sum(axis=1), after[:, 1:].sum(axis=1)
    called_before, called_after = p >= threshold, q >= threshold
    type_differs = before[:, 1:].argmax(axis=1) != after[:, 1:].argmax(axis=1)
    change = np.abs(p - q)
    flips = int((called_before != called_after).sum())
    before_auc, after_auc = (None if (found := area(r, pneumonia)) is None else found.value for r in (p, q))
    cases = tuple(Case(n, bool(t), float(a), float(b)) for n, t, a, b in zip(names, pneumonia, p, q, strict=True))
    worst = min(layers, key=lambda layer: layer.sqnr)
    broken = []
    # A handful of images always gives one flip the benefit of the doubt.
    if flips > max(1, int(limits.flips * len(p))):
        broken.append(f"{flips} of {len(p)} labels change (at most {max(1, int(limits.flips * len(p)))} may)")
    if before_auc is not None and after_auc is not None and abs(before_auc - after_auc) > limits.auc_change:
        broken.append(f"the AUC goes from {before_auc:.4f} to {after_auc:.4f} (at most {limits.auc_change:g} apart)")
    if change.max() > limits.largest_probability_change:
        broken.append(f"a probability changes by {change.max():.3f} (at most {limits.largest_probability_change:g})")
    if change.mean() > limits.mean_probability_change:
        broken.append(
            f"probabilities change by {change.mean():.4f} on average (at most {limits.mean_probability_change:g})"
        )
    if worst.sqnr < limits.layer_sqnr:
        broken.append(f"{worst.name} is at {worst.sqnr:.1f} dB (at least {limits.layer_sqnr:g})")
    return Parity(
        threshold=threshold,
        temperature=temperature,
        cases=cases,
        flips=flips,
        type_flips=int((type_differs & called_before & called_after).sum()),
        float_right=int((called_before == pneumonia).sum()),
        int8_right=int((called_after == pneumonia).sum()),
        float_auc=before_auc,
        int8_auc=after_auc,
        largest_probability_change=float(change.max()),
        mean_probability_change=float(change.mean()),
        layers=tuple(layers),
        limits=limits,
        broken=tuple(broken),
    )


def require(parity: Parity) -> None:
    """Refuse a model past its limits.

    Raises:
        GateError: Names each limit it breaks, and the worst layer.
    """
    if parity.broken:
        worst = parity.worst_layers[0]
        raise GateError(
            f"The int8 model is too far from the float model, no bundle is written: {'; '.join(parity.broken)}; "
            f"the worst layer is {worst.name} at {worst.sqnr:.1f} dB: "
            "calibrate with more or better images (--images, --calibration), or see docs/converting.md for the levers."
        )


def layer_sqnr(
    folded: Folded,
    model: bytes,
    pixels: NDArray[np.uint8],
    *,
    threads: int | None = None,
    advance: Advance = lambda _: None,
) -> tuple[Layer, ...]:
    """Signal-to-quantization-noise ratio of every layer: ``10 log10(sum(x²) / sum((x - x8)²))``.

    The error of a layer holds what the layers before it left.

    Args:
        folded: The float network that was rounded, before bias correction.
        model: Its int8 form.
        pixels: A few images, ``uint8`` of shape ``(n, height, width, 1)``.
        threads: ``None`` for all.
        advance: Called with 1 for each image done.
    """
    import tensorflow as tf

    names = [layer.name for layer in folded.convolutions]
    exact = tf.function(lambda x: feature_maps(folded, x), reduce_retracing=True)
    layers = Layers(model, threads=threads)
    signal, noise = np.zeros(len(names)), np.zeros(len(names))
    for image in pixels:
        outputs = exact(tf.cast(image[np.newaxis], tf.float32))
        for index, (name, rounded) in enumerate(zip(names, layers.features(image[np.newaxis]), strict=True)):
            x = outputs[name].numpy().astype(np.float64)
            signal[index] += float((x**2).sum())
            noise[index] += float(((x - rounded) ** 2).sum())
        advance(1)
    ratio = 10 * np.log10(np.maximum(signal, 1e-30) / np.maximum(noise, 1e-30))
    return tuple(Layer(name, float(value)) for name, value in zip(names, ratio, strict=True))
