"""The journal: which radiographs have been answered. One SQLite file beside the findings; this is who writes it.

Three questions are asked of it:

* Is this file answered as it lies there? Asked of every file at every look through the folder, by name, size and
  modification time, without reading the file (table ``seen``).
* Is this content of this file answered? Asked once the file had to be read, by name and SHA-256 (table ``answers``), so
  that a file that was merely touched, or rewritten with the same bytes, is not answered twice.
* Is this content answered under another name, by the same model at the same operating point in the same engine? Then
  that is the answer, and the copy's row points to it (``same_as``).

A fourth is asked by ``edge-pneumo status``: what do a day's radiographs look like to the model? For that each answer is
counted, in the transaction that remembers it, in a running histogram a day and a bundle (table ``histogram``), with the
bins of ``drift.PROBABILITY_EDGES`` and ``drift.DISTANCE_EDGES``. It keeps the last 400 days that had answers.

**A radiograph's row.** There is none before it is answered: the folder itself is the queue, which no power cut empties.
A row is committed after its finding is on the disk, and before the file counts as done. From then on its ``state`` is
``answered`` or ``moved`` (the file lies in ``place``). A file that cannot be read for a reason that may pass waits
without a row. What a crash leaves between finding and row is a finding that the journal does not know; it is found by
its name and content, and taken over. The other way round there is nothing to mend: a row's finding was on the disk
before it, and where it is missing now, somebody took it away.

**Groups.** What waits is entered in one transaction, which costs the disk little more than a single row does.

**A disk that fails.** After an error the journal is opened anew for the next question. A commit that failed may have
reached the disk all the same, so that after an error each row is looked for before it is entered.
"""

import contextlib
import sqlite3
import threading
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.journal.connection import closed, connect, damage, is_passing
from edge_runtime.journal.rows import INSERT, Entry, Record, Seen, is_entered, row_of
from edge_runtime.journal.schema import DAYS_KEPT, EDGES, SCHEMA_VERSION, Quantity, count, local_day, prepare

__all__ = [
    "DAYS_KEPT",
    "EDGES",
    "SCHEMA_VERSION",
    "Entry",
    "Journal",
    "Quantity",
    "Record",
    "Seen",
    "damage",
    "is_passing",
    "local_day",
]


