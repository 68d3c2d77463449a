"""``edge-pneumo status``: how a watcher stands, what it has answered, and have the radiographs drifted?"""

import argparse
import json
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from edge_runtime import drift
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.finding import NOTICE, Model, printable
from edge_runtime.health import watcher
from edge_runtime.journal.journal import DAYS_KEPT
from edge_runtime.journal.query import Wanted
from edge_runtime.journal.reader import rows
from edge_runtime.locate import add_folder_argument, find_results
from edge_runtime.model.bundle import Reference
from edge_runtime.options import add_bundle_arguments, open_bundle
from edge_runtime.sinks.files import JOURNAL
from edge_runtime.status import overview, space
from edge_runtime.status.overview import Days, Overview, Period
from edge_runtime.status.text import describe

_DEFAULT_DAYS = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``status``."""
    add_folder_argument(parser)
    parser.add_argument(
        "--days",
        type=_days,
        default=_DEFAULT_DAYS,
        metavar="N",
        help="look back over so many days, today included (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_bundle_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Say how it stands.

    Returns:
        4 when the watcher has died, 3 when it runs and cannot work, 1 when today's radiographs or those of the last
        days have drifted, else 0.

    Raises:
        EdgePneumoError: The folder, the journal or the bundle cannot be used.
    """
    opened = open_bundle(arguments)
    model = Model(name=opened.info.name, sha256=opened.sha256)
    results = find_results(arguments.folder)
    status = look(results, model, opened.info.reference, now=SYSTEM_CLOCK.now(), days=arguments.days)
    print(json.dumps(status) if arguments.json else describe(status))
    return watcher.exit_status(status["watcher"]) or int(status["drifted"])


def look(results: Path, model: Model, reference: Reference | None, *, now: datetime, days: int) -> dict[str, Any]:
    """How it stands, as JSON can hold it.

    Args:
        results: The folder with the journal; there may be none yet.
        model: The bundle whose answers are compared with its reference.
        reference: From that bundle.
        now: Says what today is, where this machine stands.
        days: How many to look back over, today included.

    Raises:
        UsageError: The journal cannot be read.
    """
    today = now.astimezone().date()
    spans = (Days(today, today), Days(today - timedelta(days=days - 1), today))
    journal = results / JOURNAL
    is_there = journal.exists()
    seen = overview.read(journal, model.sha256, spans) if is_there else overview.nothing(spans)
    latest = rows(journal, Wanted(), count=space.LOOKED_AT) if is_there else iter(())
    disk = space.measure(results, (row.file for row in latest))
    obstacle, drifts = _drifts(seen, reference)
    return {
        "results": printable(results),
        "watcher": watcher.look(results),
        "disk": None if disk is None else asdict(disk),
        "model": {"name": model.name, "sha256": model.sha256},
        "last_answer": seen.last,
        "days": days,
        "today": _period(seen.periods[0], drifts[0]),
        "last_days": _period(seen.periods[1], drifts[1]),
        "in_all": asdict(seen.all),
        "drifted": any(found is not None and "shifted" in _verdicts(found) for found in drifts),
        "no_comparison": obstacle,
        "notice": NOTICE,
    }


def _period(period: Period, found: drift.Drift | None) -> dict[str, Any]:
    return {
        **asdict(period.tally),
        "of_other_models": period.others,
        "drift": None if found is None else asdict(found),
    }


def _drifts(seen: Overview, reference: Reference | None) -> tuple[str | None, list[drift.Drift | None]]:
    """The comparison of each period; or why there is none, in a sentence."""
    none: list[drift.Drift | None] = [None] * len(seen.periods)
    if reference is None:
        return "the model's bundle says nothing of the radiographs it was validated on; convert the model anew", none
    if not seen.has_histograms:
        return "the journal is an earlier version's; the next start of 'edge-pneumo watch' extends it", none
    try:
        return None, [drift.judge(period.distance, period.probability, reference) for period in seen.periods]
    except ValueError as error:
        return f"the model's bundle does not fit this program ({error}); convert the model anew", none


def _verdicts(found: drift.Drift) -> set[drift.Verdict]:
    return {found.distance.verdict, found.probability.verdict}


def _days(text: str) -> int:
    """An ``argparse`` type."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= DAYS_KEPT:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days from 1 to {DAYS_KEPT}")
    return int(text)
