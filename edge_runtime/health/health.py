"""How the watcher stands: told by its threads, read by ``edge-pneumo status``, the service manager and the tests.

Nothing here waits or touches a file, and every method may be called from any thread at any time.

**The heartbeat.** ``edge_runtime.health.notify`` tells the service manager that the program lives if, and only if,
``beats`` has grown since it did so last. These rules say when it grows:

1. The inference thread calls ``beat`` after each radiograph it is through with, whether that was answered, refused or
   found to be answered already.
2. While it waits for a radiograph it calls ``beat_with("read-ahead")``, which counts only if the thread that finds,
   reads and decodes has moved since the last beat: looked for work (``waiting``), or read or decoded some (``moved``).
3. While it waits for room behind it, it calls ``beat_with("write-behind")``, which counts only if the thread that
   writes has moved since (``moved``), or says that it cannot write just now (``pause``): a full disk is not mended by
   a new start.
4. Nothing else counts. So an inference that hangs, or a decode or a write that hangs while the inference waits for it,
   ends the heartbeat; an idle watcher, and one that is paused, keep it. So does one whose folder does not answer
   (``sources.patience``): a new start would not make a share's server answer, and ``folder`` is degraded meanwhile.

**Degraded** is said by part, so that what one part takes back does not hide what another still says: ``engine`` for the
engine (an Edge TPU that is lost, see ``model.engines.interface``), ``folder`` for the source (polling in place of
events), ``pace`` for inferences that have become slow, ``board`` for a machine that holds its processor back
(``board.notice``), ``camera`` for one that gives no pictures, or whose films cannot be kept (``camera.filming``).
"""

import threading
from collections import Counter, deque
from typing import Final, Literal

import msgspec

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.finding import Finding, Model, timestamp

Condition = Literal["starting", "working", "idle", "paused", "degraded", "stopping"]
Part = Literal["engine", "folder", "pace", "board", "camera"]
Thread = Literal["read-ahead", "write-behind"]

SILENT_SECONDS: Final = 30.0
"""Without a beat for so long, the snapshot says since when."""

_BUCKET_SECONDS: Final = 5
_MINUTE, _HOUR = 60 // _BUCKET_SECONDS, 3600 // _BUCKET_SECONDS


class Trouble(msgspec.Struct, frozen=True):
    """Something that is not as it should be.

    Attributes:
        reason: A sentence without its full stop.
        since: RFC 3339.
        part: Which part says so; ``""`` where that does not matter.
    """

    reason: str
    since: str
    part: str = ""


