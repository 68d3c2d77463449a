"""Reading and decoding ahead of the inference, in a thread of its own, in the source's order.

With a decoder in a process of its own the gate's first look is taken there, while the next file is read, and while the
radiograph waits for its inference. Where nothing else is to be inferred, that does not wait for the gate.

One thread and not several: decoding is all that could be done at once under the interpreter lock, and with small
radiographs a pool of decoders was slower than this.
"""

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from edge_runtime.answer import Opened, Screen, open_radiograph, screened_radiograph
from edge_runtime.clock import Clock
from edge_runtime.errors import ImageError
from edge_runtime.gate import ScreenedHere, Screening
from edge_runtime.health.health import Health
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.decode import Abandoned, Decode
from edge_runtime.sources import Source, Work

# Radiographs decoded ahead: enough to hide the decoding, few enough that large ones do not fill the memory.
_AHEAD: Final = 1
_TICK_SECONDS: Final = 0.25

Known = TypeVar("Known")
Item = TypeVar("Item")


class Underway:
    """Counts radiographs from when they are found to when they have been inferred, each number in one thread."""

    def __init__(self) -> None:
        self.found = self.left = self.inferred = 0

    def is_any(self) -> bool:
        """Whether one is on its way."""
        return self.found > self.left + self.inferred


@dataclass(frozen=True, slots=True, eq=False)
class Ahead(Generic[Known]):
    """A radiograph that can be inferred.

    Attributes:
        work: The file.
        unscreened: Its content, decoded and prepared, or refused. What is inferred of it may prove to be of no use.
        screening: What the gate finds of it; ``None`` where that does not matter.
        classifier: What it was prepared for.
        known: What ``look_up`` found.
    """

    work: Work
    unscreened: Opened
    screening: Screening | None
    classifier: Classifier
    known: Known

    @property
    def is_screened(self) -> bool:
        """Whether ``opened`` waits for nothing."""
        return self.screening is None or self.screening.is_ready()

    @property
    def opened(self) -> Opened:
        """Its content, screened, too; waits for that.

        Raises:
            Abandoned: The end was asked for meanwhile.
        """
        return screened_radiograph(self.unscreened, self.screening)


def read_ahead(
    source: Source,
    current: Callable[[], Classifier],
    clock: Clock,
    stop: threading.Event,
    *,
    look_up: Callable[[Work, Opened, Classifier], Known],
    health: Health | None = None,
    decoder: Decode | None = None,
    screen: Screen | None = None,
    underway: Underway | None = None,
) -> Generator[Ahead[Known], None, None]:
    """The source's work in its order, read, decoded and looked up, each with the classifier that it was prepared for.

    Args:
        source: Used in the other thread alone, but for ``done``.
        current: What answers from now on, asked once a radiograph; its bundle's input and gate are used here, its
            engine is not.
        clock: For the time of each stage.
        stop: Ends the source; set when this is left before the source is drained.
        look_up: What is known of it: asked in the other thread, so that the one that infers waits for no disk.
        health: Told what the other thread gets on with, and when this one waits for it.
        decoder: What decodes; ``None`` for what decodes in this process.
        screen: Begins to look through the gate; ``None`` for what does in this process.
        underway: Told what is found, and what there is nothing to answer of.

    Raises:
        BaseException: What the source raised.
    """
    ready: queue.Queue[Ahead[Known] | BaseException | None] = queue.Queue(_AHEAD)
    abandoned = threading.Event()
    told = Health(clock=clock) if health is None else health
    counts = Underway() if underway is None else underway

    def put(item: Ahead[Known] | BaseException | None) -> None:
        while not abandoned.is_set():
            try:
                return ready.put(item, timeout=_TICK_SECONDS)
            except queue.Full:
                pass
        return None

    def begin(opened: Opened, classifier: Classifier, known: Known) -> Screening | None:
        if known is not None or opened.grey is None or opened.pixels is None:
            return None
        return (screen or partial(ScreenedHere, clock=clock))(opened.grey, classifier.bundle.gate)

    def produce() -> None:
        try:
            for work in source.work(stop):
                counts.found += 1
                start = clock.seconds()
                data = source.read(work)
                if data is None:
                    counts.left += 1
                else:
                    read = clock.milliseconds_since(start)
                    told.moved("read-ahead")
                    classifier = current()
                    opened = _open(work, data, classifier.bundle, clock, read, decoder)
                    told.moved("read-ahead")
                    del data
                    known = look_up(work, opened, classifier)
                    put(Ahead(work, opened, begin(opened, classifier, known), classifier, known))
                    told.moved("read-ahead")
                    del opened, classifier, known  # else picture and model stay in memory until the next one has come
                if abandoned.is_set():
                    return
            put(None)
        except Abandoned:
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    drained = False
    try:
        while (item := _next(ready, told)) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
            del item  # else the picture stays in memory until the next one has come
        drained = True
    finally:
        abandoned.set()
        if not drained:
            stop.set()
        thread.join()


def _next(ready: "queue.Queue[Item]", health: Health) -> Item:
    while True:
        try:
            return ready.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            health.beat_with("read-ahead")


def _open(
    work: Work,
    data: bytes | OSError | ImageError,
    bundle: Bundle,
    clock: Clock,
    read: float,
    decoder: Decode | None,
) -> Opened:
    open_ = partial(
        open_radiograph,
        work.source,
        bundle=bundle,
        clock=clock,
        received=work.received,
        read_milliseconds=read,
        decoder=decoder,
    )
    try:
        return open_(data)
    except Abandoned:
        raise
    except Exception as error:
        # A fault of ours or of the decoder's: one such file must not keep all the others from being answered.
        reason = ImageError(f"the decoder failed on it ({type(error).__name__}: {error})")
        return open_(reason)
