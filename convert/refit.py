"""``python -m convert.refit``: fit the gate of a finished bundle anew, without converting the model again."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from convert import calibration, gate, interpreter
from convert.quiet import quiet
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model import bundle
from edge_runtime.model.classifier import softmax


def refit(path: Path, folder: Path, manifest: Path, out: Path, *, seed: int = 0) -> gate.Fitted:
    """Fit the gate to a bundle's model and write the bundle with it; all else in it stays.

    Args:
        path: The bundle.
        folder: The radiographs it learned from, such as ``DATA/train``.
        manifest: ``manifest.json`` of the training, which names the validation images.
        out: Where to; may be ``path``.
        seed: Draws radiographs and counterexamples.

    Raises:
        EdgePneumoError: The bundle or the images cannot be used.
    """
    opened = bundle.read(path)
    rows = calibration.read_manifest(manifest)
    validation = calibration.validation_set(rows, folder)
    training = calibration.without(calibration.scan(folder, rows), validation, rows)
    size = (opened.info.input.height, opened.info.input.width)
    answers = interpreter.run(opened.tflite, calibration.load(validation, *size))
    fitted = gate.of_model(opened.tflite, training, validation, answers, size, seed=seed)
    probabilities = softmax(answers.logits / opened.info.temperature)[:, 1:].sum(axis=1)
    pneumonia = np.array([image.pneumonia for image in validation])
    drift = gate.drift_reference(fitted, np.minimum(probabilities, 1.0), pneumonia)
    bundle.write(
        out,
        opened.tflite,
        msgspec.structs.replace(opened.info, reference=drift),
        golden=opened.golden,
        parity=opened.parity | {"validation_refused": fitted.refused},
        calibration=opened.calibration,
        gate=fitted.gate,
    )
    return fitted


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the bundle is written, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m convert.refit",
        description="Fits the gate of a finished bundle anew, without converting the model again.",
        epilog="Research software, not a medical device.",
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE.tflite")
    parser.add_argument("--calibration", type=Path, required=True, metavar="DIR", help="radiographs: DATA/train")
    parser.add_argument("--manifest", type=Path, required=True, metavar="FILE", help="manifest.json of the training")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the bundle to write (default: BUNDLE itself)")
    arguments = parser.parse_args(args)
    out = arguments.out or arguments.bundle
    try:
        with quiet():
            fitted = refit(arguments.bundle, arguments.calibration, arguments.manifest, out)
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{out}: the gate refuses {fitted.refused} of {len(fitted.distances)} validation radiographs.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
