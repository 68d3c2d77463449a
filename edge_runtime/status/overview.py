"""What a journal tells about a time: how many answers of which kind, and the running histograms.

Reads only. It opens the journal so that nothing is made or changed beside it, while a watcher writes to it as well as
afterwards, and it reads what earlier versions wrote.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Final

from edge_runtime.errors import UsageError
from edge_runtime.finding import timestamp
from edge_runtime.journal import reader
from edge_runtime.journal.journal import EDGES, SCHEMA_VERSION, Quantity
from edge_runtime.model.bundle import Histogram

REASONS_SHOWN: Final = 3
_HISTOGRAMS_SINCE = 2


@dataclass(frozen=True, slots=True)
class Days:
    """Whole days, the first and the last included, where this machine stands."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Tally:
    """Answers counted.

    Attributes:
        classified: Answered.
        rejected: Not answered, for a reason.
        pneumonia: Of the classified, labelled PNEUMONIA.
        judged: Of the classified, those whose confidence is known.
        uncertain: Of the judged.
        reasons: The commonest reasons for rejecting, with their counts.
    """

    classified: int
    rejected: int
    pneumonia: int
    judged: int
    uncertain: int
    reasons: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Period:
    """What was answered in some days.

    Attributes:
        tally: By every model.
        distance: Of the model asked for.
        probability: Of the model asked for.
        others: Answers of other models, which are in neither histogram.
    """

    tally: Tally
    distance: Histogram
    probability: Histogram
    others: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What the journal tells.

    Attributes:
        last: When the last answer was ready, RFC 3339; ``None`` where there is none.
        all: Everything ever answered.
        periods: One for each that was asked for.
        has_histograms: Whether the journal keeps running histograms; an earlier version's does not.
    """

    last: str | None
    all: Tally
    periods: tuple[Period, ...]
    has_histograms: bool


def nothing(periods: Sequence[Days]) -> Overview:
    """The overview where there is no journal yet."""
    tally = Tally(0, 0, 0, 0, 0, ())
    empty = {quantity: Histogram(edges, (0,) * (len(edges) - 1)) for quantity, edges in EDGES.items()}
    return Overview(None, tally, tuple(Period(tally, **empty, others=0) for _ in periods), has_histograms=True)


def read(journal: Path, model: str, periods: Sequence[Days]) -> Overview:
    """Read a journal, all of it as it is at one moment.

    Args:
        journal: The file.
        model: SHA-256 of the bundle whose histograms are wanted.
        periods: The days wanted.

    Raises:
        UsageError: It cannot be read, is damaged, or is of a newer version.
    """
    return reader.read(journal, lambda database: _overview(database, journal, model, periods))


def _overview(database: sqlite3.Connection, journal: Path, model: str, periods: Sequence[Days]) -> Overview:
    version: int = database.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise UsageError(
            f"the journal {journal} is of version {version}, this program knows {SCHEMA_VERSION}; update edge-pneumo"
        )
    if version == 0:  # a watcher is about to fill it
        return nothing(periods)
    has_histograms = version >= _HISTOGRAMS_SINCE
    last: str | None = database.execute("SELECT MAX(finished) FROM answers").fetchone()[0]
    everything = _tally(database, "1", (), has_histograms)
    found = tuple(_period(database, days, model, has_histograms) for days in periods)
    return Overview(last, everything, found, has_histograms)


def _period(database: sqlite3.Connection, days: Days, model: str, has_histograms: bool) -> Period:
    # Times are kept in UTC and compared as text; days are those of this machine's time zone.
    span = (_midnight(days.first), _midnight(days.last + timedelta(days=1)))
    within = "finished >= ? AND finished < ?"
    others = database.execute(f"SELECT COUNT(*) FROM answers WHERE {within} AND model != ?", (*span, model))
    histograms = {
        quantity: _histogram(database, quantity, days, model) if has_histograms else _counts(quantity, {})
        for quantity in EDGES
    }
    return Period(_tally(database, within, span, has_histograms), **histograms, others=others.fetchone()[0])


def _tally(database: sqlite3.Connection, where: str, parameters: Sequence[str], has_confidence: bool) -> Tally:
    confidence = "confidence" if has_confidence else "NULL"
    classified, rejected, pneumonia, judged, uncertain = database.execute(
        "SELECT TOTAL(status = 'classified'), TOTAL(status = 'rejected'), TOTAL(label = 'PNEUMONIA'),"
        f" COUNT({confidence}), TOTAL({confidence} = 'uncertain') FROM answers WHERE {where}",
        parameters,
    ).fetchone()
    reasons = database.execute(
        f"SELECT reason, COUNT(*) FROM answers WHERE {where} AND reason NOTNULL"
        " GROUP BY reason ORDER BY COUNT(*) DESC, reason LIMIT ?",
        (*parameters, REASONS_SHOWN),
    )
    return Tally(
        classified=int(classified),
        rejected=int(rejected),
        pneumonia=int(pneumonia),
        judged=judged,
        uncertain=int(uncertain),
        reasons=tuple(reasons.fetchall()),
    )


def _histogram(database: sqlite3.Connection, quantity: Quantity, days: Days, model: str) -> Histogram:
    rows = database.execute(
        "SELECT bin, SUM(count) FROM histogram WHERE day BETWEEN ? AND ? AND model = ? AND quantity = ? GROUP BY bin",
        (days.first.isoformat(), days.last.isoformat(), model, quantity),
    )
    return _counts(quantity, dict(rows.fetchall()))


def _counts(quantity: Quantity, counts: dict[int, int]) -> Histogram:
    edges = EDGES[quantity]
    return Histogram(edges, tuple(counts.get(number, 0) for number in range(len(edges) - 1)))


def _midnight(day: date) -> str:
    return timestamp(datetime.combine(day, time()).astimezone(UTC))
