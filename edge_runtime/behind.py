"""Writing behind the inference: in the order of the answers, one after the other.

An answer's way, in the order that lets no crash lose or repeat one:

0. the heat map is drawn, it and the finding are written where nobody sees them, and forced to the disk;
1. the heat map, then the finding become visible, each completely or not at all, and their names are on the disk;
2. the journal commits that the file is answered, and counts the answer in the histograms of ``edge-pneumo status``;
3. the source forgets the file, the sinks are told.

Step 0, which takes longer than a small model does, is taken for two answers at once in threads of its own. The others
are taken for one after the other in one thread: what is visible has been entered, but for the one in hand. A crash
between 1 and 2 leaves a finding the journal does not know. The file is then found again at the next start, and the
finding is taken over.
"""

import queue
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self

from edge_runtime.answer import Answered
from edge_runtime.finding import Finding
from edge_runtime.journal import Entry, Journal
from edge_runtime.sinks import Sink
from edge_runtime.sinks.files import ResultsFolder, Staged
from edge_runtime.sources import Source, Work

# Answers that are on their way to the disk; each holds its picture for the heat map.
_BEHIND: Final = 2
_STAGERS: Final = 2

Earlier = tuple[bytes, Finding]
_Waiting = Future[Staged] | Earlier | Entry


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What is to be remembered of a file.

    Attributes:
        work: The file.
        result: A new answer; a finding that a crash left without its entry, and its file; or the entry that this
            content of the file has already.
    """

    work: Work
    result: Answered | Earlier | Entry


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
    """

    def __init__(
        self, source: Source, record: ResultsFolder, journal: Journal, sinks: Sequence[Sink], stop: threading.Event
    ) -> None:
        self._source, self._record, self._journal, self._sinks, self._stop = source, record, journal, sinks, stop
        self._room = threading.Semaphore(_BEHIND)
        self._waiting: queue.SimpleQueue[tuple[Work, _Waiting] | None] = queue.SimpleQueue()
        self._stagers = ThreadPoolExecutor(_STAGERS, thread_name_prefix="stager")
        self._unwritten: Counter[bytes] = Counter()
        self._changed = threading.Condition()
        self._given_up = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="write-behind", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._given_up |= kind is not None
        self._waiting.put(None)
        self._thread.join()
        self._stagers.shutdown()
        if self._error is not None and kind is None:
            raise self._error

    def put(self, outcome: Outcome) -> None:
        """Have it written; waits while too many are."""
        self._room.acquire()
        work, result = outcome.work, outcome.result
        with self._changed:
            self._unwritten[work.key] += 1
        if isinstance(result, Answered):
            self._waiting.put((work, self._stagers.submit(self._record.stage, work.key, result)))
        else:
            self._waiting.put((work, result))

    def wait_for(self, key: bytes) -> None:
        """Return when nothing of the file of this name waits to be written, so that the journal can be asked."""
        with self._changed:
            self._changed.wait_for(lambda: key not in self._unwritten)

    def _run(self) -> None:
        while (item := self._waiting.get()) is not None:
            work, result = item
            try:
                if self._given_up or self._stop.is_set():
                    self._give_up(result)
                else:
                    self._remember(work, result)
            except BaseException as error:
                self._error, self._given_up = self._error or error, True
                self._stop.set()
            finally:
                self._forget(work.key)
                self._room.release()
            del item, result  # else the picture stays in memory until the next one has come

    def _forget(self, key: bytes) -> None:
        with self._changed:
            self._unwritten[key] -= 1
            if not self._unwritten[key]:
                del self._unwritten[key]
            self._changed.notify_all()

    def _remember(self, work: Work, result: _Waiting) -> None:
        if isinstance(result, Entry):
            self._journal.see_again(work.key, work.state, result)
            self._source.done(work)
            return
        if isinstance(result, Future):
            file, finding = self._record.publish(work.key, result.result())
        else:
            file, finding = result
        self._journal.record(work.key, work.state, finding, file)
        self._source.done(work)
        for sink in self._sinks:
            sink.accept(finding)

    def _give_up(self, result: _Waiting) -> None:
        if isinstance(result, Future) and result.exception() is None:
            self._record.discard(result.result())
