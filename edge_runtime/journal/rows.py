"""What the journal is given to remember, and the row that it becomes."""

import sqlite3
from dataclasses import dataclass
from typing import Final

from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding


@dataclass(frozen=True, slots=True)
class Entry:
    """An answer that the journal knows.

    Attributes:
        id: Its row.
        finding: The finding's file, relative to the results.
    """

    id: int
    finding: bytes


@dataclass(frozen=True, slots=True)
class Record:
    """A new row.

    Attributes:
        name: The file's, relative to the watched folder, byte for byte.
        state: What the file looks like.
        finding: The answer.
        file: Where the finding lies, relative to the results.
        same_as: The row of the answer that was given again.
    """

    name: bytes
    state: FileState
    finding: Finding
    file: bytes
    same_as: int | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A file that looks different and has the content of an earlier answer."""

    name: bytes
    state: FileState
    entry: Entry


def is_entered(database: sqlite3.Connection, record: Record) -> bool:
    """Whether this very answer has its row."""
    row = (record.name, record.finding.sha256, record.file, record.finding.finished)
    found = database.execute(
        "SELECT 1 FROM answers WHERE name = ? AND sha256 IS ? AND finding = ? AND finished = ?", row
    )
    return found.fetchone() is not None


_COLUMNS: Final = (
    "id, name, sha256, finding, status, label, probability, reason, model, received, finished, distance, confidence,"
    " same_as, operating_point, engine"
)
INSERT: Final = f"INSERT INTO answers ({_COLUMNS}) VALUES ({', '.join('?' * len(_COLUMNS.split(',')))})"


def row_of(number: int, record: Record) -> tuple[object, ...]:
    """The values for ``INSERT``."""
    finding = record.finding
    return (
        number,
        record.name,
        finding.sha256,
        record.file,
        finding.status,
        finding.label,
        finding.probability,
        finding.reason,
        finding.model.sha256,
        finding.received,
        finding.finished,
        finding.distance,
        finding.confidence,
        record.same_as,
        finding.operating_point,
        finding.engine,
    )
