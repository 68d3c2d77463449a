"""The conversion from end to end: fold, calibrate, equalize, round, compare, write."""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from convert import (
    bias,
    calibration,
    gate,
    golden,
    graph,
    interpreter,
    operating,
    parity,
    quantize,
    ranges,
    report,
    rounding,
)
from convert.equalize import equalize
from convert.fold import Folded, FoldError, fold, load
from edge_runtime.model import bundle
from edge_runtime.radiograph.prepare import MODEL_HEIGHT, MODEL_WIDTH

_FOLD_TOLERANCE = 1e-4
_FOLD_IMAGES, _BIAS_IMAGES, _LAYER_IMAGES = 8, 64, 16
_PACKAGES = ("tensorflow", "keras", "numpy", "ai-edge-litert", "litert-quantizer", "opencv-python-headless")

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Options:
    """What to convert and how; the defaults are the command line's.

    Attributes:
        model: The trained ``.keras``.
        calibration: A folder of radiographs.
        out: The bundle to write; the report goes beside it.
        name: Of the model, such as ``full``.
        images: How many calibrate.
        seed: Draws them.
        route: Which quantizer.
        range_method: How ranges follow from the values seen; see ``ranges.choose``.
        equalize: Whether to balance feature maps against kernels.
        search_first: Whether to round the first kernel with care; see ``rounding.round_first``.
        correct_bias: Whether to take the mean rounding error out of the biases; see ``bias.correct``.
        temperature: In place of the one training fixed.
        validation: A folder to compare on, in place of the manifest's validation images.
        reference: Where to write the float16 ``.tflite``.
        second_set: Whether to convert again with a disjoint calibration set and report the difference.
        limits: Of the gate.
    """

    model: Path
    calibration: Path
    out: Path
    name: str = "full"
    images: int = 200
    seed: int = 0
    route: quantize.Route = "tf-lite-converter"
    range_method: str = "minmax"
    equalize: bool = True
    search_first: bool = True
    correct_bias: bool = False
    temperature: float | None = None
    validation: Path | None = None
    reference: Path | None = None
    second_set: bool = False
    limits: parity.Limits = field(default_factory=parity.Limits)


class Progress(Protocol):
    """Where the steps are shown: a step has a name and so many units, and calls back with the units done."""

    def __call__(self, name: str, total: int) -> AbstractContextManager[Callable[[int], None]]: ...


@dataclass(frozen=True)
class _Judge:
    """The validation set and the float model's answers to it."""

    names: Sequence[str]
    pneumonia: NDArray[np.bool_]
    pixels: Pixels
    logits: NDArray[np.float32]
    settings: operating.Operating
    limits: parity.Limits


def convert(options: Options, progress: Progress) -> parity.Parity:
    """Convert a model and write the bundle and its parity report.

    Returns:
        The comparison that let the bundle pass.

    Raises:
        UsageError: The model or the images cannot be used.
        GateError: The int8 model is too far from the float model; the report is written, the bundle is not.
    """
    settings = operating.read(options.model.parent, options.temperature)
    with progress("Fold the trained model", 1) as advance:
        trained = load(options.model)
        folded = fold(trained, default_size=(MODEL_HEIGHT, MODEL_WIDTH))
        if folded.classes != len(bundle.LABELS):
            raise FoldError(
                f"The model tells {folded.classes} classes apart, a bundle holds {', '.join(bundle.LABELS)}."
            )
        advance(1)
    manifest = calibration.read_manifest(options.model.parent / "manifest.json")
    found_images = calibration.scan(options.calibration, manifest)
    validation = (
        calibration.scan(options.validation, manifest)
        if options.validation is not None
        else calibration.validation_set(manifest, options.calibration)
    )
    candidates = calibration.without(found_images, validation, manifest)
    images = calibration.choose(candidates, count=options.images, seed=options.seed)
    pixels = calibration.load(images, folded.height, folded.width)
    check_fold(folded, trained, pixels[:_FOLD_IMAGES])
    rounded, model = round_network(folded, pixels, options, progress)
    judge = _judge(folded, validation, settings, options.limits, progress)
    found, answers = compare(judge, rounded, model, progress)
    about = _about(options, images, manifest)
    if options.second_set:
        others = calibration.choose(candidates, count=options.images, seed=options.seed, skip=options.images)
        again = round_network(folded, calibration.load(others, folded.height, folded.width), options, progress)
        about["with a second, disjoint calibration set"] = _difference(found, compare(judge, *again, progress)[0])
    options.out.parent.mkdir(parents=True, exist_ok=True)
    report.write(options.out, found, about, title=f"Parity of {options.name}")
    parity.require(found)
    with progress("Fit the gate", len(gate.feature_images(candidates, seed=options.seed))) as advance:
        size = (folded.height, folded.width)
        fitted = gate.of_model(model, candidates, validation, answers, size, seed=options.seed, advance=advance)
    drift = gate.drift_reference(fitted, np.array([case.int8_probability for case in found.cases]), judge.pneumonia)
    with progress("Write the bundle", 1 + (options.reference is not None)) as advance:
        bundle.write(
            options.out,
            model,
            _info(options, folded, manifest, settings, drift),
            golden=golden.record(model, folded.height, folded.width, seed=options.seed),
            parity={"about": about, **found.as_json(cases=False), "validation_refused": fitted.refused},
            calibration=calibration.as_json(images, seed=options.seed),
            gate=fitted.gate,
        )
        advance(1)
        if options.reference is not None:
            options.reference.parent.mkdir(parents=True, exist_ok=True)
            options.reference.write_bytes(graph.float_tflite(folded, half=True))
            advance(1)
    return found


