"""Reading and decoding ahead of the inference, in a thread of its own, in the source's order.

One thread and not several: decoding is all that could be done at once under the interpreter lock, and with small
radiographs a pool of decoders was slower than this.
"""

import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from typing import Final, Generic, TypeVar

from edge_runtime.answer import Opened, open_radiograph
from edge_runtime.clock import Clock
from edge_runtime.errors import ImageError
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


@dataclass(frozen=True, slots=True, eq=False)
class Ahead(Generic[Known]):
    """A radiograph that is ready to be inferred.

    Attributes:
        work: The file.
        opened: Its content, decoded and prepared, or refused.
        classifier: What it was prepared for.
        known: What ``look_up`` found.
    """

    work: Work
    opened: Opened
    classifier: Classifier
    known: Known


def read_ahead(
    source: Source,
    current: Callable[[], Classifier],
    clock: Clock,
    stop: threading.Event,
    *,
    look_up: Callable[[Work, Opened, Classifier], Known],
    health: Health | None = None,
    decoder: Decode | None = None,
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

    Raises:
        BaseException: What the source raised.
    """
    ready: queue.Queue[Ahead[Known] | BaseException | None] = queue.Queue(_AHEAD)
    abandoned = threading.Event()
    told = Health(clock=clock) if health is None else health

    def put(item: Ahead[Known] | BaseException | None) -> None:
        while not abandoned.is_set():
            try:
                return ready.put(item, timeout=_TICK_SECONDS)
            except queue.Full:
                pass
        return None

    def produce() -> None:
        try:
            for work in source.work(stop):
                start = clock.seconds()
                data = source.read(work)
                if data is not None:
                    read = clock.milliseconds_since(start)
                    told.moved("read-ahead")
                    classifier = current()
                    opened = _open(work, data, classifier.bundle, clock, read, decoder)
                    told.moved("read-ahead")
                    put(Ahead(work, opened, classifier, look_up(work, opened, classifier)))
                    del data, opened, classifier  # else picture and model stay in memory until the next one has come
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
