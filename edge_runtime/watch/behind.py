"""Writing behind the inference: in the order of the answers, as many at a time as wait.

An answer's way, in the order that lets no crash lose or repeat one:

0. the answer is concluded, its heat map drawn, and both are written where nobody sees them;
1. they are forced to the disk; the heat map, then the finding become visible, each completely or not at all, and their
   names are on the disk;
2. the journal commits that the file is answered, and counts the answer in the histograms of ``edge-pneumo status``;
3. the source forgets the file, the sinks are told.

Where a heat map is drawn, step 0 takes longer than a small model does, and is taken for two answers at once in threads
of their own. The others are taken in one thread for a group, each step for all before the next: for all that waits when
the thread is free and, while further radiographs are being read or inferred, for those that follow within a moment. An
answer behind which none comes waits for nothing, and is a group of one. It is the number of steps that costs, on a disk
as in wear and processor time, and hardly how many answers one holds. What is visible has been entered, but for the
group in hand. A crash between 1 and 2 leaves findings the journal does not know. The files are then found again at the
next start, and the findings are taken over.

What the disk refuses is kept in memory and tried again (``insist``); steps 1 and 2 go on where they were.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Final, Protocol, Self

from edge_runtime.answer import Answered
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import Entry, Journal, Record
from edge_runtime.sinks import Sink
from edge_runtime.sinks.files import ResultsFolder
from edge_runtime.sinks.staged import Staged
from edge_runtime.sources import Source
from edge_runtime.watch.insist import Insistence, InterruptedPauseError
from edge_runtime.watch.known import InHand
from edge_runtime.watch.outcome import Item, Outcome, come_out, news_of

GROUP: Final = 16
"""Answers that are written together, at most."""

# On their way to the disk: a group that is being written and the next one. They hold what is to be written.
_BEHIND: Final = 2 * GROUP
# Heat maps drawn at once. Each holds its picture, and so does one answer more.
_STAGERS: Final = 2
_TICK_SECONDS: Final = 0.25
# So long an answer waits for the next one, and the first of a group for its last, while others are on their way.
_NEXT_SECONDS: Final = 0.01
_GROUP_SECONDS: Final = 0.05


class Chores(Protocol):
    """What else the writing thread does: it alone changes the folder of findings."""

    def step(self, *, answered: bool = False) -> float:
        """Do a little, and say after how many seconds to be called again; ``answered``: something was, since."""
        ...

    def finish(self) -> None:
        """Do all that is due."""
        ...

    def close(self) -> None:
        """Leave what is not done."""
        ...


class WriteBehind:
    """Writes in a thread of its own while the next radiograph is inferred.

    Leaving it with an exception, or when ``stop`` has been set, gives up what is not begun: it is answered at the next
    start. Otherwise all is written before it is left.

    Args:
        source: Told what is done.
        record: The findings.
        journal: The entries.
        sinks: Told each new answer, in that thread.
        stop: Nothing new is begun when it is set. It is set when something cannot be written.
        in_hand: Told what is through.
        insistence: For a disk that refuses.
        health: Told that this thread lives, and that the one that infers waits for it.
        group: How many answers are written together, at most.
        is_more: Whether a radiograph is on its way that has not been put yet.
        chores: Done between the groups and while none waits; finished before it is left, if nothing is given up.
    """

    def __init__(
        self,
        source: Source,
        record: ResultsFolder,
        journal: Journal,
        sinks: Sequence[Sink],
        stop: threading.Event,
        *,
        in_hand: InHand | None = None,
        insistence: Insistence | None = None,
        health: Health | None = None,
        group: int = GROUP,
        is_more: Callable[[], bool] = lambda: False,
        chores: Chores | None = None,
    ) -> None:
        self._source, self._record, self._journal, self._sinks, self._stop = source, record, journal, sinks, stop
        self._in_hand = in_hand or InHand()
        self._health = health or Health()
        self._insistence = insistence or Insistence(record.folder, stop, health=self._health)
        self._group, self._is_more, self._chores = group, is_more, chores
        self._room = threading.Semaphore(_BEHIND)
        self._pictures = threading.Semaphore(_STAGERS + 1)
        self._waiting: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self._stagers = ThreadPoolExecutor(_STAGERS, thread_name_prefix="stager")
        self._given_up = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._given_up = True
            self._stop.set()  # a disk that refuses is not waited for either
        self._waiting.put(None)
        while self._thread.is_alive():
            self._thread.join(_TICK_SECONDS)
            self._health.beat_with("write-behind")
        self._stagers.shutdown()
        if self._error is not None and (kind is None or issubclass(kind, InterruptedPauseError)):
            raise self._error

    def put(self, outcome: Outcome) -> None:
        """Have it written; waits while too many are."""
        self._acquire(self._room)
        result = outcome.result
        if isinstance(result, tuple | Entry):
            self._waiting.put(Item(outcome.work, outcome.sha256, result))
        elif self._record.heatmaps and not outcome.is_drawn:
            self._acquire(self._pictures)
            staging = self._stagers.submit(self._draw, outcome.work.key, result)
            self._waiting.put(Item(outcome.work, outcome.sha256, staging))
        else:
            stage = partial(self._stage, outcome.work.key, result)
            self._waiting.put(Item(outcome.work, outcome.sha256, stage))

    def draw(self, picture: Callable[[], bytes | None]) -> Future[bytes | None]:
        """Have a heat map drawn of which the answer is not to be written yet."""
        return self._stagers.submit(picture)

    def _acquire(self, room: threading.Semaphore) -> None:
        while not room.acquire(timeout=_TICK_SECONDS):
            self._health.beat_with("write-behind")

    def _stage(self, name: bytes, answer: Callable[[], Answered]) -> Staged:
        return self._record.stage(name, answer(), write=False)

    def _draw(self, name: bytes, answer: Callable[[], Answered]) -> Staged:
        try:
            return self._record.stage(name, answer())
        finally:
            self._health.moved("write-behind")
            self._pictures.release()

    def _run(self) -> None:
        following: Item | None = None
        pause = self._do_chores()
        while (first := following or self._next(pause)) is not None:
            group, following, is_last = self._gather(first)
            try:
                if self._given_up or self._stop.is_set():
                    self._give_up(group)
                else:
                    self._remember(group)
            except InterruptedPauseError:
                self._give_up(group)
            except BaseException as error:
                self._error, self._given_up = self._error or error, True
                self._stop.set()
                self._give_up(group)
            finally:
                for item in group:
                    self._in_hand.put_down(item.work, item.sha256)
                    self._room.release()
            del first, group  # else what was written stays in memory until more has come
            pause = self._do_chores(answered=True)
            if is_last:
                break
        self._end_chores()

    def _next(self, pause: float | None) -> Item | None:
        while True:
            try:
                return self._waiting.get(timeout=pause)
            except queue.Empty:
                pause = self._do_chores()

    def _do_chores(self, *, answered: bool = False) -> float | None:
        """A little of them; returns the seconds until more can be done, ``None`` for never."""
        if self._chores is None or self._given_up or self._stop.is_set():
            return None
        try:
            return self._chores.step(answered=answered)
        except BaseException as error:
            self._error, self._given_up = self._error or error, True
            self._stop.set()
            return None

    def _end_chores(self) -> None:
        if self._chores is None:
            return
        if not (self._given_up or self._stop.is_set()):
            self._chores.finish()
        self._chores.close()

    def _gather(self, first: Item) -> tuple[list[Item], Item | None, bool]:
        """What can be written now, in order; what comes next where that is known; and whether nothing will."""
        group, names = [first], {first.work.key}
        if isinstance(first.result, Future):
            first.result.exception()  # waits; what comes out of step 0 meanwhile is written with it
        until = time.monotonic() + _GROUP_SECONDS
        while len(group) < self._group:
            try:
                item = self._following(until)
            except queue.Empty:
                break
            if item is None:
                return group, None, True
            if item.work.key in names or not self._is_ready(item, until):
                return group, item, False
            group.append(item)
            names.add(item.work.key)
        return group, None, False

    def _following(self, until: float) -> Item | None:
        """What is there, or comes within a moment."""
        seconds = self._patience(until)  # before the look, so that what came last is not left behind
        try:
            return self._waiting.get_nowait()
        except queue.Empty:
            if not seconds:
                raise
            return self._waiting.get(timeout=seconds)

    def _is_ready(self, item: Item, until: float) -> bool:
        """Whether it has come out of step 0, or does within a moment."""
        if isinstance(item.result, Future) and not item.result.done():
            wait([item.result], timeout=self._patience(until))
            return item.result.done()
        return True

    def _patience(self, until: float) -> float:
        """Seconds to wait for the next answer."""
        if self._stop.is_set() or not self._is_more():
            return 0.0
        return max(min(until - time.monotonic(), _NEXT_SECONDS), 0.0)

    def _remember(self, group: Sequence[Item]) -> None:
        results = [come_out(item) for item in group]
        staged = [result for result in results if isinstance(result, Staged)]
        if staged:
            self._until_done(partial(self._record.publish, staged))
        news = [news_of(item.work, result) for item, result in zip(group, results, strict=True)]
        self._until_done(partial(self._journal.enter, news))
        for item in group:
            self._until_done(partial(self._source.done, item.work))
        for new in news:
            if isinstance(new, Record):
                for sink in self._sinks:
                    sink.accept(new.finding)

    def _until_done(self, operation: Callable[[], None]) -> None:
        self._insistence.until_done(operation)
        self._health.moved("write-behind")

    def _give_up(self, group: Sequence[Item]) -> None:
        for item in group:
            if isinstance(item.result, Future) and item.result.exception() is None:
                self._record.discard(item.result.result())
