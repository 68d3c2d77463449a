"""From a file's bytes to its finding: decode, screen, prepare, infer, each timed, each refusal a reason in words."""

import hashlib
from collections.abc import Callable
from datetime import datetime

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime import gate
from edge_runtime.clock import Clock
from edge_runtime.errors import ImageError
from edge_runtime.finding import FILM_KEYWORD, Film, Finding, Label, Model, Types, printable, timestamp
from edge_runtime.gate.gate import NOT_LIKE_THE_LEARNED
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Answer, Classifier
from edge_runtime.model.engines.interface import RawOutputs
from edge_runtime.radiograph.careful import decode
from edge_runtime.radiograph.decode import TOO_LARGE, Decode
from edge_runtime.radiograph.prepare import prepare
from edge_runtime.radiograph.reduce import Sides

_DECIMALS, _DISTANCE_DECIMALS = 6, 4

# A JPEG that is much larger than the model's input is reduced while it is decoded, as long as each side keeps twice the
# input's pixels (docs/speed.md, "Prepare", has what that does to answers), and the long one what a heat map shows.
_REDUCED_OVER_INPUT = 2
_REDUCED_LONG_SIDE = 1024


class Answered(msgspec.Struct, frozen=True, eq=False):
    """A finding, and what a heat map is drawn from.

    Attributes:
        finding: Classified or rejected.
        grey: The decoded radiograph as the model saw it, a negative made positive, a large JPEG reduced; ``uint8`` of
            shape ``(height, width)``; ``None`` where it could not be decoded.
        answer: What the model said; ``None`` for a rejected file.
        heatmap: The bytes of a heat map that is there already: that of the answer which is given again.
        same_as: That answer's row in the journal.
    """

    finding: Finding
    grey: NDArray[np.uint8] | None
    answer: Answer | None
    heatmap: bytes | None = None
    same_as: int | None = None


Screen = Callable[[NDArray[np.uint8], gate.Gate], gate.Screening]
"""Begins to look at a picture before the network does, in this process or another."""


class Opened(msgspec.Struct, frozen=True, eq=False):
    """A file that has been decoded and prepared, and perhaps screened, or refused: all that needs no model.

    Attributes:
        source: The file's name, for the finding.
        sha256: Of its bytes; ``None`` where they could not be read.
        grey: ``uint8`` of shape ``(height, width)``; ``None`` where it could not be decoded.
        pixels: The model input of ``prepare``; ``None`` for a refused file.
        reason: Why it was refused, or ``None``.
        received: When the file was met.
        milliseconds: Time of each stage, and so far in ``total``.
        distance: By the gate's look before the network; ``None`` where that was not reached.
        notes: What was corrected, in words.
        film: How it was photographed, where a camera did.
    """

    source: str
    sha256: str | None
    grey: NDArray[np.uint8] | None
    pixels: NDArray[np.uint8] | None
    reason: str | None
    received: datetime
    milliseconds: dict[str, float]
    distance: float | None = None
    notes: tuple[str, ...] = ()
    film: Film | None = None


def open_radiograph(
    source: str,
    data: bytes | OSError | ImageError,
    bundle: Bundle,
    *,
    clock: Clock,
    received: datetime,
    read_milliseconds: float | None = None,
    decoder: Decode | None = None,
) -> Opened:
    """Decode and prepare one file. Nothing that is wrong with it raises: it becomes the reason of a refusal.

    Args:
        source: The file's name, for the finding.
        data: The whole file, the error that reading it ended with, or why it was not read.
        bundle: The model's input.
        clock: For the time of each stage.
        received: When the file was met.
        read_milliseconds: What reading it took, if measured.
        decoder: What decodes; ``None`` for ``careful.decode``, in this process.

    Returns:
        What the gate has not seen yet, see ``screened_radiograph``.
    """
    begin = clock.seconds()
    stages = {} if read_milliseconds is None else {"read": read_milliseconds}
    sha256 = hashlib.sha256(data).hexdigest() if isinstance(data, bytes) else None
    film = _film(data) if isinstance(data, bytes) else None
    grey, pixels, reason = None, None, None
    try:
        if isinstance(data, ImageError):
            raise data
        if isinstance(data, OSError):
            raise ImageError(f"cannot be read: {(data.strerror or str(data)).lower()}")
        start = clock.seconds()
        grey = (decoder or decode)(data, least=least_sides(bundle))
        stages["decode"] = clock.milliseconds_since(start)
        if film is not None:
            _refuse_poor(film)
        start = clock.seconds()
        pixels = prepare(grey, bundle.info.input.height, bundle.info.input.width)
        stages["prepare"] = clock.milliseconds_since(start)
    except ImageError as error:
        reason = str(error)
    except MemoryError:
        reason = TOO_LARGE
    stages["total"] = (read_milliseconds or 0.0) + clock.milliseconds_since(begin)
    return Opened(source, sha256, grey, pixels, reason, received, stages, film=film)


def _film(data: bytes) -> Film | None:
    if FILM_KEYWORD not in data:
        return None
    from edge_runtime.camera import chunk  # loaded where a camera is at work

    return chunk.read(data)


def _refuse_poor(film: Film) -> None:
    from edge_runtime.camera import chunk

    if (poor := chunk.refusal(film)) is not None:
        raise ImageError(poor)


