"""The signals that end a watcher."""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def stop_signals() -> Generator[threading.Event, None, None]:
    """An event that SIGTERM and SIGINT set; a second Ctrl-C ends the program as if this were not here."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
