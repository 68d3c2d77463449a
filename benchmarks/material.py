"""What the benchmarks measure with: radiographs, a model on one thread, and how a figure is printed."""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from edge_runtime.classify import find_images
from edge_runtime.model import bundle, installed
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from tools import synthetic

_DRAWN = 12  # synthetic radiographs that are drawn; further ones are these in other JPEG qualities, so in other bytes


def add_arguments(parser: argparse.ArgumentParser, *, files: int, side: int = 224) -> None:
    """Declare ``--bundle``, ``--data``, ``--files`` and ``--side``."""
    parser.add_argument("--bundle", type=Path, metavar="NAME|FILE", help="default: the program's own default")
    parser.add_argument("--data", type=Path, metavar="DIR", help="real radiographs (default: synthetic ones)")
    parser.add_argument("--files", type=int, default=files, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--side", type=int, default=side, metavar="PIXELS", help="height of the synthetic ones (default: %(default)s)"
    )


def classifier(arguments: argparse.Namespace) -> Classifier:
    """The model, on one thread; OpenCV on one, too."""
    cv2.setNumThreads(1)
    opened = bundle.read(installed.find(arguments.bundle))
    return Classifier(opened, open_engine(opened, 1))


def radiographs(arguments: argparse.Namespace) -> list[bytes]:
    """``--files`` files: those below ``--data``, else synthetic ones, each of other bytes."""
    if arguments.data is not None:
        return [path.read_bytes() for path in find_images([arguments.data])[: arguments.files]]
    return list(synthetic_files(arguments.files, arguments.side))


def synthetic_files(count: int, side: int) -> Iterator[bytes]:
    """JPEG files of synthetic radiographs of ``side`` rows, a square where that is 224 and else wider than high."""
    models = synthetic.load()
    width = side if side <= 224 else side * 9 // 7
    drawn = [synthetic.draw(models[synthetic.CLASSES[n % 2]], n + 1, side, width) for n in range(min(count, _DRAWN))]
    for number in range(count):
        picture = drawn[number % len(drawn)].copy()
        picture[0, : min(24, width)] = [255 * (number >> bit & 1) for bit in range(min(24, width))]  # other bytes
        encoded, data = cv2.imencode(".jpeg", picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
        assert encoded
        yield data.tobytes()


@contextmanager
def workplace() -> Iterator[Path]:
    """A folder on a disk, where a finding must be forced to: not a temporary one in memory, if that can be had."""
    in_memory = not Path("/var/tmp").is_dir()
    with TemporaryDirectory(prefix="edge-pneumo-", dir=None if in_memory else "/var/tmp") as folder:
        yield Path(folder)


def ratio(over: Sequence[float], under: Sequence[float]) -> str:
    """The median of the paired ratios, and between which the middle half of them lies."""
    ratios = sorted(a / b for a, b in zip(over, under, strict=True))
    if len(ratios) < 4:
        return f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})"
    low, _, high = statistics.quantiles(ratios, n=4)
    return f"{statistics.median(ratios):.3f} ({low:.3f} to {high:.3f})"
