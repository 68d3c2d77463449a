"""How long each stage from a file to its finding takes."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import cv2
import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime import gate
from edge_runtime.answer import answer, least_sides
from edge_runtime.clock import Clock
from edge_runtime.model import heatmap
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import Engine
from edge_runtime.radiograph.careful import decode
from edge_runtime.radiograph.prepare import prepare
from edge_runtime.sinks.files import ResultsFolder

# The median of the published originals, and as many bits a pixel.
_HEIGHT, _WIDTH, _GRAIN, _QUALITY = 989, 1328, 2.0, 90
_LEAST_ROUNDS, _MOST_ROUNDS = 5, 50


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds of one stage: the median, and between which the middle half lies."""

    median: float
    low: float
    high: float


def full_size(bundle: Bundle) -> bytes:
    """A JPEG of 1328 x 989 pixels, as large as most radiographs and as hard to decode; the same on every machine.

    It is drawn from an input that the bundle holds, with grain, so that it takes nobody's radiograph.
    """
    pixels = bundle.golden.pixels
    enlarged = cv2.resize(pixels[2 % len(pixels), :, :, 0], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_CUBIC)
    grain = np.random.default_rng(1).normal(0.0, _GRAIN, enlarged.shape)
    encoded, data = cv2.imencode(
        ".jpeg", np.clip(enlarged + grain, 0, 255).astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    assert encoded
    return data.tobytes()


def stages(
    data: bytes, bundle: Bundle, engines: Mapping[str, Engine], results: ResultsFolder, clock: Clock
) -> dict[str, Callable[[], object]]:
    """The stages by name; each may be called again and again, on its own.

    Args:
        data: A radiograph's file.
        bundle: Its model answers.
        engines: That model in an engine, by the name its stage gets.
        results: Where findings are written and forced to the disk, without heat maps.
        clock: For the findings' times.
    """
    engine = next(iter(engines.values()))
    classifier = Classifier(bundle, engine)
    sides, shape = least_sides(bundle), bundle.info.input
    grey = decode(data, least=sides)
    pixels = prepare(grey, shape.height, shape.width)
    answered = answer("radiograph", data, classifier, clock=clock, received=clock.now())
    # What the gate refuses has no answer to draw; every machine draws the same.
    drawn = classifier.classify(pixels)
    number = iter(range(10**9))

    def inference(of: Engine, pixels: NDArray[np.uint8] = pixels) -> Callable[[], object]:
        return lambda: of.invoke(pixels)

    return {
        "decode": lambda: decode(data, least=sides),
        "prepare": lambda: prepare(grey, shape.height, shape.width),
        "screen": lambda: (gate.before(grey, bundle.gate), gate.after(drawn.features, bundle.gate)),
        **{name: inference(of) for name, of in engines.items()},
        "heat map": lambda: heatmap.png(grey, drawn),
        "write": lambda: results.write(b"%d" % next(number), answered),
    }


def timed(turns: Mapping[str, Callable[[], object]], clock: Clock, seconds: float) -> dict[str, Times]:
    """Time every stage in rounds, after one to warm up, so that what else the machine does meets all alike.

    Args:
        turns: By name.
        clock: For the durations.
        seconds: After which no further round begins; five rounds there are at least, and 50 at most.
    """
    found: dict[str, list[float]] = {name: [] for name in turns}
    begin = clock.seconds()
    for number in range(_MOST_ROUNDS + 1):
        if number > _LEAST_ROUNDS and clock.seconds() - begin > seconds:
            break
        for name, turn in turns.items():
            start = clock.seconds()
            turn()
            milliseconds = clock.milliseconds_since(start)
            if number > 0:
                found[name].append(milliseconds)
    return {name: _summed(times) for name, times in found.items()}


def _summed(times: Sequence[float]) -> Times:
    low, median, high = statistics.quantiles(times, n=4, method="inclusive")
    return Times(median=round(median, 2), low=round(low, 2), high=round(high, 2))


def folder_on_disk() -> Path | None:
    """Where a temporary folder is likely to lie on a disk and not in memory; ``None`` for the usual place."""
    place: Final = Path("/var/tmp")
    return place if place.is_dir() else None
