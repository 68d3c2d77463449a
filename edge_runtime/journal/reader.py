"""Reading the journal, while a watcher writes to it as well as afterwards: rows, a page at a time.

Nothing is made or changed beside the journal, and no look at it lasts: a page is read in one short transaction, so that
the watcher's write-ahead log does not grow while somebody reads slowly. Rows are numbered in the order in which they
were entered, which no clock disturbs, and what is asked for is asked by those numbers.

Columns are looked for by their names, so that journals of other versions are read as far as they go.
"""

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from edge_runtime.errors import UsageError
from edge_runtime.journal.query import Wanted, conditions_of, times_of

PAGE: Final = 1000
_WAIT_SECONDS: Final = 5.0
_NEEDED: Final = ("id", "name", "finding", "status", "finished")
_OPTIONAL: Final = ("sha256", "label", "probability", "reason", "model", "received", "distance", "confidence")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """An answer, as the journal knows it.

    Attributes:
        id: Its number; later answers have larger ones.
        name: The radiograph's, relative to the watched folder, byte for byte.
        file: The finding's, relative to the results.
        status: ``classified`` or ``rejected``.
        finished: When the answer was ready, RFC 3339.
        model: SHA-256 of the bundle.

    The others are the finding's fields of the same name; ``None``, too, where the journal does not know them.
    """

    id: int
    name: bytes
    file: bytes
    status: str
    finished: str
    sha256: str | None = None
    label: str | None = None
    probability: float | None = None
    reason: str | None = None
    model: str | None = None
    received: str | None = None
    distance: float | None = None
    confidence: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows.

    Attributes:
        rows: In the order in which they were entered.
        last: No row up to this number has been left out.
        is_all: Whether there were no more of them.
    """

    rows: tuple[Row, ...]
    last: int
    is_all: bool


def rows(
    journal: Path, wanted: Wanted, *, count: int | None = None, to: int | None = None, size: int = PAGE
) -> Iterator[Row]:
    """The rows that are there now, the newest last, with a page of them in memory.

    Args:
        journal: The file.
        wanted: Which.
        count: Only so many, the newest of them.
        to: No larger number than this.
        size: Of a page.

    Raises:
        UsageError: The journal cannot be read, is damaged, or of a version that keeps it otherwise.
    """
    first, last = read(journal, lambda database: _span(database, journal, wanted, count, to))
    while first <= last:
        found = page(journal, wanted, first - 1, to=last, size=size)
        yield from found.rows
        if found.is_all:
            return
        first = found.last + 1


def page(journal: Path, wanted: Wanted, after: int, *, to: int | None = None, size: int = PAGE) -> Page:
    """The next rows.

    Args:
        journal: The file.
        wanted: Which.
        after: Those with larger numbers.
        to: No larger number than this.
        size: At most so many rows.

    Raises:
        UsageError: As for ``rows``.
    """
    return read(journal, lambda database: _page(database, journal, wanted, after, to, size))


def newest(journal: Path) -> int:
    """The number of the newest row; 0 where there is none.

    Raises:
        UsageError: As for ``rows``.
    """
    return read(journal, lambda database: _newest(database) if _columns(database, journal) else 0)


def count(database: sqlite3.Connection) -> int:
    """How many answers an open journal holds."""
    if database.execute("SELECT 1 FROM sqlite_schema WHERE name = 'answers'").fetchone() is None:
        return 0
    number: int = database.execute("SELECT COUNT(*) FROM answers").fetchone()[0]
    return number


def read(journal: Path, look: Callable[[sqlite3.Connection], T]) -> T:
    """Ask a journal something, all of it at one moment; ``look`` may be called again if a watcher starts meanwhile.

    Raises:
        UsageError: It cannot be read or is damaged.
    """
    try:
        return _at_rest_or_at_work(journal, look)
    except (sqlite3.OperationalError, OSError) as error:
        cause = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"the journal {journal} cannot be read ({cause}); check its permissions") from error
    except sqlite3.DatabaseError as error:
        raise UsageError(
            f"the journal {journal} is damaged ({error}); 'edge-pneumo watch' says what to do with it"
        ) from error


def _at_rest_or_at_work(journal: Path, look: Callable[[sqlite3.Connection], T]) -> T:
    # Read-only, SQLite still makes the two files of a write-ahead log where they are missing, and leaves them there.
    # They are missing when no watcher runs; then nothing changes and the journal is read as it lies. If one starts in
    # the meantime the files appear, and what was read or failed to be read does not count.
    log = journal.with_name(f"{journal.name}-wal")
    if not log.exists():
        try:
            with _opened(journal, "immutable=1") as database:
                answer = look(database)
            if not log.exists():
                return answer
        except sqlite3.Error:
            if not log.exists():
                raise
    try:
        with _opened(journal, "mode=ro") as database:
            return look(database)
    except sqlite3.OperationalError:
        index = journal.with_name(f"{journal.name}-shm")
        if index.exists() or not log.exists():
            raise
    return _from_a_copy(journal, log, look)


def _from_a_copy(journal: Path, log: Path, look: Callable[[sqlite3.Connection], T]) -> T:
    """Read what a power cut left where nothing can be written: the log counts, and its index cannot be made there.

    No watcher can run there either, so that neither file changes.
    """
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-") as folder:
        copied = Path(folder) / journal.name
        shutil.copyfile(journal, copied)
        shutil.copyfile(log, copied.with_name(log.name))
        with _opened(copied, "mode=rw") as database:
            return look(database)


@contextmanager
def _opened(journal: Path, how: str) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(bytes(journal.absolute()))}?{how}"
    with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=_WAIT_SECONDS)) as database:
        database.text_factory = lambda data: data.decode("utf-8", "backslashreplace")
        database.execute("BEGIN")  # one moment for all that follows
        yield database


def _columns(database: sqlite3.Connection, journal: Path) -> str:
    """The columns of ``Row`` for a SELECT; nothing where a watcher is about to make the table."""
    there = {name for _, name, *_ in database.execute("PRAGMA table_info(answers)")}
    if not there:
        if database.execute("PRAGMA user_version").fetchone()[0] == 0:
            return ""
        raise UsageError(f"{journal} is no journal of edge-pneumo; name the results or the watched folder")
    if missing := [name for name in _NEEDED if name not in there]:
        raise UsageError(f"the journal {journal} has no {missing[0]!r}: it is of another version; update edge-pneumo")
    return ", ".join([*_NEEDED, *(name if name in there else f"NULL AS {name}" for name in _OPTIONAL)])


def _span(
    database: sqlite3.Connection, journal: Path, wanted: Wanted, count: int | None, to: int | None
) -> tuple[int, int]:
    """The first and the last number among which all that is wanted lies; the first is larger where there is none."""
    columns = _columns(database, journal)
    if not columns:
        return 1, 0
    first, last = 1, _newest(database) if to is None else to
    if wanted.since is not None or wanted.until is not None:
        # From the index of times alone. The rows between are still compared: a clock may have been set.
        conditions, values = times_of(wanted, "finished")
        begin, end = database.execute(f"SELECT MIN(id), MAX(id) FROM answers WHERE {conditions}", values).fetchone()
        if begin is None:
            return 1, 0
        first, last = begin, min(last, end)
    if count is not None:
        conditions, values = conditions_of(database, wanted)
        (found,) = database.execute(
            f"SELECT MIN(id) FROM (SELECT id FROM (SELECT {columns} FROM answers) WHERE {conditions}"
            " AND id BETWEEN ? AND ? ORDER BY id DESC LIMIT ?)",
            (*values, first, last, count),
        ).fetchone()
        first = last + 1 if found is None else found
    return first, last


def _page(database: sqlite3.Connection, journal: Path, wanted: Wanted, after: int, to: int | None, size: int) -> Page:
    columns = _columns(database, journal)
    if not columns:
        return Page((), 0, is_all=True)
    last = _newest(database) if to is None else to
    conditions, values = conditions_of(database, wanted)
    found = database.execute(
        f"SELECT * FROM (SELECT {columns} FROM answers) WHERE {conditions} AND id > ? AND id <= ? ORDER BY id LIMIT ?",
        (*values, after, last, size),
    ).fetchall()
    is_all = len(found) < size
    return Page(tuple(map(_row, found)), last if is_all else found[-1][0], is_all)


def _newest(database: sqlite3.Connection) -> int:
    number: int | None = database.execute("SELECT MAX(id) FROM answers").fetchone()[0]
    return number or 0


def _row(values: tuple[Any, ...]) -> Row:
    number, name, file, *rest = values
    return Row(number, _bytes(name), _bytes(file), *rest)


def _bytes(value: bytes | str | None) -> bytes:
    return value if isinstance(value, bytes) else os.fsencode(value or "")