class Journal:
    """An open journal. Its methods may be called from any thread; each is one transaction.

    What is asked does not wait for what is being written: it is asked through a second connection, which sees what has
    been committed.

    All but ``move`` raise ``sqlite3.Error`` when the disk fails; ``is_passing`` says whether it may be asked again.

    Raises:
        UsageError: The file cannot be opened, is damaged, no journal, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock, self._reading = threading.Lock(), threading.Lock()
        self._database: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._in_doubt = False
        self._moves: list[tuple[bytes, bytes]] = []
        try:
            self._database = self._open()
            self._reader = connect(path)
        except sqlite3.OperationalError as error:
            self.close()
            raise UsageError(f"the journal {path} cannot be opened ({error}); check its permissions") from error
        except sqlite3.DatabaseError as error:
            self.close()
            raise UsageError(damage(path, error)) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._moves and self._database is not None:
            with contextlib.suppress(sqlite3.Error):
                self.enter([])
        with self._lock, self._reading:
            closed(self._reader)
            closed(self._database)
            self._reader = self._database = None

    def knows(self, name: bytes, state: FileState) -> bool:
        """Whether the file of this name was answered as it lies there."""
        row = self._row("SELECT size, mtime_ns, ctime_ns FROM seen WHERE name = ?", name)
        return (
            row is not None
            and (row[0], row[1]) == (state.size, state.mtime_ns)
            and (row[2] is None or row[2] == state.ctime_ns)
        )

    def find(self, name: bytes, sha256: str) -> Entry | None:
        """The answer to this content of the file of this name."""
        row = self._row("SELECT id, finding FROM answers WHERE name = ? AND sha256 = ?", name, sha256)
        return None if row is None else Entry(*row)

    def find_same(self, sha256: str, model: str, operating_point: str, engine: str) -> Entry | None:
        """The last answer that was computed for this content, whatever the file's name.

        Args:
            sha256: Of the content.
            model: SHA-256 of the bundle that answered.
            operating_point: At which it did.
            engine: In which it did, with version and threads.
        """
        row = self._row(
            "SELECT id, finding FROM answers INDEXED BY answers_by_content"
            " WHERE substr(sha256, 1, 12) = substr(?1, 1, 12) AND +sha256 = ?1"
            " AND same_as IS NULL AND status = 'classified' AND model = ?2 AND operating_point = ?3 AND engine = ?4"
            " ORDER BY id DESC LIMIT 1",
            sha256,
            model,
            operating_point,
            engine,
        )
        return None if row is None else Entry(*row)

    def holds(self, name: bytes, file: bytes) -> bool:
        """Whether the finding in this file is entered as an answer to the file of this name."""
        return self._row("SELECT 1 FROM answers WHERE name = ? AND finding = ?", name, file) is not None

    def has_answered(self, name: bytes) -> bool:
        """Whether any content of the file of this name was ever answered, as far as rows are kept."""
        return self._row("SELECT 1 FROM answers WHERE name = ? LIMIT 1", name) is not None

    def enter(self, news: Sequence[Record | Seen]) -> None:
        """Remember all of these or none; on the disk when this returns.

        What an earlier call that failed has entered all the same is not entered again.
        """
        with self._writing() as database:
            records = [new for new in news if isinstance(new, Record)]
            if self._in_doubt:
                # Seen again, they need no second row: the first call has written what it has seen, too.
                records = [record for record in records if not is_entered(database, record)]
            first: int = database.execute("SELECT COALESCE(MAX(id), 0) + 1 FROM answers").fetchone()[0]
            numbered = list(enumerate(records, start=first))
            database.executemany(INSERT, [row_of(number, record) for number, record in numbered])
            count(
                database,
                (
                    (one.finished, one.model.sha256, {"probability": one.probability, "distance": one.distance})
                    for one in (record.finding for record in records)
                ),
            )
            seen = [(new.name, new.state, new.entry.id, True) for new in news if isinstance(new, Seen)]
            seen += [(one.name, one.state, number, one.finding.sha256 is not None) for number, one in numbered]
            database.executemany(
                "INSERT OR REPLACE INTO seen (name, size, mtime_ns, ctime_ns, answer) VALUES (?, ?, ?, ?, ?)",
                [
                    (name, state.size, state.mtime_ns, None if readable else state.ctime_ns, answer)
                    for name, state, answer, readable in seen
                ],
            )
            moves = tuple(self._moves)
            database.executemany(
                "UPDATE answers SET state = 'moved', place = ?2 WHERE id ="
                " (SELECT id FROM answers WHERE name = ?1 ORDER BY id DESC LIMIT 1)",
                moves,
            )
        with self._lock:
            del self._moves[: len(moves)]
            self._in_doubt = False

    def verdict(self, name: bytes, state: FileState) -> tuple[str, str | None] | None:
        """Status and SHA-256 of the answer to the file of this name as it lies there; ``None`` where there is none."""
        if not self.knows(name, state):
            return None
        return self._row(
            "SELECT status, sha256 FROM seen JOIN answers ON answers.id = seen.answer WHERE seen.name = ?", name
        )

    def move(self, moves: Sequence[tuple[bytes, bytes]]) -> None:
        """Remember where answered files were moved to; entered with the next answers, or when the journal is closed.

        Args:
            moves: The name of each, relative to the watched folder, and the place, as the mover names it.
        """
        with self._lock:
            self._moves.extend(moves)

    def _row(self, query: str, *parameters: object) -> tuple[Any, ...] | None:
        with self._reading:
            try:
                if self._reader is None:
                    self._reader = connect(self.path)
                row: tuple[Any, ...] | None = self._reader.execute(query, parameters).fetchone()
            except sqlite3.Error:
                closed(self._reader)
                self._reader = None
                raise
            return row

    @contextlib.contextmanager
    def _writing(self) -> Generator[sqlite3.Connection, None, None]:
        with self._lock:
            try:
                if self._database is None:
                    self._database = self._open()
                with self._database:
                    self._database.execute("BEGIN IMMEDIATE")
                    yield self._database
            except sqlite3.Error:
                self._in_doubt = True
                closed(self._database)
                self._database = None
                raise

    def _open(self) -> sqlite3.Connection:
        database = connect(self.path)
        try:
            # WAL, so that others read while this one writes; FULL, so that a commit has reached the disk when it
            # returns.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("PRAGMA foreign_keys = ON")
            newer = prepare(database)
            if newer is not None:
                raise UsageError(
                    f"the journal {self.path} is of version {newer}, this program knows {SCHEMA_VERSION}; "
                    "update edge-pneumo"
                )
        except BaseException:
            closed(database)
            raise
        return database
