"""How long findings and heat maps are kept: what goes, decided without a file or a database.

1. With ``days``, a finding and its heat map go when the answer is older than that. With ``megabytes``, when all
   findings and heat maps together take more, the oldest heat maps go, and findings, the oldest first, only when there
   is no heat map left; until 2% of the limit is free, so that it does not have to be counted all the time. Without
   either nothing ever goes.
2. Oldest means entered first: what goes is always a beginning of the journal.
3. An answer is at least as young as every answer before it, whatever the clock said, so that one given under a clock
   that had been set back does not look old; and where the clock was set ahead while the machine ran, the answers since
   its start are at least as young as the moment when that was noticed. A time before there was this program says
   nothing. A time to come keeps its answer, and those after it, until then: perhaps it is now that the clock is wrong.
4. Only what the journal names goes: ordinary files in the results folder, reached without following a link, a finding
   only if it is the finding of that very answer, a heat map only if no other answer's finding has its name. Input is
   never touched.
5. First the files go, then their names are taken off the disk for good, then the journal forgets where the finding lay.
   After a crash in between the same files go again.
6. The row itself stays as long as the file it answers for lies in the watched folder with that content: without it the
   file would be answered again. Else it goes once its finding has gone. A file counts as gone only if the watched
   folder is there, the same that the last answered file came from, so that a share that is away takes nothing with it.
   The newest row always stays: the numbers of rows are not used again.

So the journal holds a row for each finding that is kept and for each file that lies in the folder, and no more.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from edge_runtime.config.settings import Retention

_FREE_SHARE: Final = 50
FIRST_BELIEVED: Final = datetime(2024, 1, 1, tzinfo=UTC)
_LAST_BELIEVED: Final = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an answer.

    Attributes:
        at: The earliest time at which it can have been entered, by ``reckon``.
        finding: Bytes, those of a photograph that goes with it included; 0 where there is none.
        heatmap: Bytes; 0 where there is none.
    """

    at: datetime
    finding: int
    heatmap: int


@dataclass(frozen=True, slots=True)
class Going:
    """What goes.

    Attributes:
        findings: How many from the front of the one sequence, with their heat maps.
        heatmaps: How many from the front of the other.
    """

    findings: int
    heatmaps: int


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The clock was set ahead.

    Attributes:
        first: The first answer since the machine started.
        last: The newest when it was noticed.
        at: What the clock said then.
    """

    first: int
    last: int
    at: datetime


def excess(size: int, policy: Retention) -> int:
    """How many of ``size`` bytes have to go."""
    limit = policy.megabytes * 10**6
    return size - (limit - limit // _FREE_SHARE) if limit and size > limit else 0


def plan(
    oldest: Sequence[Kept],
    oldest_with_maps: Sequence[Kept],
    *,
    policy: Retention,
    now: datetime,
    excess: int = 0,
    maps: int = 0,
) -> Going:
    """What goes of the oldest answers. To be asked again with the next ones until nothing goes.

    Args:
        oldest: The oldest answers whose findings are kept, as many as one likes, in the order of their entry.
        oldest_with_maps: The same of those whose heat maps are kept; none is older than those.
        policy: The settings.
        now: What the clock says.
        excess: Bytes that have to go, from ``excess``, without those that went since.
        maps: Bytes of all heat maps that are kept.
    """
    before = now - timedelta(days=policy.days) if policy.days else None
    aged = _leading(kept.at < before for kept in oldest) if before is not None else 0
    if aged:
        return Going(aged, 0)  # the next ones may be as old, and then no heat map needs to go for its size
    heatmaps = _enough((kept.heatmap for kept in oldest_with_maps), excess)
    freed = sum(kept.heatmap for kept in oldest_with_maps[:heatmaps])
    if freed < excess and freed >= maps:
        return Going(_enough((kept.finding for kept in oldest), excess - freed), heatmaps)
    return Going(0, heatmaps)


def reckon(
    times: Iterable[tuple[int, str]], set_: Sequence[ClockSet], *, since: datetime | None, now: datetime
) -> Iterator[datetime]:
    """The earliest time at which each answer can have been entered; never earlier than the one before.

    Args:
        times: The number of each, and when it was ready by the clock of that time, RFC 3339.
        set_: When the clock was set.
        since: The same of the answer before them.
        now: What an answer gets for which nothing can be said.
    """
    for number, finished in times:
        said = [mark.at for mark in set_ if mark.first <= number <= mark.last]
        believed = [moment for moment in (since, parse(finished), *said) if moment and is_believable(moment)]
        since = max(believed, default=None)
        yield since or now


def is_believable(moment: datetime) -> bool:
    """Whether a time can be meant."""
    return FIRST_BELIEVED <= moment < _LAST_BELIEVED


def parse(moment: str) -> datetime | None:
    """A time of the journal; a finding that was taken over may say anything."""
    try:
        return datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, OverflowError, TypeError):
        return None


def _leading(conditions: Iterable[bool]) -> int:
    count = 0
    for is_so in conditions:
        if not is_so:
            break
        count += 1
    return count


def _enough(sizes: Iterable[int], wanted: int) -> int:
    """How many from the front it takes to free so many bytes; all, if that is not enough."""
    count = 0
    for size in sizes:
        if wanted <= 0:
            break
        wanted -= size
        count += 1
    return count
