"""Findings for people: a table, and a progress bar while it fills.

The table is made by hand: loading rich would take as long as answering for a radiograph, so only the progress bar,
which a person at a terminal sees for several files, is rich's.
"""

import os
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edge_runtime.finding import NOTICE, Finding

if TYPE_CHECKING:  # loading it takes long, and the journal's answers are shown without a model
    from edge_runtime.model.classifier import Classifier

COLOURS: Final[Mapping[str | None, str]] = {"PNEUMONIA": "1;33", "NORMAL": "32", None: "31"}
"""Of each label; ``None`` for a rejected file."""
BOLD = "1"
_HEADINGS = ("file", "answer", "pneumonia", "bacterial", "viral", "ms")
_TEXTS = 2  # columns of text; those behind them hold numbers
_GAP = "  "
_MANY = 2


def print_table(findings: Iterable[Finding], expected: int, classifier: "Classifier") -> int:
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
        seen.extend(_shown(findings, expected) if expected >= _MANY and sys.stderr.isatty() else findings)
    finally:
        rejected = sum(finding.status == "rejected" for finding in seen)
        for line in _lines(seen, rejected, classifier, paint if in_colour() else plain):
            print_line(line)
    return rejected


def print_line(line: str) -> None:
    """Print what a file name may be part of, whatever the terminal's encoding."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


def _shown(findings: Iterable[Finding], expected: int) -> Iterable[Finding]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield from progress.track(findings, total=expected, description="classifying")


def _lines(
    seen: Sequence[Finding], rejected: int, classifier: "Classifier", paint: Callable[[str, str], str]
) -> Iterator[str]:
    if seen:
        yield from _table(seen, paint)
        yield ""
    yield _summary(seen, rejected)
    band = classifier.uncertain
    doubt = "" if band is None else f", uncertain from {band.low:g} to {band.high:g}"
    yield (
        f"model {classifier.bundle.info.name}, operating point {classifier.operating_point} "
        f"(PNEUMONIA from {classifier.threshold:g}{doubt}), {classifier.engine.name}"
    )
    yield paint(NOTICE, BOLD)


def _table(seen: Sequence[Finding], paint: Callable[[str, str], str]) -> Iterator[str]:
    rows = [_row(finding) for finding in seen]
    widths = [max(map(_width, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    yield paint(_join(_HEADINGS, widths), BOLD)
    yield "-" * (sum(widths) + len(_GAP) * (len(widths) - 1))
    for finding, row in zip(seen, rows, strict=True):
        cells = _padded(row, widths)
        cells[1] = paint(cells[1], COLOURS[finding.label])
        yield _GAP.join(cells).rstrip()


def _join(row: Sequence[str], widths: Sequence[int]) -> str:
    return _GAP.join(_padded(row, widths)).rstrip()


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    blanks = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
    return [
        cell + blank if column < _TEXTS else blank + cell
        for column, (cell, blank) in enumerate(zip(row, blanks, strict=True))
    ]


def _row(finding: Finding) -> tuple[str, ...]:
    words = [finding.label or f"rejected: {finding.reason}"]
    words += ["uncertain"] * (finding.confidence == "uncertain") + list(finding.notes)
    shares = [finding.probability, finding.types and finding.types.bacterial, finding.types and finding.types.viral]
    numbers = ["" if share is None else f"{share:.3f}" for share in shares]
    return (
        one_line(finding.source),
        one_line(", ".join(words)),
        *numbers,
        f"{finding.milliseconds['total']:.0f}",
    )


def _summary(findings: Sequence[Finding], rejected: int) -> str:
    labels = [finding.label for finding in findings]
    counts = ", ".join(f"{labels.count(label)} {label}" for label in ("PNEUMONIA", "NORMAL"))
    uncertain = sum(finding.confidence == "uncertain" for finding in findings)
    doubt = f"; {uncertain} uncertain" if uncertain else ""
    return f"{len(findings) - rejected} classified ({counts}{doubt}), {rejected} rejected"


def in_colour() -> bool:
    """Whether standard output is a terminal that shows colours."""
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(text: str, colour: str) -> str:
    """Text for a terminal; the colour as its escape sequence has it."""
    return f"\x1b[{colour}m{text}\x1b[0m"


def plain(text: str, _colour: str) -> str:
    """Text for anything else."""
    return text


def one_line(text: str) -> str:
    """Text with its line ends and escape sequences, which a file name may hold, made visible."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two, accents that are characters of their own none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )
