"""The journal's tables, and how those of an earlier version become them."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from edge_runtime import drift

SCHEMA_VERSION: Final = 3
DAYS_KEPT: Final = 400

Quantity = Literal["probability", "distance"]
EDGES: Final[dict[Quantity, tuple[float, ...]]] = {
    "probability": drift.PROBABILITY_EDGES,
    "distance": drift.DISTANCE_EDGES,
}
Counted = tuple[str, str, Mapping[Quantity, float | None]]
"""When an answer was ready (RFC 3339), the SHA-256 of its bundle, and what it says."""

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
# Hashes lie anywhere in an index, so that each answer touches another page of it: a few bytes of the hash and only of
# what can be copied keep it a tenth of the size, and a group's pages are written once.
_COPIES = """
CREATE INDEX answers_by_content ON answers (substr(sha256, 1, 12)) WHERE same_as IS NULL AND status = 'classified';
"""
SCHEMA: Final = f"""
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
    confidence  TEXT,
    state       TEXT NOT NULL DEFAULT 'answered',   -- answered; moved: the file lies in place
    place       BLOB,                   -- where the file was moved to, as the one who moved it names it
    same_as     INTEGER,                -- the answer that was given again, because the bytes are the same
    operating_point TEXT,
    engine      TEXT
);
CREATE INDEX answers_by_name ON answers (name, sha256);
CREATE TABLE seen (
    name        BLOB PRIMARY KEY,
    size        INTEGER NOT NULL,
    mtime_ns    INTEGER NOT NULL,
    ctime_ns    INTEGER,                -- only where the file could not be read: a chmod leaves size and mtime alone
    answer      INTEGER NOT NULL REFERENCES answers (id)
) WITHOUT ROWID;
{_HISTOGRAM}{_COPIES}
"""
# What a journal of version 1 lacks; its answers are counted after that.
_SINCE_1 = f"""
ALTER TABLE answers ADD COLUMN distance REAL;
ALTER TABLE answers ADD COLUMN confidence TEXT;
{_HISTOGRAM}
"""
_SINCE_2 = f"""
ALTER TABLE answers ADD COLUMN state TEXT NOT NULL DEFAULT 'answered';
ALTER TABLE answers ADD COLUMN place BLOB;
ALTER TABLE answers ADD COLUMN same_as INTEGER;
ALTER TABLE answers ADD COLUMN operating_point TEXT;
ALTER TABLE answers ADD COLUMN engine TEXT;
{_COPIES}
"""


def prepare(database: sqlite3.Connection) -> int | None:
    """Make the tables, or bring those of an earlier version up to date, completely or not at all; nothing is lost.

    Args:
        database: In autocommit.

    Returns:
        The journal's version where it is newer than this program's, and nothing has been done; else ``None``.
    """
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        return version
    if version == 0:
        database.executescript(f"BEGIN; {SCHEMA} PRAGMA user_version = {SCHEMA_VERSION}; COMMIT;")
    elif version < SCHEMA_VERSION:
        extend = (_SINCE_1 if version == 1 else "") + _SINCE_2
        database.executescript(f"BEGIN IMMEDIATE; {extend} PRAGMA user_version = {SCHEMA_VERSION};")
        with database:
            if version == 1:
                earlier = database.execute(
                    "SELECT finished, model, probability FROM answers WHERE probability NOTNULL"
                ).fetchall()
                count(database, ((finished, model, {"probability": value}) for finished, model, value in earlier))
    # An index that nobody asked, of a version before the first numbered one.
    database.execute("DROP INDEX IF EXISTS answers_by_sha256")
    return None


def count(database: sqlite3.Connection, answers: Iterable[Counted]) -> None:
    """Count answers in the histograms of their days; a day more than are kept displaces the oldest."""
    counts: Counter[tuple[str, str, str, int]] = Counter()
    days: set[str] = set()
    for finished, model, values in answers:
        try:
            day = local_day(finished)
        except (ValueError, OverflowError):
            continue  # a finding that was taken over may say anything
        for quantity, value in values.items():
            if value is not None:
                counts[day, model, quantity, drift.bin_of(EDGES[quantity], value)] += 1
                days.add(day)
    known = "SELECT 1 FROM histogram WHERE day = ?"
    is_new = any(database.execute(known, (day,)).fetchone() is None for day in days)
    database.executemany(
        "INSERT INTO histogram VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (day, model, quantity, bin) DO UPDATE SET count = count + excluded.count",
        [(*key, number) for key, number in counts.items()],
    )
    if is_new:
        # Days are counted and not measured, so that one answer under a wrong clock does not clear them all.
        database.execute(
            "DELETE FROM histogram WHERE day < (SELECT DISTINCT day FROM histogram ORDER BY day DESC LIMIT 1 OFFSET ?)",
            (DAYS_KEPT - 1,),
        )


def local_day(moment: str) -> str:
    """The date, as ``2024-05-01``, of an RFC 3339 time where this machine stands.

    Raises:
        ValueError: It is no such time.
        OverflowError: It lies before the first or after the last day there is.
    """
    return datetime.fromisoformat(moment).astimezone().date().isoformat()
