"""The journal: which radiographs have been answered. One SQLite file beside the findings.

Two questions are asked of it:

* Is this file answered as it lies there? Asked of every file at every look through the folder, by name, size and
  modification time, without reading the file (table ``seen``).
* Is this content of this file answered? Asked once the file had to be read, by name and SHA-256 (table ``answers``), so
  that a file that was merely touched, or rewritten with the same bytes, is not answered twice.

A third is asked by ``edge-pneumo status``: what do a day's radiographs look like to the model? For that each answer is
counted, in the transaction that remembers it, in a running histogram a day and a bundle (table ``histogram``), with the
bins of ``drift.PROBABILITY_EDGES`` and ``drift.DISTANCE_EDGES``. It keeps the last 400 days that had answers.

A row is committed after its finding is on the disk, and before the file counts as done. What a crash leaves between the
two is a finding that the journal does not know; it is found by its name and content, and taken over.
"""

import sqlite3
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

from edge_runtime import drift
from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding

SCHEMA_VERSION = 2
DAYS_KEPT: Final = 400
_CACHE_KIB = 256

Quantity = Literal["probability", "distance"]
EDGES: Final[dict[Quantity, tuple[float, ...]]] = {
    "probability": drift.PROBABILITY_EDGES,
    "distance": drift.DISTANCE_EDGES,
}

_HISTOGRAM = """
CREATE TABLE histogram (
    day         TEXT NOT NULL,          -- on which the answer was ready, as 2024-05-01, where the watcher stands
    model       TEXT NOT NULL,          -- SHA-256 of the bundle
    quantity    TEXT NOT NULL,          -- probability or distance
    bin         INTEGER NOT NULL,
    count       INTEGER NOT NULL,
    PRIMARY KEY (day, model, quantity, bin)
) WITHOUT ROWID;
CREATE INDEX answers_by_finished ON answers (finished);
"""
_SCHEMA = f"""
CREATE TABLE answers (
    id          INTEGER PRIMARY KEY,
    name        BLOB NOT NULL,          -- relative to the watched folder, byte for byte
    sha256      TEXT,                   -- NULL where the file could not be read
    finding     BLOB NOT NULL,          -- the finding's file, relative to the results
    status      TEXT NOT NULL,
    label       TEXT,
    probability REAL,
    reason      TEXT,
    model       TEXT NOT NULL,          -- SHA-256 of the bundle
    received    TEXT NOT NULL,
    finished    TEXT NOT NULL,
    distance    REAL,                   -- from the radiographs the model learned from; NULL where it was not reached
    confidence  TEXT
);
CREATE INDEX answers_by_name ON answers (name, sha256);
CREATE TABLE seen (
    name        BLOB PRIMARY KEY,
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    ctime_ns    INTEGER,                -- only where the file could not be read: a chmod leaves size and mtime alone
    answer      INTEGER NOT NULL REFERENCES answers (id)
) WITHOUT ROWID;
{_HISTOGRAM}
"""
# What a journal of version 1 lacks; its answers are counted after that.
_SINCE_1 = f"""
ALTER TABLE answers ADD COLUMN distance REAL;
ALTER TABLE answers ADD COLUMN confidence TEXT;
{_HISTOGRAM}
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer that the journal knows.

    Attributes:
        id: Its row.
        finding: The finding's file, relative to the results.
    """

    id: int
    finding: bytes


