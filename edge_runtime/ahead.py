"""Reading and decoding ahead of the inference, in a thread of its own, in the source's order.

One thread and not several: decoding is all that could be done at once under the interpreter lock, and with small
radiographs a pool of decoders was slower than this.
"""

import queue
import threading
from collections.abc import Generator
from functools import partial
from typing import Final

from edge_runtime.answer import Opened, open_radiograph
from edge_runtime.clock import Clock
from edge_runtime.errors import ImageError
from edge_runtime.model.bundle import Bundle
from edge_runtime.sources import Source, Work

# Radiographs decoded ahead: enough to hide the decoding, few enough that large ones do not fill the memory.
_AHEAD: Final = 1
_TICK_SECONDS: Final = 0.25

_Item = tuple[Work, Opened]


def read_ahead(
    source: Source, bundle: Bundle, clock: Clock, stop: threading.Event
) -> Generator[tuple[Work, Opened], None, None]:
    """The source's work in its order, read and decoded.

    Args:
        source: Used in the other thread alone, but for ``done``.
        bundle: The model's input and its gate.
        clock: For the time of each stage.
        stop: Ends the source; set when this is left before the source is drained.

    Raises:
        BaseException: What the source raised.
    """
    ready: queue.Queue[_Item | BaseException | None] = queue.Queue(_AHEAD)
    abandoned = threading.Event()

    def put(item: _Item | BaseException | None) -> None:
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
                    put((work, _open(work, data, bundle, clock, read)))
                if abandoned.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    thread = threading.Thread(target=produce, name="read-ahead", daemon=True)
    thread.start()
    drained = False
    try:
        while (item := ready.get()) is not None:
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


def _open(work: Work, data: bytes | OSError | ImageError, bundle: Bundle, clock: Clock, read: float) -> Opened:
    open_ = partial(
        open_radiograph, work.source, bundle=bundle, clock=clock, received=work.received, read_milliseconds=read
    )
    try:
        return open_(data)
    except Exception as error:
        # A fault of ours or of the decoder's: one such file must not keep all the others from being answered.
        reason = ImageError(f"the decoder failed on it ({type(error).__name__}: {error})")
        return open_(reason)
