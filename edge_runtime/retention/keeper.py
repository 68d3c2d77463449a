"""Keeping to the retention: removes in small steps what ``retention.plan`` says, between two answers or while idle."""

import contextlib
import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from edge_runtime import inside
from edge_runtime.config.settings import Retention
from edge_runtime.finding import timestamp
from edge_runtime.locate import JOURNAL
from edge_runtime.retention import rules as retention
from edge_runtime.retention.clock import TABLE, ClockMinder, boot_id, marks
from edge_runtime.retention.files import Answer, map_of, photograph_of, remove, sync
from edge_runtime.retention.rules import Kept

LOOK_SECONDS: Final = 3600.0
"""Between two looks for what has become too old or too much."""

_STEP_SECONDS: Final = 0.02
"""Between two steps of a look, so that answers and the disk's other users come in between."""

_STEP: Final = 64
_ROWS_A_LOOK: Final = 5000
_MIND_SECONDS: Final = 60.0
_WAIT_SECONDS: Final = 1.0
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS retention (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    findings    INTEGER NOT NULL,       -- those of answers up to this one have gone
    heatmaps    INTEGER NOT NULL,       -- likewise
    since       TEXT                    -- when that answer was entered at the earliest
);
INSERT OR IGNORE INTO retention (one, findings, heatmaps) VALUES (1, 0, 0);
"""


class RetentionKeeper:
    """Removes what is too old or too much, by the rules of ``retention``.

    Made and called by the thread that writes, which alone enters answers.

    Args:
        results: The folder with the journal.
        folder: The watched one.
        policy: The settings; the attribute may be set at any time.
        now: The time of day.
        seconds: Since the machine started, those that it slept included.
        boot: Tells one start of the machine from another.
        note: Takes one sentence for the person who runs this.
    """

    def __init__(
        self,
        results: Path,
        folder: Path,
        policy: Retention,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        seconds: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
        boot: Callable[[], str] = boot_id,
        note: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.policy = policy
        self._results, self._folder = results, folder
        self._now, self._seconds, self._note = now, seconds, note
        self._noted: set[str] = set()
        self._look: Generator[None, None, None] | None = None
        self._due = seconds()
        self._proof: tuple[int, int] | None = None
        self._row_cursor = 0
        self._clock = ClockMinder(now, seconds, boot())

    def step(self, *, answered: bool = False) -> float:
        """Do a little, if something is due. Nothing that goes wrong here raises.

        Args:
            answered: Whether files of the watched folder have been answered since the last call.

        Returns:
            Seconds until it wants to be called again; earlier does no harm.
        """
        if not (self.policy.days or self.policy.megabytes):
            self._end_look()
            return LOOK_SECONDS
        try:
            if answered:
                self._proof = _identity(self._folder)
            self._clock.mind(self._open)
            if self._look is None and self._seconds() >= self._due:
                self._look = self._look_through()
            if self._look is not None:
                next(self._look)
                return _STEP_SECONDS
        except StopIteration:
            self._end_look()
        except (OSError, sqlite3.Error) as error:
            self._end_look()
            cause = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._say(f"what is older or more than the retention allows cannot be removed ({cause}); tried every hour")
        return min(max(self._due - self._seconds(), _STEP_SECONDS), _MIND_SECONDS)

    def finish(self) -> None:
        """Do all that is due."""
        while self.step() <= _STEP_SECONDS:
            pass

    def close(self) -> None:
        """Leave a look that has begun; what it has not come to is left to the next."""
        self._end_look()

    def _end_look(self) -> None:
        if self._look is not None:
            self._look.close()
            self._look = None
        self._due = self._seconds() + LOOK_SECONDS

    def _say(self, sentence: str) -> None:
        if sentence not in self._noted:
            self._noted.add(sentence)
            self._note(sentence)

    # A look

    def _look_through(self) -> Generator[None, None, None]:
        with self._open() as database, contextlib.ExitStack() as stack:
            root = inside.open_root(self._results)
            stack.callback(os.close, root)
            maps, excess = 0, 0
            if self.policy.megabytes:
                total = 0
                after = self._state(database)[0]
                while answers := _answers(database, after):
                    kept = self._kept(database, root, answers)
                    maps += sum(one.heatmap for one in kept)
                    total += sum(one.finding + one.heatmap for one in kept)
                    after = answers[-1].id
                    yield
                excess = retention.excess(total, self.policy)
            while True:
                freed = self._remove(database, root, excess, maps)
                if freed is None:
                    break
                excess, maps = excess - freed[0] - freed[1], maps - freed[1]
                yield
            yield from self._let_rows_go(database)

    def _remove(self, database: sqlite3.Connection, root: int, excess: int, maps: int) -> tuple[int, int] | None:
        """Remove some of what has to go; returns the bytes of findings and of heat maps, ``None`` if nothing has to."""
        findings_to, maps_to = self._state(database)
        oldest = _answers(database, findings_to)
        with_maps = _answers(database, max(findings_to, maps_to)) if excess > 0 else []
        kept, kept_maps = self._kept(database, root, oldest), self._kept(database, root, with_maps)
        going = retention.plan(
            kept,
            kept_maps,
            policy=self.policy,
            now=self._now(),
            excess=excess,
            maps=maps if with_maps else 0,
        )
        gone, gone_maps = oldest[: going.findings], with_maps[: going.heatmaps]
        if not gone and not gone_maps:
            return None
        folders: set[bytes] = set()
        for answer in gone_maps:
            remove(root, answer, folders, finding=False)
        for answer in gone:
            remove(root, answer, folders, finding=True)
        sync(root, folders)
        since = kept[going.findings - 1].at if gone else None
        with database:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("UPDATE answers SET finding = x'' WHERE id = ?", [(answer.id,) for answer in gone])
            for column, went in (("findings", gone), ("heatmaps", gone_maps)):
                if went:
                    database.execute(f"UPDATE retention SET {column} = ?", (went[-1].id,))
            if since is not None:
                database.execute("UPDATE retention SET since = ?", (timestamp(since),))
                database.execute("DELETE FROM clock_set WHERE last <= ?", (gone[-1].id,))
        # The heat maps of ``gone`` are among ``gone_maps`` where any of these have to go.
        went_maps = kept_maps[: going.heatmaps] if gone_maps else kept[: going.findings]
        return sum(one.finding for one in kept[: going.findings]), sum(one.heatmap for one in went_maps)

    def _kept(self, database: sqlite3.Connection, root: int, answers: list[Answer]) -> list[Kept]:
        findings_to, maps_to = self._state(database)
        now = self._now()
        (said,) = database.execute("SELECT since FROM retention").fetchone()
        # Where nothing went before, the first time that can be believed is late enough for all before it.
        since = retention.parse(said) if said else _first_believed(database)
        times = retention.reckon([(one.id, one.finished) for one in answers], marks(database), since=since, now=now)
        return [
            Kept(
                at,
                _finding_bytes(root, one.file) if one.file and one.id > findings_to else 0,
                inside.size_of(root, map_of(one.file)) or 0 if one.file and one.id > maps_to else 0,
            )
            for one, at in zip(answers, times, strict=True)
        ]

    @staticmethod
    def _state(database: sqlite3.Connection) -> tuple[int, int]:
        findings, heatmaps = database.execute("SELECT findings, heatmaps FROM retention").fetchone()
        return findings, heatmaps

    # Rows

    def _let_rows_go(self, database: sqlite3.Connection) -> Iterator[None]:
        """Remove rows whose finding and whose file have gone; some at each look, the others at the next ones."""
        for _ in range(_ROWS_A_LOOK // _STEP):
            if self._proof is None or _identity(self._folder) != self._proof:
                return
            rows = database.execute(
                "SELECT id, name, id = (SELECT answer FROM seen WHERE seen.name = answers.name) FROM answers"
                " WHERE id > ? AND id <= (SELECT findings FROM retention) AND id < (SELECT MAX(id) FROM answers)"
                " ORDER BY id LIMIT ?",
                (self._row_cursor, _STEP),
            ).fetchall()
            if not rows:
                self._row_cursor = 0
                return
            self._row_cursor = rows[-1][0]
            gone = [(number, name) for number, name, is_last in rows if not is_last or self._is_gone(name)]
            with database:
                database.execute("BEGIN IMMEDIATE")
                database.executemany("DELETE FROM seen WHERE answer = ? AND name = ?", gone)
                database.executemany("DELETE FROM answers WHERE id = ?", [(number,) for number, _ in gone])
            yield

    def _is_gone(self, name: bytes) -> bool:
        try:
            os.lstat(os.path.join(os.fsencode(self._folder), name))  # noqa: PTH118
        except OSError as error:
            return error.errno in (errno.ENOENT, errno.ENOTDIR)
        return False

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        path = self._results / JOURNAL
        address = f"{path.absolute().as_uri()}?mode=rw"  # a journal that is gone is not made anew
        with contextlib.closing(
            sqlite3.connect(address, uri=True, isolation_level=None, timeout=_WAIT_SECONDS, check_same_thread=False)
        ) as database:
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA cache_size = -256")
            database.executescript(f"BEGIN IMMEDIATE; {_TABLES} {TABLE} COMMIT;")
            yield database


def _finding_bytes(root: int, file: bytes) -> int:
    """Of a finding, and of the photograph that goes with it."""
    return (inside.size_of(root, file) or 0) + (inside.size_of(root, photograph_of(file)) or 0)


def _answers(database: sqlite3.Connection, after: int) -> list[Answer]:
    rows = database.execute(
        "SELECT id, finding, sha256, finished FROM answers WHERE id > ? ORDER BY id LIMIT ?", (after, _STEP)
    )
    return [Answer(*row) for row in rows.fetchall()]


def _first_believed(database: sqlite3.Connection) -> datetime | None:
    query = "SELECT finished FROM answers WHERE +finished >= ? ORDER BY id LIMIT 1"
    row = database.execute(query, (timestamp(retention.FIRST_BELIEVED),)).fetchone()
    return None if row is None else retention.parse(row[0])


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        found = folder.stat()
    except OSError:
        return None
    return (found.st_dev, found.st_ino) if stat.S_ISDIR(found.st_mode) else None
