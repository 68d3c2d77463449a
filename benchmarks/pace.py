"""How fast LiteRT's ways of computing are, in processor time, against the yardstick of ``edge_runtime.model.pace``.

    python -m benchmarks.pace
    sudo unshare --mount sh -c 'mount -t proc -o subset=pid proc /proc && python -m benchmarks.pace --ways default'

The second line hides /proc/cpuinfo from LiteRT as ``ProcSubset=pid`` does.
"""

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ai_edge_litert import interpreter

from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import verify_golden
from edge_runtime.model.engines.litert import Library, LiteRtEngine, find_library
from edge_runtime.model.engines.tensors import multiply_adds
from edge_runtime.model.pace import plain_rate

# What each is called here, and LiteRT's name for it; XNNPACK is what it takes by itself.
WAYS = {"default": None, "no-delegate": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}


def main(args: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pace", description=__doc__.partition("\n")[0])
    parser.add_argument("--bundles", nargs="+", default=installed.names(), metavar="NAME")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 4])
    parser.add_argument("--inferences", type=int, default=7, help="of each kind, in turns with the yardstick")
    arguments = parser.parse_args(args)
    print(f"{'model':10} {'way':12} threads  {'ms':>9}  times the yardstick  off by")
    for name in arguments.bundles:
        opened = bundle.read(installed.find(Path(name)))
        for way in arguments.ways:
            for threads in arguments.threads:
                print(
                    f"{name:10} {way:12} {threads:7}  {measure(opened, way, threads, arguments.inferences)}", flush=True
                )
    return 0


def measure(opened: Bundle, way: str, threads: int, inferences: int) -> str:
    engine = LiteRtEngine(opened.tflite, opened.info, library(way), threads)
    work = multiply_adds(opened.tflite)
    times, ratios = zip(*timed(engine, opened, work, inferences), strict=True)
    difference = verify_golden(engine, opened.golden).largest_difference
    milliseconds, ratio = statistics.median(times), statistics.median(ratios)
    return f"{milliseconds:9.1f}  {ratio:19.2f}  {difference} step{'' if difference == 1 else 's'}"


def timed(engine: LiteRtEngine, opened: Bundle, work: int, inferences: int) -> Iterator[tuple[float, float]]:
    """Milliseconds of processor time, and the rate over that of the yardstick in the same moment."""
    engine.invoke(opened.golden.pixels[:1])  # gets the caches back
    for number in range(inferences):
        place = number % len(opened.golden.pixels)
        start = time.process_time()
        engine.invoke(opened.golden.pixels[place : place + 1])
        seconds = time.process_time() - start
        yield seconds * 1000.0, work / seconds / plain_rate()


def library(way: str) -> Library:
    found = find_library()
    kind = WAYS[way]
    if kind is None:
        return found
    resolver: Any = getattr(interpreter.OpResolverType, kind)
    return Library(found.name, partial(interpreter.Interpreter, experimental_op_resolver_type=resolver))


if __name__ == "__main__":
    raise SystemExit(main())