class Journal:
    """An open journal. Its methods may be called from any thread; each is one transaction.

    What is asked does not wait for what is being written: it is asked through a second connection, which sees what has
    been committed.

    Raises:
        UsageError: The file cannot be opened, is damaged, no journal, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock, self._reading = threading.Lock(), threading.Lock()
        try:
            # Autocommit: transactions are begun by hand, around what belongs together.
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
                self._reader = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
                for connection in (self._database, self._reader):
                    # Else each fills 2 MB over time with what the system keeps in memory anyway.
                    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
            except BaseException:
                self._database.close()
                raise
        except sqlite3.OperationalError as error:
            raise UsageError(f"the journal {path} cannot be opened ({error}); check its permissions") from error
        except sqlite3.DatabaseError as error:
            raise UsageError(
                f"the journal {path} is damaged ({error}); move it away and start again: "
                "the findings that lie beside it are taken over, not made anew"
            ) from error

    def _prepare(self) -> None:
        # WAL, so that others read while this one writes; FULL, so that a commit has reached the disk when it returns.
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        version = self._database.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            self._database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
        elif version == 1:
            self._extend()
        elif version != SCHEMA_VERSION:
            raise UsageError(
                f"the journal {self.path} is of version {version}, this program knows {SCHEMA_VERSION}; "
                "update edge-pneumo"
            )
        # Earlier programs kept one more index, and none ever asked it; hashes lie anywhere in an index, so that every
        # answer touched another page of it.
        self._database.execute("DROP INDEX IF EXISTS answers_by_sha256")

    def _extend(self) -> None:
        """Bring a journal of version 1 up to date, completely or not at all; nothing in it is lost."""
        self._database.executescript(f"BEGIN IMMEDIATE; {_SINCE_1} PRAGMA user_version = {SCHEMA_VERSION};")
        with self._database:
            earlier = self._database.execute(
                "SELECT finished, model, probability FROM answers WHERE probability NOTNULL"
            )
            for finished, model, probability in earlier.fetchall():
                self._count(finished, model, {"probability": probability})

    def close(self) -> None:
        with self._lock, self._reading:
            self._reader.close()
            self._database.close()

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

    def holds(self, name: bytes, file: bytes) -> bool:
        """Whether the finding in this file is entered as an answer to the file of this name."""
        return self._row("SELECT 1 FROM answers WHERE name = ? AND finding = ?", name, file) is not None

    def record(self, name: bytes, state: FileState, finding: Finding, file: bytes) -> None:
        """Remember an answer whose finding lies in ``file``; on the disk when this returns."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            row = self._database.execute(
                "INSERT INTO answers (name, sha256, finding, status, label, probability, reason, model, received,"
                " finished, distance, confidence) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    name,
                    finding.sha256,
                    file,
                    finding.status,
                    finding.label,
                    finding.probability,
                    finding.reason,
                    finding.model.sha256,
                    finding.received,
                    finding.finished,
                    finding.distance,
                    finding.confidence,
                ),
            )
            assert row.lastrowid is not None
            values: dict[Quantity, float | None]
            values = {"probability": finding.probability, "distance": finding.distance}
            self._count(finding.finished, finding.model.sha256, values)
            self._see(name, state, row.lastrowid, readable=finding.sha256 is not None)

    def see_again(self, name: bytes, state: FileState, entry: Entry) -> None:
        """Remember that the file as it lies there has the content of an earlier answer."""
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._see(name, state, entry.id, readable=True)

    def _see(self, name: bytes, state: FileState, answer: int, *, readable: bool) -> None:
        self._database.execute(
            "INSERT OR REPLACE INTO seen (name, size, mtime_ns, ctime_ns, answer) VALUES (?, ?, ?, ?, ?)",
            (name, state.size, state.mtime_ns, None if readable else state.ctime_ns, answer),
        )

    def _count(self, finished: str, model: str, values: Mapping[Quantity, float | None]) -> None:
        """Count an answer in the histogram of its day; a day more than are kept displaces the oldest."""
        try:
            day = local_day(finished)
        except (ValueError, OverflowError):
            return  # a finding that was taken over may say anything
        is_known = self._database.execute("SELECT 1 FROM histogram WHERE day = ?", (day,)).fetchone() is not None
        for quantity, value in values.items():
            if value is not None:
                self._database.execute(
                    "INSERT INTO histogram VALUES (?, ?, ?, ?, 1)"
                    " ON CONFLICT (day, model, quantity, bin) DO UPDATE SET count = count + 1",
                    (day, model, quantity, drift.bin_of(EDGES[quantity], value)),
                )
        if not is_known:
            # Days are counted and not measured, so that one answer under a wrong clock does not clear them all.
            self._database.execute(
                "DELETE FROM histogram WHERE day <"
                " (SELECT DISTINCT day FROM histogram ORDER BY day DESC LIMIT 1 OFFSET ?)",
                (DAYS_KEPT - 1,),
            )

    def _row(self, query: str, *parameters: object) -> tuple[Any, ...] | None:
        with self._reading:
            row: tuple[Any, ...] | None = self._reader.execute(query, parameters).fetchone()
            return row


def local_day(moment: str) -> str:
    """The date, as ``2024-05-01``, of an RFC 3339 time where this machine stands.

    Raises:
        ValueError: It is no such time.
        OverflowError: It lies before the first or after the last day there is.
    """
    return datetime.fromisoformat(moment).astimezone().date().isoformat()
