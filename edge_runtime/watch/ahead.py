"""Reading and decoding ahead of the inference, in a thread of its own, in the source's order.

With a decoder in a process of its own the gate's first look is taken there, while the next file is read, and while the
radiograph waits for its inference. Where nothing else is to be inferred, that does not wait for the gate.

What the source yields while it settles is opened as well, and what was ``foreseen`` so is used when it is complete.

One thread and not several: decoding is all that could be done at once under the interpreter lock, and with small
radiographs a pool of decoders was slower than this.
"""

import queue
import threading
from collections.abc import Callable, Generator
from typing import Final, TypeVar

from edge_runtime.answer import Opened, Screen
from edge_runtime.clock import Clock
from edge_runtime.health.health import Health
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.decode import Abandoned, Decode
from edge_runtime.sources import Source, Work
from edge_runtime.watch.foresight import Foreseen, Foresight
from edge_runtime.watch.opening import Ahead, Known, Opening

# Radiographs decoded ahead: enough to hide the decoding, few enough that large ones do not fill the memory.
_AHEAD: Final = 1
_TICK_SECONDS: Final = 0.25

Item = TypeVar("Item")


class Underway:
    """Counts radiographs from when they are found to when they have been inferred, each number in one thread."""

    def __init__(self) -> None:
        self.found = self.left = self.inferred = 0

    def is_any(self) -> bool:
        """Whether one is on its way."""
        return self.found > self.left + self.inferred


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
    foresight: Foresight | None = None,
) -> Generator[Ahead[Known] | Foreseen, None, None]:
    """The source's work in its order, read, decoded and looked up, each with the classifier that it was prepared for.

    What still settles is read and decoded, and yielded for the engine to be asked.

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
        foresight: Keeps what is prepared of a file that settles; ``None`` where the source yields none.

    Raises:
        BaseException: What the source raised.
    """
    ready: queue.Queue[Ahead[Known] | Foreseen | BaseException | None] = queue.Queue(_AHEAD)
    abandoned = threading.Event()
    told = Health(clock=clock) if health is None else health
    counts = Underway() if underway is None else underway
    opening = Opening(
        source,
        current,
        clock,
        look_up,
        health=told,
        decoder=decoder,
        screen=screen,
        foresight=Foresight(lambda: False, clock=clock) if foresight is None else foresight,
    )

    def put(item: Ahead[Known] | Foreseen | BaseException | None) -> None:
        while not abandoned.is_set():
            try:
                return ready.put(item, timeout=_TICK_SECONDS)
            except queue.Full:
                pass
        return None

    def produce() -> None:
        try:
            for work in source.work(stop):
                counts.found += not work.is_settling
                item = opening.foresee(work) if work.is_settling else opening.open(work)
                if item is not None:
                    put(item)
                    del item  # else picture and model stay in memory until the next one has come
                elif not work.is_settling:
                    counts.left += 1
                told.moved("read-ahead")
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
