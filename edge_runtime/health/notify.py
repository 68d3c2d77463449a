"""What the service manager is told: systemd's notify protocol, one datagram a message (sd_notify(3)).

Without ``NOTIFY_SOCKET`` nothing is told to anybody, so that the same program runs in a terminal. Nothing here blocks
or raises: a manager that does not listen is no reason to stop answering.

The heartbeat (``WATCHDOG=1``) is sent

1. only where the manager asks for one (``WATCHDOG_USEC``) of this process (``WATCHDOG_PID``, if it is there);
2. half the interval after the last one at the earliest, the first one at once;
3. only when ``Health.beats`` has grown since the last one, by the rules there: until then it is looked for ten times an
   interval and not sent.

So what hangs is killed at most one interval and a half after it has begun to.
"""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Final, Self

from edge_runtime.health.health import Health, State

_VARIABLES: Final = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
_SEND_SECONDS = 1.0
_LOOKS = 10
_STATUS_SECONDS = 5.0
# What systemctl shows is one line.
_LONGEST_STATUS = 400


class Notifier:
    """Tells the service manager.

    Args:
        address: A path, or ``@`` and the name of an abstract socket; empty for nobody.
        watchdog: Seconds within which the manager wants a heartbeat; ``None`` where it wants none.
    """

    def __init__(self, address: str = "", watchdog: float | None = None) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog = watchdog

    @classmethod
    def from_environment(cls, environment: MutableMapping[str, str] = os.environ, *, pid: int | None = None) -> Self:
        """As the manager asks for it; its variables are taken away, so that no child process speaks for this one.

        Args:
            environment: Changed.
            pid: Of this process; ``None`` to ask.
        """
        said = {name: environment.pop(name, "") for name in _VARIABLES}
        address = said["NOTIFY_SOCKET"]
        if not address.startswith(("/", "@")) or len(address) < 2:
            return cls()  # other kinds, such as vsock, are for virtual machines
        return cls(address, _interval(said, os.getpid() if pid is None else pid))

    @property
    def is_heard(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self._address)

    def ready(self, sentence: str = "") -> bool:
        """The engine has given the golden vectors and the folders can be used; or a reload has ended."""
        return self._send("READY=1", *_status(sentence))

    def status(self, sentence: str) -> bool:
        """What ``systemctl status`` shows: one line, in which no radiograph may be named."""
        return self._send(*_status(sentence))

    def reloading(
        self, *, monotonic_ns: Callable[[], int] = lambda: time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    ) -> bool:
        """The settings are being read anew; ``ready`` must follow."""
        return self._send("RELOADING=1", f"MONOTONIC_USEC={monotonic_ns() // 1000}")

    def stopping(self) -> bool:
        """The end has begun."""
        return self._send("STOPPING=1", *_status("stopping"))

    def extend(self, seconds: float) -> bool:
        """Starting, reloading or stopping needs so many seconds from now on, whatever the manager's limit is."""
        return self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}")

    def heartbeat(self) -> bool:
        """The inference thread makes progress."""
        return self._send("WATCHDOG=1")

    def _send(self, *assignments: str) -> bool:
        """Whether the datagram has gone out."""
        if not self._address or not assignments:
            return False
        with contextlib.suppress(OSError, ValueError):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as connection:
                connection.settimeout(_SEND_SECONDS)  # the manager may have much to read at the moment
                connection.sendto("\n".join(assignments).encode("utf-8", "backslashreplace"), self._address)
            return True
        return False


class Heartbeat:
    """When to send one; the rules at the head of this module, apart from threads and clocks.

    Args:
        interval: The manager's, in seconds.
    """

    def __init__(self, interval: float) -> None:
        self._half = interval / 2.0
        self._sent_at: float | None = None
        self._beats = -1

    def is_due(self, now: float, beats: int) -> bool:
        """Whether to send one now; it counts as sent then.

        Args:
            now: Seconds, by a clock that nobody sets.
            beats: ``Health.beats``.
        """
        too_soon = self._sent_at is not None and now - self._sent_at < self._half
        if too_soon or beats == self._beats:
            return False
        self._sent_at, self._beats = now, beats
        return True


class Speaker:
    """Tells the manager, in a thread of its own, that the watcher lives and how it stands.

    Args:
        notifier: What tells.
        health: What is told.
        stop: Set when the end has been asked for.
        seconds: A clock that nobody sets.
    """

    def __init__(
        self,
        notifier: Notifier,
        health: Health,
        stop: threading.Event | None = None,
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._notifier, self._health, self._seconds = notifier, health, seconds
        self._stop, self._is_stopping = stop or threading.Event(), False
        self._heartbeat = None if notifier.watchdog is None else Heartbeat(notifier.watchdog)
        self._said, self._said_at = "", -_STATUS_SECONDS
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notify", daemon=True)

    def __enter__(self) -> Self:
        if self._notifier.is_heard:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join()
            self._say_stopping()  # also where all was over before the thread looked

    def turn(self) -> None:
        """Send what is due."""
        now = self._seconds()
        if self._stop.is_set():
            self._say_stopping()
        if self._heartbeat is not None and self._heartbeat.is_due(now, self._health.beats):
            self._notifier.heartbeat()
        if now - self._said_at >= _STATUS_SECONDS:
            sentence = describe(self._health.snapshot())
            if sentence != self._said:
                self._notifier.status(sentence)
            self._said, self._said_at = sentence, now

    def _say_stopping(self) -> None:
        if not self._is_stopping:
            self._is_stopping = self._notifier.stopping()

    def _run(self) -> None:
        watchdog = self._notifier.watchdog
        tick = min(1.0, _STATUS_SECONDS if watchdog is None else watchdog / _LOOKS)
        while not self._end.is_set():
            self.turn()
            self._end.wait(tick)


def describe(state: State) -> str:
    """The state as one sentence for ``systemctl status``: no radiograph is named in it."""
    words: list[str] = [state.state]
    if state.paused is not None:
        words.append(state.paused.reason)
    if state.degraded:  # what a folder cannot read has a name
        parts = ", ".join(trouble.part for trouble in state.degraded)
        words.append(f"not as it should be: {parts} (edge-pneumo status says why)")
    if state.silent_since is not None:
        words.append(f"no progress since {state.silent_since}")
    words.append(f"{state.answered + state.rejected} findings since the start, {state.rejected} of them rejected")
    if state.backlog.files or state.backlog.more:
        words.append(f"{state.backlog.files}{' or more' if state.backlog.more else ''} waiting")
    return "; ".join(words)


def _status(sentence: str) -> list[str]:
    line = " ".join(sentence.split())
    return [f"STATUS={line[:_LONGEST_STATUS]}"] if line else []


def _interval(said: Mapping[str, str], pid: int) -> float | None:
    """The watchdog's interval in seconds, if it is meant for this process."""
    microseconds, whose = said["WATCHDOG_USEC"], said["WATCHDOG_PID"]
    if not microseconds.isascii() or not microseconds.isdigit() or int(microseconds) == 0:
        return None
    return int(microseconds) / 1e6 if whose in ("", str(pid)) else None
