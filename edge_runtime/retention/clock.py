"""Noticing that the clock was set, and remembering which answers that concerns: rule 3 of ``retention``."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Final

from edge_runtime.finding import timestamp
from edge_runtime.retention import rules as retention
from edge_runtime.retention.rules import ClockSet

TABLE: Final = """
CREATE TABLE IF NOT EXISTS clock_set (  -- ahead, by an hour or more
    first       INTEGER PRIMARY KEY,    -- the first answer that this concerns
    last        INTEGER NOT NULL,
    at          TEXT NOT NULL           -- what the clock said then
);
CREATE TABLE IF NOT EXISTS clock (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    boot        TEXT,                   -- the machine's start
    offset      REAL,                   -- of the clock from the seconds since then
    first       INTEGER                 -- the first answer since then
);
INSERT OR IGNORE INTO clock (one) VALUES (1);
"""
_SET_SECONDS: Final = 3600.0


def boot_id() -> str:
    """What tells this start of the machine from others; where that is hidden, this process from others."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return f"process {os.getpid()} {time.monotonic()}"


class ClockMinder:
    """Notices that the clock was set while the machine ran, also while this program did not.

    Args:
        now: The time of day.
        seconds: Since the machine started, those that it slept included.
        boot: Tells this start of the machine from others.
    """

    def __init__(self, now: Callable[[], datetime], seconds: Callable[[], float], boot: str) -> None:
        self._now, self._seconds, self._boot = now, seconds, boot
        self._offset: float | None = None

    def mind(self, opened: Callable[[], AbstractContextManager[sqlite3.Connection]]) -> None:
        """Enter it in the journal, which is opened only then.

        Raises:
            sqlite3.Error: It cannot be entered now.
        """
        offset = self._now().timestamp() - self._seconds()
        if self._offset is not None and abs(offset - self._offset) < _SET_SECONDS:
            return
        with opened() as database, database:
            database.execute("BEGIN IMMEDIATE")
            newest: int = database.execute("SELECT COALESCE(MAX(id), 0) FROM answers").fetchone()[0]
            boot, before, first = database.execute("SELECT boot, offset, first FROM clock").fetchone()
            leap = offset - before if boot == self._boot else 0.0
            if boot != self._boot:
                first = newest + 1
            if leap >= _SET_SECONDS and newest >= first:
                # Once more for what was marked before: a clock may be put right in several goes.
                database.execute(
                    "INSERT INTO clock_set VALUES (?, ?, ?) ON CONFLICT (first) DO UPDATE"
                    " SET last = excluded.last, at = MAX(at, excluded.at)",
                    (first, newest, timestamp(self._now())),
                )
            database.execute("UPDATE clock SET boot = ?, offset = ?, first = ?", (self._boot, offset, first))
        self._offset = offset


def marks(database: sqlite3.Connection) -> list[ClockSet]:
    """All that was entered."""
    rows = database.execute("SELECT first, last, at FROM clock_set").fetchall()
    return [ClockSet(first, last, at) for first, last, text in rows if (at := retention.parse(text)) is not None]
