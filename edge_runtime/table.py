"""Findings for people: a table, and a progress bar while it fills. The one place that needs rich."""

import sys
from collections.abc import Iterable

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from edge_runtime.finding import NOTICE, Finding
from edge_runtime.model.classifier import Classifier

_STYLES = {"PNEUMONIA": "bold yellow", "NORMAL": "green", None: "red"}
_MANY = 2
# Not a terminal: a program or a file reads the table, and a line must not be broken.
_ENDLESS = 100_000


def print_table(findings: Iterable[Finding], expected: int, classifier: Classifier) -> int:
    """Print a table of the findings and what they add up to; what is there, too, when interrupted.

    Args:
        findings: Taken one at a time.
        expected: How many there will be, for the progress bar.
        classifier: Named below the table.

    Returns:
        How many were rejected.
    """
    seen: list[Finding] = []
    try:
        with _progress(shown=expected >= _MANY and sys.stderr.isatty()) as progress:
            for finding in progress.track(findings, total=expected, description="classifying"):
                seen.append(finding)
    finally:
        console = Console(width=None if sys.stdout.isatty() else _ENDLESS, highlight=False)
        if seen:
            console.print(_table(seen))
        rejected = sum(finding.status == "rejected" for finding in seen)
        console.print(_summary(seen, rejected), markup=False)
        band = classifier.uncertain
        doubt = "" if band is None else f", uncertain from {band.low:g} to {band.high:g}"
        console.print(
            f"model {classifier.bundle.info.name}, operating point {classifier.operating_point} "
            f"(PNEUMONIA from {classifier.threshold:g}{doubt}), {classifier.engine.name}",
            markup=False,
        )
        console.print(NOTICE, style="bold", markup=False)
    return rejected


def _progress(*, shown: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        disable=not shown,
    )


def _table(findings: Iterable[Finding]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("answer", overflow="fold")
    for heading in ("pneumonia", "bacterial", "viral", "ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for finding in findings:
        table.add_row(*_row(finding))
    return table


def _row(finding: Finding) -> Iterable[Text]:
    words = [finding.label or f"rejected: {finding.reason}"]
    words += ["uncertain"] * (finding.confidence == "uncertain") + list(finding.notes)
    shares = [finding.probability, finding.types and finding.types.bacterial, finding.types and finding.types.viral]
    yield Text(finding.source)
    yield Text(", ".join(words), style=_STYLES[finding.label])
    for share in shares:
        yield Text("" if share is None else f"{share:.3f}")
    yield Text(f"{finding.milliseconds['total']:.0f}")


def _summary(findings: list[Finding], rejected: int) -> str:
    labels = [finding.label for finding in findings]
    counts = ", ".join(f"{labels.count(label)} {label}" for label in ("PNEUMONIA", "NORMAL"))
    uncertain = sum(finding.confidence == "uncertain" for finding in findings)
    doubt = f"; {uncertain} uncertain" if uncertain else ""
    return f"{len(findings) - rejected} classified ({counts}{doubt}), {rejected} rejected"
