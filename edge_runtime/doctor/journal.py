"""The journal, as far as it can be seen without changing it."""

import sqlite3
from datetime import datetime
from pathlib import Path

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip
from edge_runtime.errors import UsageError
from edge_runtime.journal import reader
from edge_runtime.locate import JOURNAL


def journal(_machine: Machine, subject: Subject) -> Verdict:
    """Can it be read?"""
    if subject.results is None:
        return skip("no folder to watch is known")
    try:
        answers, _ = _look(subject.results)
    except PermissionError:
        return skip("it is not yours to read; run this with sudo")
    except UsageError as error:
        cause, _, advice = str(error).partition("; ")
        return fail(cause, advice or "see what 'edge-pneumo watch' says of it")
    if not answers:
        return ok("nothing has been answered yet")
    return ok(f"{answers} finding{'' if answers == 1 else 's'}")


def latest_answer(subject: Subject) -> datetime | None:
    """When the latest finding was ready; ``None`` where there is none, or none that can be read."""
    try:
        last = None if subject.results is None else _look(subject.results)[1]
    except (OSError, UsageError):
        return None
    return None if last is None else datetime.fromisoformat(last)


def _look(results: Path) -> tuple[int, str | None]:
    """How many answers it holds, and when the latest was ready.

    Raises:
        PermissionError: It may not be read.
        UsageError: It cannot be read or is damaged.
    """
    file = results / JOURNAL
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return 0, None
    with file.open("rb"):
        pass
    return reader.read(file, _count)


def _count(database: sqlite3.Connection) -> tuple[int, str | None]:
    answers = reader.count(database)
    last: str | None = database.execute("SELECT MAX(finished) FROM answers").fetchone()[0] if answers else None
    return answers, last
