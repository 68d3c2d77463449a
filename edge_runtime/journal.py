"""The journal: which radiographs have been answered. One SQLite file beside the findings.

Two questions are asked of it:

* Is this file answered as it lies there? Asked of every file at every look through the folder, by name, size and
  modification time, without reading the file (table ``seen``).
* Is this content of this file answered? Asked once the file had to be read, by name and SHA-256 (table ``answers``), so
  that a file that was merely touched, or rewritten with the same bytes, is not answered twice.

A row is committed after its finding is on the disk, and before the file counts as done. What a crash leaves between the
two is a finding that the journal does not know; it is found by its name and content, and taken over.
"""

import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding

SCHEMA_VERSION = 1

_SCHEMA = """
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
    finished    TEXT NOT NULL
);
CREATE INDEX answers_by_name ON answers (name, sha256);
CREATE INDEX answers_by_sha256 ON answers (sha256);
CREATE TABLE seen (
    name        BLOB PRIMARY KEY,
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    ctime_ns    INTEGER,                -- only where the file could not be read: a chmod leaves size and mtime alone
    answer      INTEGER NOT NULL REFERENCES answers (id)
) WITHOUT ROWID;
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

    Raises:
        UsageError: The file cannot be opened, is damaged, no journal, or of a newer version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        try:
            # Autocommit: transactions are begun by hand, around what belongs together.
            self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._prepare()
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
        elif version != SCHEMA_VERSION:
            raise UsageError(
                f"the journal {self.path} is of version {version}, this program knows {SCHEMA_VERSION}; "
                "update edge-pneumo"
            )

    def close(self) -> None:
        with self._lock:
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
                " finished) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
                ),
            )
            assert row.lastrowid is not None
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

    def _row(self, query: str, *parameters: object) -> tuple[Any, ...] | None:
        with self._lock:
            row: tuple[Any, ...] | None = self._database.execute(query, parameters).fetchone()
            return row
