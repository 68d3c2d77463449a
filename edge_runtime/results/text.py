"""The journal's answers as text: a table for people, CSV, JSON lines."""

import contextlib
import csv
import io
import os
import re
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

from edge_runtime import inside
from edge_runtime.finding import NOTICE, Finding, from_json, printable
from edge_runtime.journal.reader import Row
from edge_runtime.table import BOLD, COLOURS, in_colour, one_line, paint, plain, print_line

CSV_COLUMNS: Final = (
    *("finished", "source", "status", "label", "probability", "confidence", "distance"),
    *("reason", "sha256", "model", "received", "finding"),
)
# What a spreadsheet takes for a formula, where a cell begins; and where one begins for a spreadsheet that separates
# cells by another character than this program does.
_FORMULA: Final = re.compile("(^|[,;|\t\"'])(\\s*)(?=[=+\\-@\uff1d\uff0b\uff0d\uff20])")
_MOST_BYTES: Final = 1 << 20  # of a finding; it has about a thousand


class Form(Protocol):
    """A way to print answers, one at a time."""

    def begin(self) -> None:
        """Print what stands above them."""

    def row(self, row: Row) -> None:
        """Print one."""

    def end(self) -> None:
        """Print what stands below them."""


class Table:
    """For people: a line an answer. Widths are fixed, so that the first line need not wait for the last."""

    _HEADINGS = ("answered", "answer", "pneumonia", "confidence", "file")

    def __init__(self) -> None:
        self._paint = paint if in_colour() else plain
        self._counts: Counter[str] = Counter()

    def begin(self) -> None:
        print_line(self._paint(self._line(*self._HEADINGS), BOLD))
        print_line("-" * 72)

    def row(self, row: Row) -> None:
        is_answered = row.status == "classified"
        answer = one_line(row.label if is_answered and row.label else row.status)
        self._counts.update([answer] + ["uncertain"] * (row.confidence == "uncertain"))
        share = "" if row.probability is None else f"{row.probability:.3f}"
        name = printable(os.fsdecode(row.name))
        words = f"{name}: {row.reason}" if row.reason else name
        line = self._line(local_time(row.finished), answer, share, one_line(row.confidence or ""), words)
        begin, end = line.index(answer), line.index(answer) + len(answer)
        print_line(line[:begin] + self._paint(line[begin:end], COLOURS.get(row.label, "")) + line[end:])

    def end(self) -> None:
        count = self._counts
        doubt = f"; {count['uncertain']} uncertain" if count["uncertain"] else ""
        print_line("")
        print_line(
            f"{count['PNEUMONIA'] + count['NORMAL']} classified ({count['PNEUMONIA']} PNEUMONIA, "
            f"{count['NORMAL']} NORMAL{doubt}), {count['rejected']} rejected"
        )
        print_line(self._paint(NOTICE, BOLD))

    def _line(self, moment: str, answer: str, share: str, confidence: str, words: str) -> str:
        return f"{moment:<19}  {answer:<9}  {share:>9}  {confidence:<10}  {one_line(words)}"


class Csv:
    """For spreadsheets and programs: UTF-8, commas, a heading, one line an answer.

    Line ends in names are made visible. Where a spreadsheet could take a part of a text for a formula, an apostrophe
    stands before it.
    """

    def begin(self) -> None:
        _use_utf8()
        self._write(CSV_COLUMNS)

    def row(self, row: Row) -> None:
        texts = {
            "source": printable(os.fsdecode(row.name)),
            "finding": printable(os.fsdecode(row.file)),
        }
        self._write([_cell(texts[name] if name in texts else getattr(row, name)) for name in CSV_COLUMNS])

    def end(self) -> None:
        pass

    def _write(self, cells: Any) -> None:
        csv.writer(sys.stdout, lineterminator="\n").writerow(cells)


class JsonLines:
    """For programs: a finding a line where its file is there, else its fields as far as the journal knows them.

    Two more keys: ``finding`` is the path of the finding's file, relative to the results, or ``null`` where it went by
    the retention, and ``complete`` says whether the line is what stands in it.

    Args:
        results: The folder.
    """

    def __init__(self, results: Path) -> None:
        self._results = results
        self._root: int | None = None

    def begin(self) -> None:
        _use_utf8()

    def row(self, row: Row) -> None:
        sys.stdout.write(msgspec.json.encode(self._record(row)).decode() + "\n")

    def end(self) -> None:
        if self._root is not None:
            os.close(self._root)
            self._root = None

    def _record(self, row: Row) -> dict[str, Any]:
        source, file = printable(os.fsdecode(row.name)), printable(os.fsdecode(row.file)) or None
        finding = self._read(row)
        if finding is not None:
            record: dict[str, Any] = msgspec.to_builtins(finding)
            return record | {"source": source, "finding": file, "complete": True}
        known = dict.fromkeys(Finding.__struct_fields__) | {
            name: getattr(row, name)
            for name in ("sha256", "status", "reason", "label", "probability", "confidence", "distance")
        }
        return known | {
            "source": source,
            "notes": [],
            "model": {"name": None, "sha256": row.model},
            "received": row.received,
            "finished": row.finished,
            "notice": NOTICE,
            "finding": file,
            "complete": False,
        }

    def _read(self, row: Row) -> Finding | None:
        """The finding, if its file is there and of this answer."""
        with contextlib.suppress(OSError, msgspec.DecodeError):
            if self._root is None:
                self._root = inside.open_root(self._results)
            with os.fdopen(inside.open_file(self._root, row.file), "rb") as file:
                finding = from_json(file.read(_MOST_BYTES))
            if (finding.sha256, finding.finished) == (row.sha256, row.finished):
                return finding
        return None


def local_time(moment: str) -> str:
    """A time of the journal where this machine stands, to the second; what is no time, as it is, in one line."""
    try:
        return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    except (ValueError, OverflowError, TypeError):
        return one_line(str(moment))


def _cell(value: object) -> object:
    return _FORMULA.sub(r"\1\2'", one_line(value)) if isinstance(value, str) else value


def _use_utf8() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
