"""``python -m convert.edgetpu``: is a bundle ready for the Edge TPU, and compiled, what stays on the CPU?"""

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

from convert import flatbuffer
from convert.edgetpu import compiler, operators
from convert.edgetpu.compiler import CompilerError
from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.model import bundle, installed
from edge_runtime.model.compiled import CUSTOM_OPERATOR, Compiled
from edge_runtime.model.engines.tensors import read_ports


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


def report(path: Path, out: Path) -> tuple[list[str], bool]:
    """Check a bundle, and compile its model where the compiler is installed.

    The compiled model goes into the bundle, beside the one for the CPU, which answers where no Edge TPU does. The
    compiler's table becomes ``NAME_edgetpu.log`` beside it.

    Args:
        path: The bundle.
        out: The bundle with both models; may be the same file.

    Returns:
        Lines for a person, and whether every operator is mapped.

    Raises:
        EdgePneumoError: The bundle cannot be read, or the compiler gave up, or made something else of the model.
    """
    opened = bundle.read(path)
    found = operators.examine(flatbuffer.read(opened.tflite))
    lines = describe(found)
    program = compiler.find()
    if program is None:
        lines.append(f"{compiler.PROGRAM} is not on the PATH, so nothing was compiled (docs/converting.md).")
        return lines, found.mapped
    compiled = compiler.compile_model(opened.tflite, program)
    _refuse_another(opened.tflite, compiled.model, program)
    known = Compiled(
        of_sha256=opened.info.tflite_sha256,
        sha256=hashlib.sha256(compiled.model).hexdigest(),
        compiler=compiled.report.version,
        on_cpu=sum(one.count for one in compiled.report.on_cpu),
    )
    log = out.with_name(f"{path.stem}_edgetpu.log")
    try:
        bundle.write(
            out, opened.tflite, opened.info,
            golden=opened.golden, parity=opened.parity, calibration=opened.calibration, gate=opened.gate,
            edgetpu=(compiled.model, known),
        )  # fmt: skip
        log.write_text(compiled.log)
    except OSError as error:
        raise UsageError(f"{out} cannot be written ({error.strerror}): name a folder that can, with --out.") from error
    written = f"{out}, with both models, and {log.name} written."
    return [*lines, *_in_words(compiled.report), written], not compiled.report.on_cpu


def _refuse_another(model: bytes, compiled: bytes, program: Path) -> None:
    """Its golden vectors and its quantization are the bundle's, so that its inputs and outputs have to be."""
    try:
        before, after = read_ports(model), read_ports(compiled)
    except ValueError as error:
        raise CompilerError(f"What {program} made cannot be read ({error}): run another version of it.") from error
    if [sorted(map(repr, ports)) for ports in before] != [sorted(map(repr, ports)) for ports in after]:
        raise CompilerError(f"{program} gave the model other inputs or outputs: run another version of it.")
    if CUSTOM_OPERATOR not in compiled:
        raise CompilerError(f"{program} mapped nothing of the model: see its log for the reason.")


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
        "--out",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where NAME_edgetpu.tflite goes, the bundle with both models (default: here)",
    )
    arguments = parser.parse_args(args)
    try:
        path = installed.find(arguments.bundle)
        lines, mapped = report(path, arguments.out / f"{path.stem}_edgetpu.tflite")
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print("\n".join(lines))
    return 0 if mapped else 1
