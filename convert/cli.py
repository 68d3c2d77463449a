"""The command ``python -m convert``."""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from convert.quiet import quiet
from edge_runtime.errors import EdgePneumoError, UsageError

if TYPE_CHECKING:
    from convert.parity import Limits, Parity

_WRONG_USAGE, _REFUSED, _INTERRUPTED = 2, 1, 130
_ROUTES = ("tf-lite-converter", "litert-quantizer")
_RANGES = ("minmax", "percentile", "mse")


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: Without the program's name; ``None`` for those of this process.

    Returns:
        The exit status: 0 when the bundle is written, 1 when the parity gate refused it, 2 for wrong usage.
    """
    arguments = _parser().parse_args(args)
    # TensorFlow greets on standard error unless told not to before it is imported.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with quiet():
            return _run(arguments, Console(stderr=True))
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return _REFUSED if type(error).__name__ in ("GateError", "GraphError", "CompilerError") else _WRONG_USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(arguments: argparse.Namespace, console: Console) -> int:
    _check_paths(arguments)
    try:
        with console.status("Load TensorFlow"):
            from convert import pipeline
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] in ("tensorflow", "keras"):
            raise UsageError('TensorFlow is not installed: pip install "edge-pneumo[convert]".') from error
        raise
    options = pipeline.Options(
        model=arguments.model,
        calibration=arguments.calibration,
        out=arguments.out,
        name=arguments.name or arguments.out.stem,
        images=arguments.images,
        seed=arguments.seed,
        route=arguments.route,
        range_method=arguments.ranges,
        equalize=arguments.equalize,
        search_first=arguments.first_kernel_search,
        correct_bias=arguments.bias_correction,
        temperature=arguments.temperature,
        validation=arguments.validation,
        reference=arguments.reference,
        second_set=arguments.second_set,
        limits=_limits(arguments.limit),
    )
    started = time.monotonic()
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console
    ) as bars:

        @contextmanager
        def step(name: str, total: int) -> Iterator[Callable[[int], None]]:
            task = bars.add_task(name, total=total)
            yield lambda done: bars.advance(task, done)

        parity = pipeline.convert(options, step)
    _print_summary(parity, arguments.out, time.monotonic() - started)
    if arguments.edgetpu:
        from convert.edgetpu import cli as edgetpu

        print("\n".join(edgetpu.report(arguments.out, arguments.out)[0]))
    return 0


def _print_summary(parity: "Parity", out: Path, seconds: float) -> None:
    from convert import report

    n, worst = len(parity.cases), parity.worst_layers[0]
    print(
        f"{parity.flips} of {n} validation labels change, right before {parity.float_right}, after {parity.int8_right}."
    )
    if parity.float_auc is not None and parity.int8_auc is not None:
        print(f"AUC {parity.float_auc:.4f} before, {parity.int8_auc:.4f} after.")
    print(
        f"Probabilities change by {parity.mean_probability_change:.4f} on average, "
        f"{parity.largest_probability_change:.4f} at most; worst layer {worst.name}, {worst.sqnr:.1f} dB."
    )
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB) and {report.paths(out)[1]} written in {seconds:.0f} s.")
    print("Research software, not a medical device.")


def _check_paths(arguments: argparse.Namespace) -> None:
    """What can be seen to be wrong before TensorFlow has taken its seconds to load."""
    if not arguments.model.is_file():
        raise UsageError(f"There is no model at {arguments.model}: give the vgg16.keras that python -m train wrote.")
    if not arguments.calibration.is_dir():
        raise UsageError(
            f"There is no folder {arguments.calibration}: give a folder of radiographs, such as DATA/train."
        )
    if arguments.validation is not None and not arguments.validation.is_dir():
        raise UsageError(f"There is no folder {arguments.validation}: give a folder with NORMAL and PNEUMONIA in it.")
    if arguments.out.is_dir():
        raise UsageError(
            f"{arguments.out} is a folder: name the file to write, such as {arguments.out / 'model.tflite'}."
        )


def _limits(pairs: Sequence[str]) -> "Limits":
    from convert.parity import Limits

    known = {field.name: field.name.replace("_", "-") for field in fields(Limits)}
    changed = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        key = name.replace("-", "_")
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if key not in known or number != number:
            raise UsageError(f"{pair!r} is no limit: write NAME=NUMBER with a name of {', '.join(known.values())}.")
        changed[key] = number
    return Limits(**changed)


def _count(text: str) -> int:
    value = int(text)
    if not 20 <= value <= 5000:
        raise argparse.ArgumentTypeError("from 20 to 5000; 100 to 500 is usual")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convert",
        description="Turns a trained model into one int8 bundle for a device, and proves that it decides as before.",
        epilog="Research software, not a medical device.",
    )
    parser.add_argument("model", type=Path, metavar="MODEL.keras", help="what python -m train wrote")
    parser.add_argument(
        "--calibration",
        type=Path,
        required=True,
        metavar="DIR",
        help="radiographs that set the integer ranges: DATA/train",
    )
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the bundle to write; FILE's name with .parity.html is the report",
    )
    parser.add_argument("--name", help="of the model, as findings will state it (default: that of the file to write)")
    parser.add_argument(
        "--images", type=_count, default=200, metavar="N", help="how many calibrate (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="draws the calibration images (default: %(default)s)")
    parser.add_argument("--route", choices=_ROUTES, default=_ROUTES[0], help="the quantizer (default: %(default)s)")
    parser.add_argument(
        "--ranges",
        choices=_RANGES,
        default=_RANGES[0],
        help="how ranges follow from the values seen (default: %(default)s)",
    )
    parser.add_argument(
        "--equalize",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="balance feature maps against kernels (default: yes)",
    )
    parser.add_argument(
        "--first-kernel-search",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="round the first kernel the best of all ways (default: yes)",
    )
    parser.add_argument(
        "--bias-correction",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="take the mean rounding error out of the biases (default: no)",
    )
    parser.add_argument("--temperature", type=float, metavar="T", help="in place of the one beside the model")
    parser.add_argument(
        "--validation", type=Path, metavar="DIR", help="compare on these (NORMAL and PNEUMONIA), not on the manifest's"
    )
    parser.add_argument(
        "--reference", type=Path, metavar="FILE", help="also write the float model as a float16 .tflite"
    )
    parser.add_argument(
        "--second-set",
        action="store_true",
        help="convert again with other calibration images and report the difference",
    )
    parser.add_argument(
        "--edgetpu",
        action="store_true",
        help="also check the bundle for a Coral Edge TPU, and compile it where edgetpu_compiler is on the PATH",
    )
    parser.add_argument(
        "--limit",
        action="append",
        default=[],
        metavar="NAME=NUMBER",
        help="change a limit of the gate: flips, auc-change, largest-probability-change, mean-probability-change, "
        "layer-sqnr",
    )
    return parser
