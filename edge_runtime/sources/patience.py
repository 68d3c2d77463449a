"""Calls that may never return, such as a read from a share whose server is gone, in threads that can be left behind.

No signal and no time limit ends a thread that the kernel keeps in such a call. What can be done is to wait elsewhere:
to hear that the end is asked for, to say what is waited for, and to go on without that one file.
"""

import operator
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, TypeVar, cast

T = TypeVar("T")

MOST_LEFT_BEHIND: Final = 4
_TICK_SECONDS: Final = 0.25


class Stopped(Exception):  # noqa: N818 (it is no error)
    """The end was asked for while a call was waited for."""


class Call(Generic[T]):
    """A call and what became of it."""

    def __init__(self, function: Callable[[], T], began: float) -> None:
        self.began = began
        self._function = function
        self._done = threading.Event()
        self._result: T | None = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def wait(self, seconds: float) -> bool:
        return self._done.wait(seconds)

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        return cast(T, self._result)


class _Worker:
    """A thread that makes one call after the other."""

    def __init__(self) -> None:
        self._next = threading.Semaphore(0)
        self._call: Call[Any] | None = None
        # A daemon: the program's end does not wait for it.
        threading.Thread(target=self._run, name="folder", daemon=True).start()

    def begin(self, call: Call[Any]) -> None:
        self._call = call
        self._next.release()

    def end(self) -> None:
        self._call = None
        self._next.release()

    def _run(self) -> None:
        while True:
            self._next.acquire()
            call, self._call = self._call, None
            if call is None:
                return
            call.run()
            del call


class Patience:
    """Makes calls in a thread of its own, one at a time, and waits for them.

    Args:
        stop: Ends the waiting when it is set.
        waiting: Told, about four times a second while a call is waited for, for how many seconds it has been.
        monotonic: Seconds, by a clock that nobody sets.
    """

    def __init__(
        self,
        stop: threading.Event,
        waiting: Callable[[float], None],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop, self._waiting, self._monotonic = stop, waiting, monotonic
        self._worker = _Worker()
        self._left_behind: list[Call[Any]] = []

    def call(self, function: Callable[[], T], *, limit: float | None = None) -> T:
        """Make a call, and wait for it.

        Args:
            function: What to call; what it raises is raised here.
            limit: Seconds after which it is too long.

        Raises:
            TimeoutError: It was left behind.
            Stopped: The end was asked for.
        """
        is_too_long = (lambda _: False) if limit is None else partial(operator.le, limit)
        return self.result(self.begin(function), is_too_long)

    def begin(self, function: Callable[[], T]) -> Call[T]:
        """Begin a call, when the one before has been waited for."""
        call = Call(function, self._monotonic())
        self._worker.begin(call)
        return call

    def result(self, call: Call[T], is_too_long: Callable[[float], bool] = lambda _: False) -> T:
        """Wait for a call.

        Args:
            call: From ``begin``; what it raised is raised here.
            is_too_long: Whether, after so many seconds, it is to be left behind, and a new thread makes the next one.
                At most four are left behind at a time; after that there is no limit.

        Raises:
            TimeoutError: It was left behind.
            Stopped: The end was asked for.
        """
        while not call.wait(_TICK_SECONDS):
            waited = self._monotonic() - call.began
            self._waiting(waited)
            if self._stop.is_set():
                raise Stopped
            if is_too_long(waited) and self._leave_behind(call):
                raise TimeoutError
        return call.result()

    def end(self) -> None:
        """Let the thread end, as soon as it can."""
        self._worker.end()

    def _leave_behind(self, call: Call[Any]) -> bool:
        self._left_behind = [other for other in self._left_behind if not other.wait(0.0)]
        if len(self._left_behind) >= MOST_LEFT_BEHIND:
            return False
        self._left_behind.append(call)
        self._worker.end()
        self._worker = _Worker()
        return True
