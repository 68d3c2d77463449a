"""How long a VGG-16 of given widths takes in LiteRT, one thread, predicted for a device: what steers pruning.

Multiply-adds alone mislead: LiteRT's kernels work on tiles, so that 1 channel costs as much as 8 and 20 filters as
much as 32, and each cell of the output has a price of its own. So the time of a convolution is modelled as a sum of
what its kernel does (XNNPACK's indirect convolution, Dukhan 2019, arXiv:1907.02129), each times a number of
nanoseconds that is fitted on measured times; tools and measurements are in ``train/devices/``.

    python -m train.latency measure --out DEVICE.jsonl        on the device, or emulated
    python -m train.latency fit DEVICE.jsonl                  writes DEVICE.json beside it
"""

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EdgePneumoError, UsageError
from train.timing import Layer, Network, vgg

DEVICES: Final = Path(__file__).parent / "devices"
_FOLDS: Final = 5
_ROWS, _FILTERS, _CHANNELS = (1, 2, 4, 5, 7, 8, 16), (8, 16, 32, 64), (1, 2, 4, 8, 16)


class Tile(msgspec.Struct, frozen=True):
    """What a kernel computes at a time: so many cells and filters, over so many channels."""

    cells: int
    filters: int
    channels: int


class Timed(msgspec.Struct, frozen=True):
    """One measurement: the layers, the milliseconds, and whether they are kept out of the fit to check it."""

    layers: Network
    ms: float
    held_out: bool = False


class Error(msgspec.Struct, frozen=True):
    """Relative difference of predicted from measured time: median and largest over so many networks."""

    networks: int
    median: float
    largest: float


class Device(msgspec.Struct, frozen=True):
    """A fitted model.

    Attributes:
        tile: The kernel's tile that explains the times best.
        convolution: Nanoseconds per padded multiply-add, pointer taken, result written, weight read, and layer.
        pooling: Nanoseconds per result written, in tiles of 16 channels, and layer.
        overhead: Nanoseconds per inference.
        fitted: On the measurements the numbers come from.
        held_out: On those they do not.
        multiply_adds: Held out too, where time is taken as proportional to the multiply-adds.
    """

    tile: Tile
    convolution: tuple[float, ...]
    pooling: tuple[float, ...]
    overhead: float
    fitted: Error
    held_out: Error
    multiply_adds: Error


def read(name: str) -> Device:
    """A device of ``train/devices/``, by its name.

    Raises:
        UsageError: There is none of that name.
    """
    path = DEVICES / f"{name}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Device)
    except (OSError, msgspec.MsgspecError) as error:
        known = ", ".join(sorted(file.stem for file in DEVICES.glob("*.json")))
        raise UsageError(f"There is no latency model {name!r}: take one of {known}, or fit one.") from error


def predict(device: Device, network: Network) -> float:
    """The time of one inference, in milliseconds."""
    numbers = np.array([*device.convolution, *device.pooling, device.overhead])
    return float(_work(network, device.tile) @ numbers) * 1e-6


def multiply_adds(network: Network) -> int:
    """Of the convolutions, nothing padded."""
    return sum(9 * x.cells**2 * x.channels * x.filters for x in network if x.kind == "conv")


def fit(timed: Sequence[Timed]) -> Device:
    """Fit the numbers to measurements, none below 0, the relative error squared.

    The tile is the one with the least error on measurements left out of a fit, five folds of those not held out.

    Raises:
        UsageError: Too few measurements.
    """
    training = [one for one in timed if not one.held_out]
    if len(training) < 2 * _FOLDS:
        raise UsageError(f"{len(training)} measurements are too few to fit: measure the whole grid.")

    def cost(tile: Tile) -> float:
        errors = []
        for fold in range(_FOLDS):
            rest = [one for i, one in enumerate(training) if i % _FOLDS != fold]
            numbers = _solve(rest, tile)
            errors += list(_relative(training[fold::_FOLDS], tile, numbers) ** 2)
        return float(np.mean(errors))

    tile = min((Tile(*sizes) for sizes in itertools.product(_ROWS, _FILTERS, _CHANNELS)), key=cost)
    numbers = _solve(training, tile)
    others = [one for one in timed if one.held_out]
    return Device(
        tile,
        tuple(map(float, numbers[:5])),
        tuple(map(float, numbers[5:7])),
        float(numbers[7]),
        _error(_relative(training, tile, numbers)),
        _error(_relative(others, tile, numbers)),
        _error(_by_multiply_adds(training, others)),
    )


