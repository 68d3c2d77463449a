"""``edge-pneumo results``: what a watcher has answered, from its journal, at any time."""

import argparse
import io
import select
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Final, get_args

from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.errors import UsageError
from edge_runtime.finding import Confidence, Label, Status, timestamp
from edge_runtime.journal import reader as journal_reader
from edge_runtime.journal.query import Wanted
from edge_runtime.locate import JOURNAL, add_folder_argument, find_results
from edge_runtime.results import moments
from edge_runtime.results.text import Csv, Form, JsonLines, Table

_FOLLOWED_FROM: Final = 10
_LOOK_SECONDS: Final = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``results``."""
    add_folder_argument(parser)
    parser.add_argument("--since", metavar="TIME", help=f"answered then or later; TIME: {moments.FORMS}")
    parser.add_argument("--until", metavar="TIME", help="answered before then; a day is included")
    parser.add_argument("--status", choices=get_args(Status), help="only these")
    parser.add_argument("--label", type=str.upper, choices=get_args(Label), help="only these")
    parser.add_argument("--confidence", choices=get_args(Confidence), help="only these")
    parser.add_argument("--name", metavar="GLOB", help="file names like this, such as 'ward3/*' or '*.png'")
    for name, which in (("min", "least"), ("max", "most")):
        parser.add_argument(
            f"--{name}-probability", dest=which, type=_probability, metavar="P", help=f"of pneumonia, at {which}"
        )
    parser.add_argument("-n", "--newest", type=_positive, metavar="N", help=f"the newest N (with -f: {_FOLLOWED_FROM})")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with what is answered, until Ctrl-C")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="comma-separated values with a heading")
    form.add_argument("--json", action="store_true", help="one JSON object a line: whole findings where they are there")


def run(arguments: argparse.Namespace) -> int:
    """Print the answers; 0, too, where there are none and after Ctrl-C with ``--follow``.

    Raises:
        UsageError: An option, the folder or the journal cannot be used.
    """
    if arguments.follow and arguments.until:
        raise UsageError("--follow waits for what is to come and --until ends before it; leave one of them out")
    wanted = wanted_from(arguments, SYSTEM_CLOCK.now())
    results = find_results(arguments.folder)
    form: Form = Csv() if arguments.csv else JsonLines(results) if arguments.json else Table()
    count = arguments.newest
    if arguments.follow and count is None and wanted.since is None:
        count = _FOLLOWED_FROM
    show(results / JOURNAL, wanted, form, count=count, pause=_pause if arguments.follow else None)
    return 0


def wanted_from(arguments: argparse.Namespace, now: datetime) -> Wanted:
    """What the options ask for.

    Raises:
        UsageError: A time is none.
    """
    return Wanted(
        since=_moment("--since", arguments.since, now),
        until=_moment("--until", arguments.until, now, is_end=True),
        status=arguments.status,
        label=arguments.label,
        confidence=arguments.confidence,
        name=arguments.name,
        least=arguments.least,
        most=arguments.most,
    )


def show(
    journal: Path, wanted: Wanted, form: Form, *, count: int | None = None, pause: Callable[[], None] | None = None
) -> None:
    """Print answers, the newest last.

    Args:
        journal: The file; there may be none yet.
        wanted: Which.
        form: How.
        count: Only so many of those that are there, the newest.
        pause: Waits a moment before the next look for new ones; ``None`` to end with those that are there. Ctrl-C
            ends it then.

    Raises:
        UsageError: The journal cannot be read.
        BrokenPipeError: Nobody reads what is printed any more.
    """
    form.begin()
    try:
        last = journal_reader.newest(journal) if journal.exists() else 0
        if last:
            for row in journal_reader.rows(journal, wanted, count=count, to=last):
                form.row(row)
        if pause is not None:
            _follow(journal, wanted, form, last, pause)
    except KeyboardInterrupt:
        form.end()
        if pause is None:
            raise
    else:
        form.end()


def _follow(journal: Path, wanted: Wanted, form: Form, last: int, pause: Callable[[], None]) -> None:
    while True:
        sys.stdout.flush()
        pause()
        is_all = False
        while not is_all and journal.exists():
            found = journal_reader.page(journal, wanted, last)
            for row in found.rows:
                form.row(row)
            # A smaller number: another journal has taken the place of this one.
            last, is_all = found.last, found.is_all


def _pause() -> None:
    """Wait; a pipe that nobody reads any more is noticed at once, and not when there is something to print."""
    try:
        output = sys.stdout.fileno()
    except (OSError, io.UnsupportedOperation):
        time.sleep(_LOOK_SECONDS)
        return
    poll = select.poll()
    poll.register(output, 0)
    if poll.poll(_LOOK_SECONDS * 1000):
        raise BrokenPipeError


def _moment(option: str, text: str | None, now: datetime, *, is_end: bool = False) -> str | None:
    try:
        return None if text is None else timestamp(moments.parse(text, now, is_end=is_end))
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None


def _probability(text: str) -> float:
    """An ``argparse`` type."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no probability from 0 to 1")
    return value


def _positive(text: str) -> int:
    """An ``argparse`` type."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) < 1 << 62:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)
