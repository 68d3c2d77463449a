"""Which answers are asked for, as a person says it and as SQLite is told it."""

import fnmatch
import os
import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edge_runtime.finding import printable


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which answers; ``None`` for any.

    Attributes:
        since: Ready at this time or later, as ``finding.timestamp`` writes it.
        until: Ready before this time.
        status: This one, as are ``label`` and ``confidence``.
        name: A pattern of the shell (``*``, ``?``, ``[...]``) for the whole name; ``*`` goes across folders.
        least: Of the probability, itself included.
        most: Of the probability, itself included.
    """

    since: str | None = None
    until: str | None = None
    status: str | None = None
    label: str | None = None
    confidence: str | None = None
    name: str | None = None
    least: float | None = None
    most: float | None = None


def conditions_of(database: sqlite3.Connection, wanted: Wanted) -> tuple[str, list[Any]]:
    """What stands behind ``WHERE``, and the values for its question marks."""
    # The plus keeps SQLite from walking through the index of times and sorting afterwards.
    conditions, values = times_of(wanted, "+finished")
    for name in ("status", "label", "confidence"):
        if (value := getattr(wanted, name)) is not None:
            conditions += f" AND {name} = ?"
            values.append(value)
    for limit, comparison in ((wanted.least, ">="), (wanted.most, "<=")):
        if limit is not None:
            conditions += f" AND probability {comparison} ?"
            values.append(limit)
    if wanted.name is not None:
        database.create_function("is_named", 1, _matcher(wanted.name), deterministic=True)
        conditions += " AND is_named(name)"
    return conditions, values


def times_of(wanted: Wanted, column: str) -> tuple[str, list[Any]]:
    """The same for the times alone."""
    limits = [(limit, sign) for limit, sign in ((wanted.since, ">="), (wanted.until, "<")) if limit is not None]
    conditions = " AND ".join(["1", *(f"{column} {sign} ?" for _, sign in limits)])
    return conditions, [limit for limit, _ in limits]


def _matcher(pattern: str) -> Callable[[bytes | str], bool]:
    matches = re.compile(fnmatch.translate(pattern)).match

    def is_named(name: bytes | str) -> bool:
        # As it is, and as it is printed, so that a name can be copied from what was printed.
        text = os.fsdecode(name)
        return matches(text) is not None or matches(printable(text)) is not None

    return is_named
