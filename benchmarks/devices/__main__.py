"""``python -m benchmarks.devices``: what each stage of an answer takes a Raspberry Pi 4 and 5, on paper.

    python -m benchmarks.devices                                   counts, emulated times, and a processor's model
    python -m benchmarks.devices --models compact full --boards raspberry-pi-5

It needs what ``make test-arm64`` does, a C compiler, QEMU with plugins (``qemu-user``; the static one has none) and
LLVM 19 or newer (``llvm-mc`` and ``llvm-mca``, on the ``PATH`` or in ``--llvm``). Counts are exact, but for what
Python and the allocator do otherwise each time; emulated times are no board's, and only their ratios mean something.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from benchmarks.devices import estimate
from edge_runtime.model import bundle, installed
from edge_runtime.model.engines.tensors import multiply_adds
from tools.arm64_root import BOARDS, make_environment
from tools.debian import UnavailableError

# LLVM's model of each board's processor: it knows the A72 by the A57's units, and the A76 by those of its server twin.
_MODELS: Final = {"raspberry-pi-4": "cortex-a72", "raspberry-pi-5": "neoverse-n1"}
_GIGAHERTZ: Final = {"raspberry-pi-4": 1.8, "raspberry-pi-5": 2.4}
# LiteRT's and numpy's threads would be counted into each other's counters, and a waiting one counts its waiting.
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all was counted."""
    arguments = _parser().parse_args(args)
    if not estimate.is_there(arguments.llvm):
        print("error: llvm-mc and llvm-mca of LLVM 19 or newer are needed: apt-get install llvm-19", file=sys.stderr)
        return 2
    try:
        for model in arguments.models:
            print(_of_model(model))
        for board in arguments.boards:
            print(f"\n{board}\n", *_table(board, arguments), sep="\n", flush=True)
    except (UnavailableError, OSError, subprocess.CalledProcessError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def _of_model(name: str) -> str:
    model = bundle.read(installed.path(name)).tflite
    read, written = traffic(model)
    return (
        f"{name}: {multiply_adds(model) / 1e9:.3f} G multiply-adds, {len(model) / 1e6:.2f} MB of weights, "
        f"{read / 1e6:.2f} MB of activations read and {written / 1e6:.2f} MB written"
    )


def traffic(model: bytes) -> tuple[int, int]:
    """Bytes of activations that an inference reads and writes, if each layer reads its inputs once."""
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(model_content=model, experimental_op_resolver_type=plain)
    sizes = {
        tensor["index"]: int(np.prod(tensor["shape"])) * np.dtype(tensor["dtype"]).itemsize
        for tensor in interpreter.get_tensor_details()
    }
    made = {tensor["index"] for tensor in interpreter.get_input_details()}
    read = written = 0
    for operator in interpreter._get_ops_details():
        read += sum(sizes[index] for index in operator["inputs"] if index in made)
        written += sum(sizes[index] for index in operator["outputs"])
        made.update(int(index) for index in operator["outputs"])
    return read, written


def _table(board: str, arguments: argparse.Namespace) -> Iterator[str]:
    clock = _GIGAHERTZ[board]
    yield (
        f"| model | stage | instructions, M | of which vector multiplies | loaded, MB | stored, MB | emulated, ms "
        f"| cycles by {_MODELS[board]}, M | ms at {clock} GHz |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for (model, stage, milliseconds), counted in measure(board, arguments.models, arguments.qemu):
        by_model = estimate.cycles(counted, _MODELS[board], arguments.llvm)
        share = (counted["dot"] + counted["multiply"]) / counted["instructions"]
        yield (
            f"| {model} | {stage} | {counted['instructions'] / 1e6:.2f} | {share:.0%} | {counted['loaded'] / 1e6:.1f} "
            f"| {counted['stored'] / 1e6:.1f} | {milliseconds:.1f} | {by_model.cycles / 1e6:.2f} "
            f"| {by_model.cycles / clock / 1e6:.2f} |"
        )


def measure(board: str, models: Sequence[str], qemu: str) -> Iterator[tuple[tuple[str, str, float], dict[str, Any]]]:
    """Model, stage and emulated milliseconds, and what was counted; in two runs, since counting takes time.

    Args:
        board: Its name.
        models: Of the bundles that come with the program.
        qemu: That has plugins.

    Raises:
        UnavailableError: There is nothing to emulate with.
        OSError: The compiler or QEMU is not there.
        subprocess.CalledProcessError: Either fails.
    """
    python = make_environment("bookworm").python(BOARDS[board])
    with TemporaryDirectory() as name:
        plugin, out = Path(name, "count.so"), Path(name, "counts.jsonl")
        source = Path(__file__).with_name("count.c")
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", plugin, source], check=True)
        timed = _guest(python, models, {})
        _guest(python, models, {"EDGE_PNEUMO_QEMU": qemu, "QEMU_PLUGIN": f"{plugin},out={out}"})
        for stage, counted in zip(timed, out.read_text().splitlines(), strict=True):
            yield stage, json.loads(counted)


def _guest(python: Path, models: Sequence[str], settings: dict[str, str]) -> list[tuple[str, str, float]]:
    command = [str(python), "-B", "-m", "benchmarks.devices.guest", *models]
    environment = {**os.environ, **_ONE_THREAD, "PYTHONPATH": str(Path(__file__).parents[2]), **settings}
    said = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [(model, stage, milliseconds) for model, stage, milliseconds in map(json.loads, said.splitlines())]


def _parser() -> argparse.ArgumentParser:
    summary = __doc__.partition(": ")[2].partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.devices", description=summary)
    parser.add_argument("--models", nargs="+", default=["compact"], choices=installed.names(), metavar="NAME")
    parser.add_argument("--boards", nargs="+", default=list(BOARDS), choices=list(BOARDS), metavar="NAME")
    parser.add_argument("--qemu", default="qemu-aarch64", metavar="FILE", help="with plugins (default: %(default)s)")
    parser.add_argument("--llvm", default="", metavar="DIR/", help="where llvm-mc and llvm-mca are (default: PATH)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
