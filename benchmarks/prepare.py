"""What reducing large JPEGs while they are decoded saves, and what it does to answers.

    python -m benchmarks.prepare --data DIR [--bundle NAME|FILE] [--rounds 7]

The floor is a full decode and the squash to the model's input. Beside it stand the program's own rule, a half wherever
each side keeps so many times the input's pixels, and reductions by 2, 4 and 8 of whatever keeps 40 pixels a side. All
take turns on each file. The answers are compared with those of the floor.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks import material
from edge_runtime.answer import least_sides
from edge_runtime.gate import before
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph import jpeg
from edge_runtime.radiograph.decode import decode
from edge_runtime.radiograph.prepare import prepare
from edge_runtime.radiograph.reduce import Sides

_LEAST = 40  # pixels a side; prepare refuses fewer than 32

Decoder = Callable[[bytes], NDArray[np.uint8]]


def keeping(least: Sides) -> Decoder:
    """A decoder that reduces as far as these sides allow."""
    return lambda data: decode(data, least=least)


def _size(data: bytes) -> tuple[int, int] | None:
    """Rows and columns of a JPEG; of nothing else."""
    if not data.startswith(jpeg.START):
        return None
    frame = jpeg.inspect(data)
    return frame.height, frame.width


def by(factor: int) -> Decoder:
    """A decoder that reduces by this factor wherever a picture is left."""

    def decoder(data: bytes) -> NDArray[np.uint8]:
        size = _size(data)
        if size is None or min(size) // factor < _LEAST:
            return decode(data)
        # As large as this reduction leaves it, and no smaller one.
        short, long = sorted(side // factor for side in size)
        return decode(data, least=Sides(short, long))

    return decoder


def halving(share: float, side: int) -> Decoder:
    """A decoder that halves what keeps so many times the side of the input."""
    half = by(2)

    def decoder(data: bytes) -> NDArray[np.uint8]:
        size = _size(data)
        return half(data) if size is not None and min(size) // 2 >= share * side else decode(data)

    return decoder


def milliseconds(data: bytes, decoder: Decoder, height: int, width: int) -> float:
    start = time.perf_counter()
    prepare(decoder(data), height, width)
    return 1000.0 * (time.perf_counter() - start)


def answers(files: Sequence[bytes], decoder: Decoder, classifier: Classifier) -> list[tuple[float, float]]:
    """The probability of pneumonia, and the gate's distance, of each file."""
    size, found = classifier.bundle.info.input, []
    for data in files:
        grey = decoder(data)
        answer = classifier.classify(prepare(grey, size.height, size.width))
        found.append((answer.probability, before(grey, classifier.bundle.gate).distance))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prepare", description="Reduced against full decoding.")
    material.add_arguments(parser, files=12, side=1600)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default: %(default)s")
    args = parser.parse_args(arguments)
    if args.data is not None:
        args.files = None
    classifier, files = material.classifier(args), material.radiographs(args)
    size = classifier.bundle.info.input
    side = max(size.height, size.width)
    ways = {"full decode": decode, "the program's rule": keeping(least_sides(classifier.bundle))}
    ways |= {f"a half, if each side keeps {share:g} inputs": halving(share, side) for share in (2.0, 1.5)}
    ways |= {f"1/{factor}": by(factor) for factor in (2, 4, 8)}
    times: dict[str, list[float]] = {way: [] for way in ways}
    for data in files:
        for way, decoder in ways.items():
            times[way].append(min(milliseconds(data, decoder, size.height, size.width) for _ in range(args.rounds)))
    reference = answers(files, decode, classifier)
    print(f"{len(files)} files, model {classifier.bundle.info.name}; floor: full decode and squash")
    for way, decoder in ways.items():
        found = answers(files, decoder, classifier)
        pairs = [(now, then) for (now, _), (then, _) in zip(found, reference, strict=True)]
        moved = [abs(now - then) for now, then in pairs]
        same = sum((now >= classifier.threshold) == (then >= classifier.threshold) for now, then in pairs)
        print(
            f"{way}: {sum(decoder(data).size < decode(data).size for data in files)} reduced; "
            f"{sum(times['full decode']) / sum(times[way]):.2f} times as fast; same label {same}; probability moved by "
            f"{max(moved):.3f} at most, {statistics.mean(moved):.4f} on average; "
            f"farthest {max(distance for _, distance in found):.2f}"
        )


if __name__ == "__main__":
    main()
