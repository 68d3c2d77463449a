"""The signals that a watcher obeys."""

import os
import signal
import threading
from collections.abc import Callable, Generator
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


@contextmanager
def reread_signal(stop: threading.Event) -> Generator[Callable[[Callable[[], None]], None], None, None]:
    """SIGHUP has the settings read anew; that of a terminal that went away sets ``stop``.

    Where the signal is ignored, as under ``nohup``, it stays so.

    Yields:
        What takes the function that has them read. A signal that came before is passed on then.
    """
    before = signal.getsignal(signal.SIGHUP)
    if before is signal.SIG_IGN:
        yield lambda _: None
        return
    had_terminal = _has_terminal()
    request: Callable[[], None] | None = None
    is_pending = False

    def on_signal(*_: object) -> None:
        nonlocal is_pending
        if had_terminal and not _has_terminal():
            stop.set()
        elif request is None:
            is_pending = True
        else:
            request()

    def pass_on(to: Callable[[], None]) -> None:
        nonlocal request
        request = to
        if is_pending:
            to()

    signal.signal(signal.SIGHUP, on_signal)
    try:
        yield pass_on
    finally:
        signal.signal(signal.SIGHUP, before)


def _has_terminal() -> bool:
    return os.isatty(0)  # not sys.stdin: a signal handler must not wait for a lock
