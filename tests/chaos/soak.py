"""Very many images through one watcher: what it holds, what an image takes, and what it writes to the disk.

    python -m tests.chaos.soak [--images 100000] [--heatmap] [--place DIR]

Radiographs are put into the folder as those before them are answered, never more than 64 at a time, and taken away when
they have been; the findings stay. After every hundredth part of the run memory, open files, threads, processor time and
bytes written are read from /proc, those of child processes added. The first tenth is left out: caches fill.

Printed are the median of each, by how much it grew over the run, and the 95% confidence interval of that. "Flat" is
what surely grows by less than this; the command fails when something surely grows by more. Between the two, more images
or a quieter machine must tell.

    resident memory          grows by less than 8 MB
    processor time an image  by less than 10%
    latency                  by less than 10%, as the findings state it, from reading to the answer
    bytes written an image   by less than 10%
    open files, threads      by less than one

In the end ``agreement`` must hold.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.chaos import agreement
from tests.chaos.flatness import Growth, growth
from tests.chaos.material import inputs, put
from tests.chaos.process import Usage, usage
from tests.chaos.watcher import environment, names_told

_ROOT = Path(__file__).parents[2]
_WAITING, _SAMPLES = 64, 100
_A_FOLDER = 1000  # files


@dataclass(frozen=True, slots=True)
class Sample:
    """One part of the run: how many were answered at its end, what was used then, and what an image took in it."""

    images: int
    usage: Usage
    seconds: float
    processor: float
    latency: float
    written: float


# What is judged: name, unit, how it is read from a sample, the bound, and whether that is a share.
_JUDGED: Final[tuple[tuple[str, str, Callable[[Sample], float], float, bool], ...]] = (
    ("resident memory", "MB", lambda one: one.usage.resident / 1e6, 8.0, False),
    ("processor time an image", "ms", lambda one: 1e3 * one.processor, 0.1, True),
    ("latency", "ms", lambda one: one.latency, 0.1, True),
    ("bytes written an image", "kB", lambda one: one.written / 1e3, 0.1, True),
    ("open files", "", lambda one: float(one.usage.descriptors), 0.99, False),
    ("threads", "", lambda one: float(one.usage.threads), 0.99, False),
)


def judge(samples: Sequence[Sample]) -> dict[str, tuple[Growth, str]]:
    """How each thing grew, and its unit, the first tenth left out."""
    steady = samples[len(samples) // 10 :]
    images = [one.images for one in steady]
    return {
        name: (growth(images, [read(one) for one in steady], bound, relative=relative), unit)
        for name, unit, read, bound, relative in _JUDGED
    }


def run(place: Path, images: int, options: Sequence[str] = (), samples: int = _SAMPLES) -> list[Sample]:
    """Answer so many in one watcher.

    Raises:
        DisagreementError: Something was lost, doubled or half-written.
    """
    folder, results = place / "in", place / "out"
    folder.mkdir(parents=True)
    put_in: dict[str, str] = {}
    told: list[str] = []
    coming = (one for one in itertools.islice(inputs(Random(7), broken=0.0, folders=0), images))

    def put_next() -> None:
        for one in itertools.islice(coming, 1):
            (folder / str(len(put_in) // _A_FOLDER)).mkdir(exist_ok=True)
            placed = type(one)(f"{len(put_in) // _A_FOLDER}/{one.name}", one.data)
            put(folder, placed)
            put_in[placed.name] = placed.sha256

    command: list[str | Path] = [sys.executable, "-m", "edge_runtime", "watch", folder, "--results", results]
    command += ["--threads", "1", "--settle", "0.05", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, text=True, env=environment()) as watcher:
        assert watcher.stdout is not None
        for _ in range(_WAITING):
            put_next()
        taken: list[Sample] = []
        before, then, latencies = usage(watcher.pid), time.monotonic(), []
        for line in watcher.stdout:
            for name in names_told(line):
                told.append(name)
                latencies.append(_milliseconds(line))
                (folder / name).unlink()
                put_next()
                if len(told) % max(images // samples, 1) == 0:
                    now, used, many = time.monotonic(), usage(watcher.pid), len(latencies)
                    processor = (used.processor - before.processor) / many
                    written = (used.written - before.written) / many
                    latency = sum(latencies) / many
                    taken.append(Sample(len(told), used, (now - then) / many, processor, latency, written))
                    before, then, latencies = used, now, []
            if len(told) == images:
                watcher.terminate()
                break
    if watcher.returncode or len(told) != images:
        raise agreement.DisagreementError(f"it ended with {watcher.returncode} after {len(told)} of {images}")
    agreement.check(None, results, put_in, told)
    return taken


def _milliseconds(line: str) -> float:
    words = line.split()
    return float(words[words.index("ms") - 1])


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description="Very many images.")
    parser.add_argument("--images", type=int, default=100_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--samples", type=int, default=_SAMPLES, metavar="N", help="default: %(default)s")
    parser.add_argument("--heatmap", action="store_true", help="write heat maps, too")
    parser.add_argument("--place", type=Path, default=Path("/var/tmp"), metavar="DIR", help="on a disk: %(default)s")
    args = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="edge-pneumo-soak-", dir=args.place))
    began = time.monotonic()
    try:
        samples = run(place, args.images, [] if args.heatmap else ["--no-heatmap"], args.samples)
    except agreement.DisagreementError as error:
        print(f"all kept in {place}:\n{error}")
        return 1
    shutil.rmtree(place)
    seconds = time.monotonic() - began
    print(f"{args.images} images through one watcher in {seconds:.0f} s: every one has exactly one finding")
    print(f"{'':<24} {'median':>9} {'growth':>9}   95% interval        bound")
    judged = judge(samples)
    for name, (found, unit) in judged.items():
        interval = f"{found.low:+.3f} to {found.high:+.3f}"
        print(f"{name:<24} {found.median:>9.3f} {found.over_run:>+9.3f}   {interval:<19} {found.bound:.3f} ", end="")
        print(f"{unit:<2} {found.verdict}")
    print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f} at the end")
    return int(any(found.verdict == "grows" for found, _ in judged.values()))


if __name__ == "__main__":
    sys.exit(main())