def screened_radiograph(opened: Opened, screening: gate.Screening | None) -> Opened:
    """A radiograph that has been opened, and what the gate's first look at it found.

    Args:
        opened: From ``open_radiograph``.
        screening: At its ``grey``; ``None`` for a file that was refused already.

    Returns:
        The same, with ``pixels`` that are the same object unless it is refused or was a negative.
    """
    if screening is None or opened.pixels is None:
        return opened
    found, milliseconds = screening.result()
    pixels: NDArray[np.uint8] | None = opened.pixels
    if found.reason is not None:
        pixels = None
    elif found.notes:
        pixels = np.asarray(255 - opened.pixels, np.uint8)
    stages = dict(opened.milliseconds)
    total = stages.pop("total")
    stages["screen"] = milliseconds
    return msgspec.structs.replace(
        opened,
        grey=opened.grey if found.reason is not None else found.grey,
        pixels=pixels,
        reason=found.reason,
        distance=found.distance,
        notes=found.notes,
        milliseconds=stages | {"total": total + milliseconds},
    )


class Inferred(msgspec.Struct, frozen=True, eq=False):
    """What the engine says to one radiograph, its name, and how long it took."""

    outputs: RawOutputs
    engine: str
    milliseconds: float


def infer(opened: Opened, classifier: Classifier, *, clock: Clock) -> Inferred | None:
    """Ask the engine, in the thread that owns it, and nothing else; ``None`` for a file that was refused."""
    if opened.pixels is None:
        return None
    start = clock.seconds()
    outputs = classifier.engine.invoke(opened.pixels)
    return Inferred(outputs, classifier.engine.name, clock.milliseconds_since(start))


def conclude(opened: Opened, inferred: Inferred | None, classifier: Classifier, *, clock: Clock) -> Answered:
    """Answer for a file that has been opened; in any thread.

    Args:
        opened: The file.
        inferred: From ``infer`` on it, by the same classifier.
        classifier: Its bundle and operating point are used, its engine is not run.
        clock: Says when the answer was ready.
    """
    result = None if inferred is None else classifier.interpret(inferred.outputs)
    stages = dict(opened.milliseconds)
    total = stages.pop("total")
    if inferred is not None:
        stages["infer"] = inferred.milliseconds
        total += stages["infer"]
    stages["total"] = total
    distance, reason = opened.distance, opened.reason
    if result is not None:
        distance = max(distance or 0.0, gate.after(result.features, classifier.bundle.gate))
        if distance > 1.0:
            result, reason = None, NOT_LIKE_THE_LEARNED
    label, probability, types = _rounded(result)
    finding = Finding(
        source=printable(opened.source),
        sha256=opened.sha256,
        status="rejected" if result is None else "classified",
        reason=reason,
        label=label,
        probability=probability,
        types=types,
        operating_point=None if result is None else classifier.operating_point,
        threshold=None if result is None else classifier.threshold,
        confidence=None if result is None else classifier.confidence(result.probability),
        distance=None if distance is None else _rounded_distance(distance),
        notes=opened.notes,
        film=opened.film,
        model=Model(name=classifier.bundle.info.name, sha256=classifier.bundle.sha256),
        engine=classifier.engine.name if inferred is None else inferred.engine,
        received=timestamp(opened.received),
        finished=timestamp(clock.now()),
        milliseconds={stage: round(milliseconds, 3) for stage, milliseconds in stages.items()},
    )
    return Answered(finding, opened.grey, result)


def drawn(answered: Answered) -> bytes | None:
    """The heat map of an answer as the bytes of a PNG file; ``None`` where there is nothing to draw."""
    if answered.heatmap is not None or answered.grey is None or answered.answer is None:
        return answered.heatmap
    from edge_runtime.model import heatmap  # not loaded where none is wanted

    return heatmap.png(answered.grey, answered.answer)


def answer(
    source: str,
    data: bytes | OSError | ImageError,
    classifier: Classifier,
    *,
    clock: Clock,
    received: datetime,
    read_milliseconds: float | None = None,
    decoder: Decode | None = None,
) -> Answered:
    """``open_radiograph``, ``screened_radiograph``, ``infer`` and ``conclude`` in one: answer for one file."""
    opened = open_radiograph(
        source,
        data,
        classifier.bundle,
        clock=clock,
        received=received,
        read_milliseconds=read_milliseconds,
        decoder=decoder,
    )
    if opened.grey is not None and opened.pixels is not None:
        opened = screened_radiograph(opened, gate.ScreenedHere(opened.grey, classifier.bundle.gate, clock=clock))
    return conclude(opened, infer(opened, classifier, clock=clock), classifier, clock=clock)


def least_sides(bundle: Bundle) -> Sides:
    """What a reduced radiograph must keep."""
    input_ = bundle.info.input
    return Sides(_REDUCED_OVER_INPUT * max(input_.height, input_.width), _REDUCED_LONG_SIDE)


def _rounded_distance(distance: float) -> float:
    """To 4 decimals, but never to the other side of the limit."""
    found = round(distance, _DISTANCE_DECIMALS)
    return found if (found > 1.0) == (distance > 1.0) else 1.0 + 10.0**-_DISTANCE_DECIMALS


def _rounded(result: Answer | None) -> tuple[Label | None, float | None, Types | None]:
    if result is None:
        return None, None, None
    types = Types(bacterial=round(result.bacterial, _DECIMALS), viral=round(result.viral, _DECIMALS))
    return result.label, round(result.probability, _DECIMALS), types
