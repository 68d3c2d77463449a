"""``python -m benchmarks.bundles``: one inference of each bundle in LiteRT, on one thread, in turns.

    python -m benchmarks.bundles                      the installed bundles, full first
    python -m benchmarks.bundles full mine.tflite     the first is what the others are compared with
    python -m tools.arm64_root raspberry-pi-4 bookworm -m benchmarks.bundles --rounds 3      emulated as that board

What is counted is the thread's own time on the processor. Emulated time stands for instructions executed, not for a
board's milliseconds, so that the ratio counts.
"""

import argparse
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.timing import compare, in_turns
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model import bundle, installed
from edge_runtime.model.classifier import verify_golden
from edge_runtime.model.engines import open_engine

_LEAST_SECONDS = 0.02


def main(args: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all were timed, 1 when golden vectors differ, 2 for wrong usage."""
    arguments = _parser().parse_args(args)
    try:
        return _compare(arguments)
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _compare(arguments: argparse.Namespace) -> int:
    names = arguments.bundles or [Path(name) for name in sorted(installed.names(), key=lambda name: name != "full")]
    opened = {str(name): bundle.read(installed.find(name)) for name in names}
    engines = {name: open_engine(one, threads=1) for name, one in opened.items()}
    differ = False
    if arguments.verify:
        for name, one in opened.items():
            report = verify_golden(engines[name], one.golden)
            differ |= report.identical < report.n
            print(f"{name}: {report.identical} of {report.n} golden vectors identical", flush=True)
    turns = {name: _turn(engines[name].invoke, one.golden.pixels[:1]) for name, one in opened.items()}
    baseline = next(iter(turns))
    found = compare(in_turns(turns, arguments.rounds), baseline)
    print(f"LiteRT, int8, one thread, {platform.machine()}, median of {arguments.rounds} rounds in turns")
    print(f"{'bundle':24} {'MB':>6} {'ms':>10} {'times faster than ' + baseline:>26}")
    for name, timed in found.items():
        size = len(opened[name].tflite) / 1e6
        print(f"{name:24} {size:6.2f} {timed.median:10.3f} {1 / timed.ratio:26.1f}")
    return int(differ)


def _turn(invoke: Callable[..., object], pixels: object) -> Callable[[], Sequence[float]]:
    """A turn's inferences, warmed up; as many as take 20 ms."""
    invoke(pixels)
    started = time.thread_time()
    invoke(pixels)
    count = max(1, round(_LEAST_SECONDS / max(time.thread_time() - started, 1e-6)))

    def turn() -> Sequence[float]:
        if count > 1:
            invoke(pixels)  # brings back what the others drove out of the caches
        times = []
        for _ in range(count):
            started = time.thread_time()
            invoke(pixels)
            times.append((time.thread_time() - started) * 1e3)
        return times

    return turn


def _parser() -> argparse.ArgumentParser:
    summary = __doc__.partition(": ")[2].partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bundles", description=summary)
    parser.add_argument("bundles", type=Path, nargs="*", metavar="NAME|FILE", help="default: those that are installed")
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="turns of each (default: %(default)s)")
    parser.add_argument("--verify", action="store_true", help="compare the golden vectors first")
    return parser


if __name__ == "__main__":
    sys.exit(main())
