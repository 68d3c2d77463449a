import errno
import itertools
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.health.health import Health
from edge_runtime.watch.insist import Backoff, GivenUpError, Insistence, InterruptedPauseError

RESULTS = Path("out")
QUICK = Backoff(first=0.001, last=0.002)


class Disk:
    """Refuses so often, then works."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        self.calls = 0
        self._times, self._error = times, error or OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def write(self) -> str:
        self.calls += 1
        if self.calls <= self._times:
            raise self._error
        return "written"


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = code
    return error


def insisting(
    *,
    health: Health | None = None,
    notes: list[str] | None = None,
    stop: threading.Event | None = None,
    seconds: float | None = None,
    backoff: Backoff = QUICK,
    clock: Callable[[], float] | None = None,
) -> Insistence:
    return Insistence(
        RESULTS,
        stop or threading.Event(),
        health=health or Health(),
        note=([] if notes is None else notes).append,
        seconds=seconds,
        backoff=backoff,
        **({} if clock is None else {"clock": clock}),
    )


def test_what_works_is_told_to_nobody() -> None:
    health, notes = Health(), list[str]()

    assert insisting(health=health, notes=notes).until_done(Disk(0).write) == "written"

    assert notes == []
    assert health.snapshot().last_error is None


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number)) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)),
        PermissionError(errno.EACCES, os.strerror(errno.EACCES)),
        sqlite_error(sqlite3.SQLITE_FULL),
        sqlite_error(sqlite3.SQLITE_IOERR_FSYNC),
        sqlite_error(sqlite3.SQLITE_READONLY),
    ],
    ids=str,
)
def test_what_is_refused_is_tried_again_with_a_sentence_at_both_ends(error: Exception) -> None:
    health, notes, disk = Health(), list[str](), Disk(3, error)
    health.ready()
    paused: list[bool] = []

    def write() -> str:
        paused.append(health.is_paused)
        return disk.write()

    assert insisting(health=health, notes=notes).until_done(write) == "written"

    assert paused == [False, True, True, True]
    assert not health.is_paused
    words = error.strerror if isinstance(error, OSError) else str(error)
    assert [note.startswith(f"findings cannot be written to out ({words}); ") for note in notes] == [True, False]
    assert notes[1] == "findings can be written to out again"


@pytest.mark.parametrize(
    "error", [sqlite3.DatabaseError("file is not a database"), sqlite3.ProgrammingError("ours"), ValueError("ours")]
)
def test_what_waiting_does_not_mend_is_not_waited_for(error: Exception) -> None:
    health, disk = Health(), Disk(9, error)

    with pytest.raises(type(error)):
        insisting(health=health).until_done(disk.write)

    assert disk.calls == 1
    assert not health.is_paused


def test_it_gives_up_after_the_stated_time_with_a_sentence() -> None:
    health, notes = Health(), list[str]()

    with pytest.raises(GivenUpError, match=r"kept in out \(No space left on device\), and were not for 0 s; "):
        insisting(health=health, notes=notes, seconds=0.01).until_done(Disk(10**6).write)

    assert not health.is_paused


def test_the_end_interrupts_it() -> None:
    stop, disk = threading.Event(), Disk(10**6)
    insistence = insisting(stop=stop, backoff=Backoff(3600.0, 3600.0))

    with pytest.raises(InterruptedPauseError):
        insistence.until_done(disk.write, idle=stop.set)

    assert disk.calls == 1


def test_it_waits_longer_each_time() -> None:
    now, waits = [0.0], list[float]()

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            now[0] += timeout or 0.0
            return False

    def write() -> None:
        waits.append(now[0])
        if len(waits) < 9:
            raise OSError(errno.EIO, "")

    insisting(stop=Stop(), backoff=Backoff(), clock=lambda: now[0]).until_done(write)

    assert [round(later - earlier, 6) for earlier, later in itertools.pairwise(waits)] == [
        *(1.0, 2.0, 4.0, 8.0, 16.0),
        *(30.0, 30.0, 30.0),
    ]


def test_one_pause_for_all_threads() -> None:
    health, notes, inner = Health(), list[str](), Disk(2)
    insistence = insisting(health=health, notes=notes)
    outer = Disk(1)

    def idle() -> None:
        if inner.calls == 0:  # as another thread would, while the first one waits
            insistence.until_done(inner.write)
            assert health.is_paused

    insistence = insisting(health=health, notes=notes, backoff=Backoff(0.01, 0.01))
    insistence.until_done(outer.write, idle=idle)

    assert len(notes) == 2
    assert not health.is_paused
