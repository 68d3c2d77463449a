"""Writing to a disk that refuses: what is in hand is kept and tried again, until it works or the end is asked for.

A full disk, a quota, a disk that has become read-only, an I/O error, missing permissions: none of them is the
radiographs' fault, and most of them a person mends while the program runs.
"""

import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from edge_runtime.errors import EdgePneumoError
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import is_passing

T = TypeVar("T")

_TICK_SECONDS: Final = 0.25


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds to wait before it is tried again.

    Attributes:
        first: So many at first, and twice as many each time.
        last: Never more than these.
        once: How long ``watch --once`` goes on with it before it gives up.
    """

    first: float = 1.0
    last: float = 30.0
    once: float = 60.0


class InterruptedPauseError(Exception):
    """The end was asked for while something could not be written."""


class GivenUpError(EdgePneumoError):
    """Something could not be written for too long."""


class Insistence:
    """Repeats what a disk refuses, in whichever thread asks for it.

    The first refusal pauses: ``health`` is told, and ``note`` gets one sentence. When nothing is refused any more the
    same two hear of it.

    Args:
        results: What cannot be written to, for the sentences.
        stop: Ends the waiting.
        health: Told that findings cannot be written, and that they can.
        note: Takes one sentence for the person who runs this.
        seconds: How long to insist; ``None`` for ever.
        backoff: How long to wait in between.
        clock: Seconds that never run backwards.
    """

    def __init__(
        self,
        results: Path,
        stop: threading.Event,
        *,
        health: Health,
        note: Callable[[str], None] = lambda _: None,
        seconds: float | None = None,
        backoff: Backoff = Backoff(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._results, self._stop, self._health, self._note = results, stop, health, note
        self._seconds, self._backoff, self._clock = seconds, backoff, clock
        self._lock = threading.Lock()
        self._refused = 0

    def until_done(self, operation: Callable[[], T], *, idle: Callable[[], None] = lambda: None) -> T:
        """What ``operation`` returns, once it does. It is called again after an error, so it must bear that.

        Args:
            operation: Raises ``OSError`` or ``sqlite3.Error`` where the disk refuses.
            idle: Called several times a second while it waits.

        Raises:
            InterruptedPauseError: The end was asked for in the meantime.
            GivenUpError: It was refused for too long.
            Exception: Whatever else ``operation`` raised, such as that the journal is damaged.
        """
        try:
            return operation()
        except (OSError, sqlite3.Error) as error:
            first = _passing(error)
        began, wait = self._clock(), self._backoff.first
        self._pause(first)
        try:
            while True:
                self._wait(wait, idle)
                try:
                    return operation()
                except (OSError, sqlite3.Error) as error:
                    last = _passing(error)
                wait = min(2 * wait, self._backoff.last)
                if self._seconds is not None and self._clock() - began > self._seconds:
                    raise GivenUpError(
                        f"findings and journal cannot be kept in {self._results} ({cause(last)}), and were not for "
                        f"{self._seconds:.0f} s; mend that and start again: what has been answered is safe, the rest "
                        "follows"
                    ) from last
        finally:
            self._resume()

    def _wait(self, seconds: float, idle: Callable[[], None]) -> None:
        until = self._clock() + seconds
        while (left := until - self._clock()) > 0.0:
            if self._stop.wait(min(left, _TICK_SECONDS)):
                raise InterruptedPauseError
            idle()

    def _pause(self, error: Exception) -> None:
        with self._lock:
            self._refused += 1
            if self._refused > 1:
                return
            self._health.pause(f"findings cannot be written to {self._results} ({cause(error)})")
        self._note(
            f"findings cannot be written to {self._results} ({cause(error)}); nothing is lost: it is tried again every "
            f"{self._backoff.last:.0f} s or sooner, and the radiographs stay where they are"
        )

    def _resume(self) -> None:
        with self._lock:
            self._refused -= 1
            if self._refused or self._stop.is_set():
                return
            self._health.resume()
        self._note(f"findings can be written to {self._results} again")


def cause(error: BaseException) -> str:
    """What the system says."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _passing(error: OSError | sqlite3.Error) -> Exception:
    if isinstance(error, sqlite3.Error) and not is_passing(error):
        raise error
    return error
