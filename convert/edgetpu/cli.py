"""``python -m convert.edgetpu``: is a bundle ready for the Edge TPU, and compiled, what stays on the CPU?"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from convert import flatbuffer
from convert.edgetpu import compiler, operators
from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.model import bundle, installed


def describe(found: operators.Readiness) -> list[str]:
    """The check in lines for a person."""
    mib = 2**20
    lines = [
        f"All {found.operators} operators are in the Edge TPU compiler's list."
        if found.mapped
        else f"{len(found.faults)} of {found.operators} operators would stay on the CPU: {'; '.join(found.faults)}."
    ]
    sizes = f"Weights {found.weights / mib:.2f} MiB, largest feature maps of a layer {found.activations / mib:.2f} MiB"
    lines.append(
        f"{sizes}: both fit the chip's {operators.ON_CHIP / mib:.0f} MiB."
        if found.fits
        else f"{sizes}: more than the chip's {operators.ON_CHIP / mib:.0f} MiB, so weights are streamed for each image."
    )
    return lines


def report(path: Path, folder: Path) -> tuple[list[str], bool]:
    """Check a bundle, and compile it where the compiler is installed.

    The compiled model becomes ``NAME_edgetpu.tflite``, a bundle too, and the compiler's table ``NAME_edgetpu.log``.

    Args:
        path: The bundle.
        folder: Where these two go.

    Returns:
        Lines for a person, and whether every operator is mapped.

    Raises:
        EdgePneumoError: The bundle cannot be read, or the compiler gave up.
    """
    opened = bundle.read(path)
    found = operators.examine(flatbuffer.read(opened.tflite))
    lines = describe(found)
    program = compiler.find()
    if program is None:
        lines.append(f"{compiler.PROGRAM} is not on the PATH, so nothing was compiled (docs/converting.md).")
        return lines, found.mapped
    compiled = compiler.compile_model(opened.tflite, program)
    out = folder / f"{path.stem}_edgetpu.tflite"
    try:
        bundle.write(
            out, compiled.model, opened.info,
            golden=opened.golden, parity=opened.parity, calibration=opened.calibration, gate=opened.gate,
        )  # fmt: skip
        out.with_suffix(".log").write_text(compiled.log)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror}): name a folder that can, with --out.") from error
    return [*lines, *_in_words(compiled.report), f"{out} and its .log written."], not compiled.report.on_cpu


def _in_words(found: compiler.Report) -> list[str]:
    mapped = sum(one.count for one in found.operations if one.mapped)
    total = sum(one.count for one in found.operations)
    lines = [f"{compiler.PROGRAM} {found.version}: {mapped} of {total} operators mapped to the Edge TPU."]
    lines += [f"On the CPU: {one.count} x {one.name} ({one.status})." for one in found.on_cpu]
    if found.on_chip or found.streamed:
        lines.append(f"Parameters on the chip {found.on_chip or '?'}, streamed for each image {found.streamed or '?'}.")
    return lines


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; 0 when every operator is mapped, 1 when one stays on the CPU, 2 for wrong usage."""
    parser = argparse.ArgumentParser(
        prog="python -m convert.edgetpu",
        description="Says whether a bundle is ready for a Coral Edge TPU, and compiles it where edgetpu_compiler is "
        "on the PATH.",
        epilog="Research software, not a medical device.",
    )
    parser.add_argument(
        "bundle", type=Path, nargs="?", metavar="BUNDLE", help="a file, or an installed bundle's name (default: the "
        "one that edge-pneumo runs)"
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help="where the compiled model goes (default: here)"
    )
    arguments = parser.parse_args(args)
    try:
        lines, mapped = report(installed.find(arguments.bundle), arguments.out)
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0 if mapped else 1