def grid() -> Iterator[tuple[Network, bool]]:
    """What to measure, and whether it is held out: layers alone, small networks, whole VGG-16s."""
    first = [
        (s, 1, f, stride) for s, f, stride in ((224, 8, 2), (224, 16, 2), (224, 24, 2), (160, 16, 2), (224, 16, 1))
    ]
    pairs = {
        224: "8-8 16-16",
        112: "8-8 8-16 12-12 16-16 16-24 20-20 24-24 24-32 32-32 16-40 64-64",
        56: "8-16 16-16 16-32 24-24 24-40 32-32 12-20 40-48 64-64",
        28: "16-32 32-64 24-72 40-40 48-56 64-64 20-36 96-96 128-128",
        14: "32-64 48-48 64-128 96-112 104-72 128-128 60-100 256-256 512-256",
        7: "48-64 96-96 120-64 72-128 44-52 128-128 256-256 512-512",
    }
    inner = [
        (size, *map(int, pair.split("-")), 1) for size, listed in pairs.items() for pair in listed.split()
    ]  # fmt: skip
    for number, shape in enumerate(first + inner):
        yield (Layer("conv", *shape),), number % 6 == 5
    for size, channels in ((224, 16), (112, 8), (112, 16), (112, 40), (56, 24), (56, 32), (28, 64), (14, 128)):
        yield (Layer("pool", size, channels, channels, 2),), False
    for filters in (8, 16, 32):
        yield vgg((filters,) * 13, 32), False
        yield vgg((filters,) * 13, 64), False
    full = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
    quarter, eighth = (tuple(max(8, width // share) for width in full) for share in (4, 8))
    yield vgg(quarter, 224, 2), True
    yield vgg(quarter, 160, 2), True
    yield vgg(quarter, 224), True
    yield vgg(eighth, 224, 2), True
    yield vgg((8, 8, 16, 16, *quarter[4:]), 224, 2), True
    yield vgg((8, 16, 24, 24, 40, 48, 40, 72, 96, 64, 88, 48, 56), 224, 2), True
    yield vgg((11, 13, 22, 27, 37, 50, 45, 70, 90, 61, 83, 44, 58), 224, 2), True
    yield vgg(tuple(width // 2 for width in full), 160, 2), True
    yield vgg(full, 224), True


def _work(network: Network, tile: Tile) -> NDArray[np.float64]:
    """What the kernels do, in the units of ``Device.convolution``, ``pooling`` and ``overhead``: shape ``(8,)``."""
    done = np.zeros(8)
    for layer in network:
        cells = layer.cells**2
        if layer.kind == "conv":
            padded = _tiles(cells, tile.cells) * tile.cells
            columns = _tiles(layer.filters, tile.filters)
            deep = _tiles(layer.channels, tile.channels) * tile.channels
            done[:5] += (
                padded * columns * tile.filters * 9 * deep,
                padded * columns * 9,
                cells * columns * tile.filters,
                9 * layer.channels * layer.filters,
                1,
            )
        else:
            done[5:7] += (cells * _tiles(layer.channels, 16), 1)
    done[7] = 1
    return done


def _tiles(count: int, size: int) -> int:
    return -(-count // size)


def _solve(timed: Sequence[Timed], tile: Tile) -> NDArray[np.float64]:
    from scipy.optimize import nnls  # a board that only measures has no scipy

    work = np.array([_work(one.layers, tile) / (one.ms * 1e6) for one in timed])
    # Columns of like size, or those of a few units are lost beside those of millions.
    size = np.maximum(np.linalg.norm(work, axis=0), 1e-30)
    return np.asarray(nnls(work / size, np.ones(len(timed)))[0] / size)


def _relative(timed: Sequence[Timed], tile: Tile, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([_work(one.layers, tile) @ numbers * 1e-6 / one.ms - 1.0 for one in timed])


def _by_multiply_adds(training: Sequence[Timed], others: Sequence[Timed]) -> NDArray[np.float64]:
    def rate(timed: Sequence[Timed]) -> NDArray[np.float64]:
        return np.array([multiply_adds(one.layers) / one.ms for one in timed])

    # The scale with the least squared relative error, as the model has it; poolings have no multiply-adds.
    found = rate([one for one in training if multiply_adds(one.layers)])
    return np.asarray(rate(others) * (found.sum() / (found**2).sum()) - 1.0)


def _error(relative: NDArray[np.float64]) -> Error:
    if not len(relative):
        return Error(0, 0.0, 0.0)
    size = np.abs(relative)
    return Error(len(size), round(float(np.median(size)), 4), round(float(size.max()), 4))


def _measure(out: Path, rounds: int) -> None:
    from train.timing import measure

    networks, held_out = zip(*grid(), strict=True)
    total, done = rounds * len(networks), itertools.count(1)
    times = measure(
        networks, rounds=rounds, advance=lambda _: print(f"\r{next(done)}/{total}", end="", file=sys.stderr)
    )
    print(file=sys.stderr)
    lines = (msgspec.json.encode(Timed(*row)) for row in zip(networks, times, held_out, strict=True))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(b"".join(line + b"\n" for line in lines))


def _fit(path: Path) -> None:
    try:
        timed = msgspec.json.decode(b"[" + b",".join(path.read_bytes().splitlines()) + b"]", type=list[Timed])
    except (OSError, msgspec.MsgspecError) as error:
        raise UsageError(f"{path} holds no measurements ({error}): write it with 'measure'.") from error
    device = fit(timed)
    path.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(device), indent=1) + b"\n")
    print(f"{'measured':>10} {'predicted':>10}  ms, held out")
    for one in timed:
        if one.held_out:
            what = "VGG-16" if len(one.layers) > 1 else "layer "
            shape = (
                f"{one.layers[0].size} px, filters {' '.join(str(x.filters) for x in one.layers if x.kind == 'conv')}"
            )
            print(f"{one.ms:10.3f} {predict(device, one.layers):10.3f}  {what} {shape}")
    print(f"Fitted {device.fitted.networks}: {device.fitted.median:.1%} median, {device.fitted.largest:.1%} at most.")
    print(f"Held out {device.held_out.networks}: {device.held_out.median:.1%}, {device.held_out.largest:.1%} at most.")
    alone = device.multiply_adds
    print(f"By multiply-adds alone: {alone.median:.1%}, {alone.largest:.1%} at most.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m train.latency", description="The latency model of a device.")
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure", help="time LiteRT on layers and networks, one thread")
    measuring.add_argument("--out", type=Path, required=True, metavar="DEVICE.jsonl")
    measuring.add_argument("--rounds", type=int, default=9, metavar="N", help="turns of each (default: %(default)s)")
    fitting = commands.add_parser("fit", help="fit the model to measurements")
    fitting.add_argument("measurements", type=Path, metavar="DEVICE.jsonl")
    options = parser.parse_args(arguments)
    try:
        if options.command == "measure":
            _measure(options.out, options.rounds)
        else:
            _fit(options.measurements)
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