class Backlog(msgspec.Struct, frozen=True):
    """Radiographs that wait.

    Attributes:
        files: As many as are known.
        more: Whether there are more that have not been counted.
    """

    files: int = 0
    more: bool = False


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How a watcher stands at a moment.

    Attributes:
        state: ``starting`` (not ready yet), ``working``, ``idle`` (nothing to do), ``paused`` (findings cannot be
            written just now), ``degraded`` (answers come, by a slower or lesser way) or ``stopping``. Of several that
            hold, the one that matters most: stopping, starting, paused, degraded, the others.
        since: Since when, RFC 3339.
        started: When the watcher was.
        model: The bundle that answers.
        engine: What runs it: the library, its version and threads.
        backlog: What waits.
        answered: Classified, since the start.
        rejected: Since the start.
        last_minute: Findings in the last 60 seconds.
        last_hour: Findings in the last hour.
        last_answer: When the last one came, RFC 3339; ``None`` before the first.
        paused: Why, or ``None``.
        degraded: Why, one a part that says so; empty where none does.
        last_error: What went wrong last, even if it is over.
        silent_since: The last sign of life of the inference thread, if that was more than 30 seconds ago.
    """

    state: Condition
    since: str
    started: str
    model: Model | None
    engine: str
    backlog: Backlog
    answered: int
    rejected: int
    last_minute: int
    last_hour: int
    last_answer: str | None
    paused: Trouble | None
    degraded: tuple[Trouble, ...]
    last_error: Trouble | None
    silent_since: str | None


class Health:
    """Collects what the threads tell; also a sink, which is told each finding.

    Args:
        model: The bundle that is to answer; the findings tell if it changes.
        engine: What runs it, likewise.
        clock: What time it is.
    """

    def __init__(self, *, model: Model | None = None, engine: str = "", clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._model, self._engine = model, engine
        self._started = self._since = clock.now()
        self._state: Condition = "starting"
        self._is_ready = self._is_stopping = self._is_busy = False
        self._beats, self._last_beat, self._last_beat_at = 0, clock.seconds(), self._started
        self._moves: dict[Thread, int] = {"read-ahead": 0, "write-behind": 0}
        self._moves_seen = self._moves.copy()
        self._backlog = Backlog()
        self._paused: Trouble | None = None
        self._degraded: dict[Part, Trouble] = {}
        self._last_error: Trouble | None = None
        self._counts: Counter[str] = Counter()
        self._last_answer: str | None = None
        # (number of the span of 5 seconds, findings in it), of the last hour
        self._buckets: deque[tuple[int, int]] = deque()

    # What the threads tell

    def ready(self) -> None:
        """The engine has proven itself and the folders can be used; the first beat says so too."""
        with self._lock:
            self._is_ready = True
            self._settle()

    def stopping(self) -> None:
        """The end has been asked for."""
        with self._lock:
            self._is_stopping = True
            self._settle()

    def beat(self) -> None:
        """The inference thread is through with a radiograph."""
        with self._lock:
            self._is_busy = True
            self._count_beat()

    def beat_with(self, thread: Thread) -> None:
        """The inference thread waits for another one: a beat if that one has moved since the last, or is paused."""
        with self._lock:
            if thread == "read-ahead":
                self._is_busy = False
            is_paused = thread == "write-behind" and self._paused is not None
            if is_paused or self._moves[thread] != self._moves_seen[thread]:
                self._count_beat()
            self._settle()

    def moved(self, thread: Thread) -> None:
        """This thread is through with a piece of its work, such as a block read, a picture decoded, a file written."""
        with self._lock:
            self._moves[thread] += 1

    def waiting(self, files: int, more: bool) -> None:
        """The read-ahead looked for work: so many files wait, and perhaps more. To be called at each turn."""
        with self._lock:
            self._moves["read-ahead"] += 1
            if (self._backlog.files, self._backlog.more) != (files, more):
                self._backlog = Backlog(files, more)
                self._settle()

    def accept(self, finding: Finding) -> None:
        """Count a finding."""
        with self._lock:
            self._counts[finding.status] += 1
            self._last_answer = timestamp(self._clock.now())
            self._model, self._engine = finding.model, finding.engine
            bucket = self._bucket()
            count = self._buckets.pop()[1] if self._buckets and self._buckets[-1][0] == bucket else 0
            self._buckets.append((bucket, count + 1))
            while self._buckets[0][0] <= bucket - _HOUR:
                self._buckets.popleft()

    def fail(self, sentence: str) -> None:
        """Something went wrong; ``status`` shows the last such sentence."""
        with self._lock:
            self._last_error = self._trouble(sentence)

    def pause(self, reason: str) -> None:
        """Findings cannot be written just now; what is in hand is kept and tried again.

        Args:
            reason: Without its full stop, and without a radiograph's name: it is shown by the service manager too.
        """
        with self._lock:
            if self._paused is None or self._paused.reason != reason:
                self._paused = self._last_error = self._trouble(reason)
            self._settle()

    def resume(self) -> None:
        """Findings can be written again."""
        with self._lock:
            self._paused = None
            self._settle()

    def degrade(self, reason: str, *, part: Part = "engine") -> None:
        """Answers come, by a slower or lesser way.

        Args:
            reason: As that of ``pause``.
            part: Whose it is to take back.
        """
        with self._lock:
            if part not in self._degraded or self._degraded[part].reason != reason:
                self._degraded[part] = self._trouble(reason, part)
            self._settle()

    def recover(self, *, part: Part = "engine") -> None:
        """This part is as it should be again."""
        with self._lock:
            self._degraded.pop(part, None)
            self._settle()

    # What others ask

    @property
    def beats(self) -> int:
        """Signs of life of the inference thread so far."""
        with self._lock:
            return self._beats

    @property
    def is_paused(self) -> bool:
        """Whether findings cannot be written just now."""
        with self._lock:
            return self._paused is not None

    def snapshot(self) -> State:
        """How it stands now."""
        with self._lock:
            bucket = self._bucket()
            is_silent = self._is_ready and self._clock.seconds() - self._last_beat > SILENT_SECONDS
            return State(
                state=self._state,
                since=timestamp(self._since),
                started=timestamp(self._started),
                model=self._model,
                engine=self._engine,
                backlog=self._backlog,
                answered=self._counts["classified"],
                rejected=self._counts["rejected"],
                last_minute=sum(count for number, count in self._buckets if number > bucket - _MINUTE),
                last_hour=sum(count for number, count in self._buckets if number > bucket - _HOUR),
                last_answer=self._last_answer,
                paused=self._paused,
                degraded=tuple(self._degraded.values()),
                last_error=self._last_error,
                silent_since=timestamp(self._last_beat_at) if is_silent else None,
            )

    def _count_beat(self) -> None:
        self._is_ready = True
        self._beats += 1
        self._last_beat, self._last_beat_at = self._clock.seconds(), self._clock.now()
        self._moves_seen = self._moves.copy()
        self._settle()

    def _settle(self) -> None:
        state = self._condition()
        if state != self._state:
            self._state, self._since = state, self._clock.now()

    def _condition(self) -> Condition:
        if self._is_stopping:
            return "stopping"
        if not self._is_ready:
            return "starting"
        if self._paused is not None:
            return "paused"
        if self._degraded:
            return "degraded"
        is_working = self._is_busy or self._backlog.files or self._backlog.more
        return "working" if is_working else "idle"

    def _trouble(self, reason: str, part: str = "") -> Trouble:
        return Trouble(reason, timestamp(self._clock.now()), part)

    def _bucket(self) -> int:
        return int(self._clock.seconds() // _BUCKET_SECONDS)
