"""What is to be remembered of a file, on its way from the inference to the journal."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from edge_runtime.answer import Answered
from edge_runtime.journal.journal import Entry, Record, Seen
from edge_runtime.sinks.staged import Staged
from edge_runtime.sources import Work
from edge_runtime.watch.known import Earlier


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What is to be remembered of a file.

    Attributes:
        work: The file.
        sha256: Of its bytes, by which it is in hand.
        result: What makes a new answer, in any thread; a finding that a crash left without its row, and its file; or
            the row that this content of the file has already.
        is_drawn: Whether a new answer's heat map is there, or is being drawn.
    """

    work: Work
    sha256: str | None
    result: Callable[[], Answered] | Earlier | Entry
    is_drawn: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """An outcome that waits to be written; ``result`` may not have come out of step 0 of ``behind`` yet."""

    work: Work
    sha256: str | None
    result: Future[Staged] | Callable[[], Staged] | Earlier | Entry


def come_out(item: Item) -> Staged | Earlier | Entry:
    """What has come out of step 0; waits for it, or takes it now."""
    if isinstance(item.result, Future):
        return item.result.result()
    return item.result() if callable(item.result) else item.result


def news_of(work: Work, result: Staged | Earlier | Entry) -> Record | Seen:
    """What the journal is to enter."""
    if isinstance(result, Entry):
        return Seen(work.key, work.state, result)
    if isinstance(result, Staged):
        return Record(work.key, work.state, result.finding, result.file, result.same_as)
    file, finding = result
    return Record(work.key, work.state, finding, file)
