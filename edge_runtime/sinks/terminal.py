"""One line an answer, for the person who watches."""

import contextlib
import os
import sys
from collections import Counter
from datetime import datetime
from typing import TextIO

from edge_runtime.finding import NOTICE, Finding
from edge_runtime.model.classifier import Classifier

_RED, _GREEN, _YELLOW, _FAINT = "31", "32", "33", "2"
_COLOURS = {"PNEUMONIA": _RED, "NORMAL": _GREEN, None: _YELLOW}


class Terminal:
    """Prints to a terminal, in colour, or to a file or the system's log, plainly.

    A closed pipe or a full log is no reason to stop answering: what cannot be printed is left out.

    Args:
        out: ``None`` for stdout.
        answers: Whether to print them; they are counted in any case.
    """

    def __init__(self, out: TextIO | None = None, *, answers: bool = True) -> None:
        self._out = out or sys.stdout
        self._prints_answers = answers
        self._colour = self._out.isatty() and "NO_COLOR" not in os.environ
        self._counts: Counter[str] = Counter()

    def begin(self, folder: str, results: str, classifier: Classifier) -> None:
        """Say what is about to happen."""
        model, threshold = classifier.bundle, classifier.threshold
        self._print(f"edge-pneumo watches {_one_line(folder)}")
        self._print(f"  findings  {_one_line(results)}")
        self._print(
            f"  model     {model.info.name} ({model.sha256[:12]}), "
            f"PNEUMONIA from {_percent(threshold)} on (operating point {classifier.operating_point})"
        )
        if classifier.uncertain is not None:
            low, high = classifier.uncertain.low, classifier.uncertain.high
            self._print(f"  uncertain from {_percent(low)} to {_percent(high)}")
        self._print(f"  engine    {classifier.engine.name}")
        self._print(f"  {NOTICE}")

    def accept(self, finding: Finding) -> None:
        self._counts.update([finding.status] + ["uncertain"] * (finding.confidence == "uncertain"))
        if not self._prints_answers:
            return
        time = datetime.fromisoformat(finding.finished).astimezone().strftime("%H:%M:%S")
        probability = "" if finding.probability is None else f"{100 * finding.probability:.1f} %"
        milliseconds = f"{finding.milliseconds['total']:.0f} ms"
        label = self._paint(f"{finding.label or 'rejected':<9}", _COLOURS[finding.label])
        confidence = "uncertain" if finding.confidence == "uncertain" else ""
        words = "; ".join(([finding.reason] if finding.reason else []) + list(finding.notes))
        # The name stands last, because it is as long as it likes.
        name = _one_line(f"{finding.source}: {words}" if words else finding.source)
        self._print(f"{time}  {label}  {probability:>7}  {confidence:<9}  {milliseconds:>8}  {name}")

    def note(self, sentence: str) -> None:
        """Say something that is no answer."""
        self._print(self._paint(_one_line(sentence), _FAINT))

    def end(self) -> None:
        """Say how it went."""
        classified, rejected = self._counts["classified"], self._counts["rejected"]
        uncertain = f" ({self._counts['uncertain']} uncertain)" if self._counts["uncertain"] else ""
        self._print(f"{classified + rejected} answered: {classified} classified{uncertain}, {rejected} rejected")

    def _paint(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text

    def _print(self, line: str) -> None:
        encoding = self._out.encoding or "utf-8"
        with contextlib.suppress(OSError, ValueError):
            # Flushed, because a log that is a pipe would otherwise show nothing for hours.
            print(line.encode(encoding, "backslashreplace").decode(encoding), file=self._out, flush=True)


def _percent(probability: float) -> str:
    return f"{100 * probability:.3g}%"


def _one_line(text: str) -> str:
    # A file name may hold line ends and escape sequences.
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
