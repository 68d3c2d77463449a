"""How much memory ``watch`` takes, and whether it grows.

    python -m benchmarks.memory [--bundle NAME|FILE] [--data DIR] [--images 2000] [--side 224]

The floor is a process with numpy, OpenCV and LiteRT loaded that does nothing. The watcher is a process of its own, on
one thread, with heat maps. Radiographs are linked into its folder as it answers them, and what has been answered is
taken away, so that many can be answered on a small disk. What it held at most is the system's figure. The slope is that
of a line through what it held after each answer, the first fifth left out. What its decoder's process holds and shares
with nobody comes on top: the most of what was seen after every 32nd answer.
"""

import argparse
import itertools
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import material
from edge_runtime.model import installed

_ROOT = Path(__file__).parents[1]
# Not getrusage, which begins with what the process that started this one held.
_FLOOR = """
import numpy, cv2, ai_edge_litert.interpreter
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
_WAITING = 64  # radiographs in the folder at a time
_MOST_SECONDS = 3600.0
_LOOK_EVERY = 32


def floor_bytes() -> int:
    """The peak of the bare process."""
    said = subprocess.run([sys.executable, "-c", _FLOOR], check=True, capture_output=True, text=True)
    return int(said.stdout) * 1024


def resident_bytes(process: int) -> int:
    """What a process holds in memory now."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def peak_bytes(process: int) -> int:
    """The most it ever held."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def children(process: int) -> list[int]:
    """The processes it has started that still live."""
    lists = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for file in lists for child in file.read_text().split()]


def private_bytes(process: int) -> int:
    """What a process holds in memory now and shares with no other."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


class Feeder(threading.Thread):
    """Links radiographs into a folder, never more than a few at a time, and takes away what has been answered."""

    def __init__(self, files: Sequence[bytes], place: Path, images: int) -> None:
        super().__init__(daemon=True)
        self._folder, self._results = place / "in", place / "out"
        self._images = images
        self._room = threading.Semaphore(_WAITING)
        self._originals = [place / f"original-{number}" for number in range(len(files))]
        for original, data in zip(self._originals, files, strict=True):
            original.write_bytes(data)
        self._folder.mkdir()

    def run(self) -> None:
        for number, original in zip(range(self._images), itertools.cycle(self._originals), strict=False):
            self._room.acquire()
            os.link(original, self._folder / f"{number}.jpeg")

    def answered(self, name: str) -> None:
        (self._folder / name).unlink()
        for made in (f"{name}.json", f"{name}.heatmap.png"):
            (self._results / made).unlink(missing_ok=True)
        self._room.release()


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.memory", description="The memory that watch takes.")
    material.add_arguments(parser, files=24)
    parser.add_argument("--images", type=int, default=2000, metavar="N", help="default: %(default)s")
    parser.add_argument("--no-heatmap", action="store_true")
    args = parser.parse_args(arguments)
    bundle = installed.find(args.bundle)
    with material.workplace() as place:
        feeder = Feeder(material.radiographs(args), place, args.images)
        command: list[str | Path] = [sys.executable, "-m", "edge_runtime", "watch", place / "in"]
        command += ["--results", place / "out", "--bundle", bundle, "--threads", "1", "--settle", "0.05"]
        command += ["--no-heatmap"] * args.no_heatmap
        start, held, decoder = time.monotonic(), [], 0
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=_ROOT, text=True) as watcher:
            assert watcher.stdout is not None
            feeder.start()
            for line in watcher.stdout:
                if line[2:3] == ":":
                    feeder.answered(line.split()[-1])
                    held.append(resident_bytes(watcher.pid))
                    if len(held) % _LOOK_EVERY == 0:
                        decoder = max(decoder, sum(map(private_bytes, children(watcher.pid))))
                    if len(held) == args.images or time.monotonic() - start > _MOST_SECONDS:
                        break
            peak = peak_bytes(watcher.pid)
            watcher.terminate()
        floor = floor_bytes()
    steady = np.array(held[len(held) // 5 :]) / 1e6
    slope = np.polyfit(np.arange(len(steady)), steady, 1)[0]
    print(f"model {bundle.stem}, one thread, {len(held)} images; floor: numpy, cv2 and LiteRT loaded")
    print(f"floor {floor / 1e6:.1f} MB; watch at its peak {peak / 1e6:.1f} MB: {(peak - floor) / 1e6:.1f} MB above it")
    print(f"its decoder's process: {decoder / 1e6:.1f} MB of its own")
    print(
        f"slope {1e3 * slope:+.3f} MB per 1,000 images: {steady[0]:.1f} MB after a fifth, {steady[-1]:.1f} at the end"
    )


if __name__ == "__main__":
    main()
