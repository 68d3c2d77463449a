"""``python -m benchmarks.engines``: one inference in LiteRT and in other engines, on this machine, in one run.

Every peer is a process of its own (``benchmarks.worker``), pinned to the same CPUs, and only one of them computes at a
time. Its labels for the golden inputs are compared before it is timed.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import network
from benchmarks.driver import PeerError, Worker
from benchmarks.peers import BASELINE, PEAK, PEERS
from benchmarks.timing import Timed, compare, in_turns
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import dequantize, softmax
from edge_runtime.model.engines import usable_cpus
from edge_runtime.model.engines.interface import tell_apart
from edge_runtime.model.engines.tensors import read_ports
from edge_runtime.options import positive_integer

_ROUNDS, _INFERENCES = 15, 3


@dataclass(frozen=True)
class Row:
    """One peer on one bundle.

    Attributes:
        peer: Its key in ``PEERS``.
        name: The library and its version.
        timed: Its times; in those of the peak, the bundle's network at that rate.
        macs_per_second: Multiply-adds, by the median of the times.
    """

    peer: str
    name: str
    timed: Timed
    macs_per_second: float


@dataclass(frozen=True)
class Result:
    """What one bundle on one number of threads gave: the baseline first, and why peers are left out."""

    bundle: str
    threads: int
    macs: int
    rows: tuple[Row, ...]
    left_out: Mapping[str, str]


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; 0 when the baseline was timed."""
    arguments = _parser().parse_args(args)
    results = []
    try:
        for file in arguments.bundle or [installed.path(name) for name in installed.names()]:
            opened = bundle.read(installed.find(file))
            for threads in arguments.threads:
                results.append(_measure(opened, threads, arguments))
                print(table(results[-1]), flush=True)
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--bundle", type=Path, nargs="+", metavar="NAME|FILE", help="bundles (default: those that are installed)"
    )
    parser.add_argument(
        "--threads",
        type=positive_integer,
        nargs="+",
        default=sorted({1, min(4, usable_cpus())}),
        metavar="N",
        help="numbers of threads, each on as many CPUs (default: 1 and 4)",
    )
    parser.add_argument(
        "--peers", nargs="+", choices=[name for name in PEERS if name not in (BASELINE, PEAK)], help="default: all"
    )
    parser.add_argument(
        "--python",
        type=_named_python,
        action="append",
        default=[],
        metavar="PEER=PATH",
        help="the Python of another environment that has this peer and edge-pneumo's requirements",
    )
    parser.add_argument("--cpus", type=int, nargs="+", metavar="N", help="the CPUs to use (default: the last ones)")
    parser.add_argument("--rounds", type=positive_integer, default=_ROUNDS, metavar="N")
    parser.add_argument("--inferences", type=positive_integer, default=_INFERENCES, metavar="N", help="in each round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there, too")
    return parser


def _named_python(text: str) -> tuple[str, Path]:
    peer, _, path = text.partition("=")
    if peer not in PEERS or not Path(path).is_file():
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a peer, '=' and the path of a Python")
    return peer, Path(path)


def _measure(opened: Bundle, threads: int, arguments: argparse.Namespace) -> Result:
    macs = network.read(opened.tflite).macs
    pythons = dict(arguments.python)
    # The baseline first, and the peak always: without these two no table can be read.
    names = [BASELINE, *(name for name in PEERS if name in [*(arguments.peers or PEERS), PEAK] and name != BASELINE)]
    cpus = (arguments.cpus or _allowed())[-threads:]
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        workers: dict[str, Worker] = {}
        for name in names:
            try:
                worker = stack.enter_context(
                    Worker(name, opened.path, threads, cpus, pythons.get(name, Path(sys.executable)))
                )
            except PeerError as error:
                left_out[name] = str(error)
                continue
            if name != PEAK and labels(opened, np.asarray(worker.logits)) != golden_labels(opened):
                left_out[name] = f"{worker.name}: other labels than the golden ones, not timed"
                continue
            workers[name] = worker
        if BASELINE not in workers:
            raise EdgePneumoError(f"the baseline cannot be timed: {left_out[BASELINE]}")
        times = in_turns(
            {name: partial(worker.time, arguments.inferences) for name, worker in workers.items()},
            arguments.rounds,
        )
    if PEAK in workers:
        scale = macs / (workers[PEAK].macs or macs)
        times[PEAK] = [[one * scale for one in found] for found in times[PEAK]]
    summed = compare(times, BASELINE)
    rows = tuple(Row(name, workers[name].name, timed, macs / timed.median * 1000.0) for name, timed in summed.items())
    return Result(opened.info.name, threads, macs, rows, left_out)


def _allowed() -> list[int]:
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))


def labels(opened: Bundle, logits: np.ndarray[Any, Any]) -> list[bool]:
    """Whether each row of logits, of shape ``(n, 3)``, means pneumonia at the bundle's own operating point."""
    threshold = opened.info.operating_points[opened.info.default_operating_point].threshold
    return [bool(p[1] + p[2] >= threshold) for p in softmax(logits.astype(np.float64) / opened.info.temperature)]


def golden_labels(opened: Bundle) -> list[bool]:
    """The same of the golden outputs."""
    _, outputs = read_ports(opened.tflite)
    places = tell_apart([port.shape for port in outputs], len(opened.info.labels))
    assert places is not None
    scores = outputs[places[0]]
    return labels(opened, dequantize(opened.golden.scores, scores.scale, scores.zero))


def table(result: Result) -> str:
    """The result for people, the fastest first, with the floor below."""
    rows = sorted(result.rows, key=lambda row: row.timed.ratio)
    width = max(len(row.name) for row in rows)
    lines = [
        f"\n{result.bundle}, {result.macs / 1e9:.2f} G multiply-adds, {result.threads} "
        f"thread{'' if result.threads == 1 else 's'}",
        f"{'':{width}}  median ms   p95 ms  time / LiteRT int8  G multiply-adds/s",
    ]
    lines += [
        f"{row.name:{width}}  {row.timed.median:9.2f}  {row.timed.p95:7.2f}  {row.timed.ratio:18.2f}"
        f"  {row.macs_per_second / 1e9:17.0f}"
        for row in rows
        if row.peer != PEAK
    ]
    lines.append(_floor(rows))
    lines += [f"left out: {name} ({reason})" for name, reason in result.left_out.items()]
    return "\n".join(lines)


def _floor(rows: Iterable[Row]) -> str:
    peak = next((row for row in rows if row.peer == PEAK), None)
    if peak is None:
        return "floor: not measured (it needs torch); the fastest engine above stands for it"
    return (
        f"floor: {peak.timed.median:.2f} ms, {peak.timed.ratio:.2f} of LiteRT int8: all multiply-adds at the rate of "
        f"{peak.name} ({peak.macs_per_second / 1e9:.0f} G/s)"
    )


if __name__ == "__main__":
    sys.exit(main())