def check_fold(folded: Folded, trained: Any, pixels: Pixels) -> None:
    """Compare the folded network with the trained one.

    Raises:
        FoldError: A logit differs by more than 1e-4, counted against the largest logit where that is above 1.
    """
    exact = np.asarray(trained(pixels.astype(np.float32), training=False))
    answers = graph.predict(folded, pixels)[0]
    difference = float(np.abs(exact - answers).max() / max(1.0, float(np.abs(exact).max())))
    if not difference <= _FOLD_TOLERANCE:
        raise FoldError(
            f"The folded network differs from the trained one by {difference:.1e} (at most {_FOLD_TOLERANCE:g} is "
            "allowed): train in float32, or report this with the model's summary."
        )


def round_network(folded: Folded, pixels: Pixels, options: Options, progress: Progress) -> tuple[Folded, bytes]:
    """The int8 model, and the float network it is the rounding of."""
    if options.equalize:
        with progress("Observe the calibration images", len(pixels)) as advance:
            seen = ranges.observe(folded, pixels, advance=advance)
        folded = equalize(folded, {name: statistics.channel_high for name, statistics in seen.items()})
    counting = options.range_method in ranges.COUNTING
    with progress("Find the ranges", len(pixels) * (1 + counting)) as advance:
        seen = ranges.observe(folded, pixels, histograms=counting, advance=advance)
    limits = ranges.choose(folded, seen, options.range_method)
    corrected = rounding.round_first(folded, pixels) if options.search_first else folded
    if options.correct_bias:
        with progress("Correct the biases", len(folded.convolutions)) as advance:
            corrected = bias.correct(corrected, limits, spread(pixels, _BIAS_IMAGES), advance=advance)
    with progress(f"Quantize ({options.route})", 1) as advance:
        model = quantize.quantize(corrected, limits, options.route)
        quantize.check(model)
        advance(1)
    return folded, model


def compare(
    judge: _Judge, folded: Folded, model: bytes, progress: Progress
) -> tuple[parity.Parity, interpreter.Outputs]:
    """An int8 model before the validation set, and its answers."""
    with progress("Int8 model on the validation images", len(judge.pixels)) as advance:
        answers = interpreter.run(model, judge.pixels, advance=advance)
    few = spread(judge.pixels, _LAYER_IMAGES)
    with progress("Int8 model layer by layer", len(few)) as advance:
        layers = parity.layer_sqnr(folded, model, few, advance=advance)
    found = parity.compare(
        judge.names,
        judge.pneumonia,
        judge.logits,
        answers.logits,
        layers,
        threshold=judge.settings.threshold,
        temperature=judge.settings.temperature,
        limits=judge.limits,
    )
    return found, answers


def spread(pixels: Pixels, count: int) -> Pixels:
    """So many images, evenly over all."""
    return pixels[np.unique(np.linspace(0, len(pixels) - 1, min(count, len(pixels))).round().astype(int))]


def _judge(
    folded: Folded,
    images: Sequence[calibration.Image],
    settings: operating.Operating,
    limits: parity.Limits,
    progress: Progress,
) -> _Judge:
    pixels = calibration.load(images, folded.height, folded.width)
    with progress("Float model on the validation images", len(pixels)) as advance:
        logits, _ = graph.predict(folded, pixels, advance=advance)
    pneumonia = np.array([image.pneumonia for image in images])
    return _Judge([image.name for image in images], pneumonia, pixels, logits, settings, limits)


def _difference(first: parity.Parity, second: parity.Parity) -> dict[str, Any]:
    """How a model calibrated with other images compares: with the float model, and with the first int8 model."""
    p, q = (np.array([case.int8_probability for case in found.cases]) for found in (first, second))
    return {
        "flips against the float model": second.flips,
        "AUC": second.int8_auc,
        "labelled right": second.int8_right,
        "flips against the first set": int(((p >= first.threshold) != (q >= first.threshold)).sum()),
        "largest probability change against the first set": float(np.abs(p - q).max()),
    }


def _about(
    options: Options, images: Sequence[calibration.Image], manifest: calibration.Manifest | None
) -> dict[str, Any]:
    return {
        "model": options.model.name,
        "model sha256": _sha256(options.model),
        "data manifest sha256": None if manifest is None else manifest.sha256,
        "calibration images": len(images),
        "seed": options.seed,
        "route": options.route,
        "ranges": options.range_method,
        "equalized": options.equalize,
        "first kernel searched": options.search_first,
        "biases corrected": options.correct_bias,
        **{f"{name} version": version for name, version in _versions().items()},
    }


def _info(
    options: Options,
    folded: Folded,
    manifest: calibration.Manifest | None,
    settings: operating.Operating,
    drift: bundle.Reference | None,
) -> bundle.BundleInfo:
    return bundle.BundleInfo(
        name=options.name,
        created=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        input=bundle.InputGeometry(height=folded.height, width=folded.width),
        temperature=settings.temperature,
        operating_points={name: bundle.OperatingPoint(threshold=value) for name, value in settings.points.items()},
        default_operating_point=settings.default,
        uncertain=None if settings.uncertain is None else bundle.UncertainBand(*settings.uncertain),
        reference=drift,
        source_sha256=_sha256(options.model),
        data_manifest_sha256=None if manifest is None else manifest.sha256,
        route=options.route,
        versions=_versions(),
    )


def _versions() -> dict[str, str]:
    installed = {}
    for package in _PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return installed


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
