"""Opening and closing the journal's database, and what its errors mean."""

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

_CACHE_KIB = 256
# Not the journal's fault, and perhaps over in a moment. What is damaged, and errors of ours, are not among them.
_PASSING: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PROTOCOL,
    }
)


def is_passing(error: sqlite3.Error) -> bool:
    """Whether the disk or another process is at fault, so that the same may work later."""
    code = getattr(error, "sqlite_errorcode", None)  # what Python itself raises has none
    return code is not None and code & 0xFF in _PASSING


def damage(path: Path, error: sqlite3.Error) -> str:
    """The sentence about a journal that is none, or no longer one."""
    return (
        f"the journal {path} is damaged ({error}); move it away and start again: "
        "the findings that lie beside it are taken over, not made anew"
    )


def connect(path: Path) -> sqlite3.Connection:
    # Autocommit: transactions are begun by hand, around what belongs together.
    database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        # Else each fills 2 MB over time with what the system keeps in memory anyway.
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    except BaseException:
        closed(database)
        raise
    return database


def closed(database: sqlite3.Connection | None) -> None:
    """Close a connection, whatever its state."""
    if database is not None:
        with contextlib.suppress(sqlite3.Error):
            database.close()
