"""``edge-pneumo doctor``: one line for each thing that can be out of order on a machine, and what to do about it."""

import argparse
import json
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from edge_runtime.doctor import subject as subjects
from edge_runtime.doctor.checks import CHECKS, examine
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Check
from edge_runtime.finding import NOTICE, printable, timestamp
from edge_runtime.table import in_colour, one_line, paint, plain, print_line

_COLOURS: Final = {"ok": "32", "warn": "33", "fail": "1;31", "skip": "2"}
_WIDTH: Final = max(map(len, CHECKS))
_INDENT: Final = _WIDTH + 8
_LEAST_ROOM: Final = 30
_FAILED: Final = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``doctor``."""
    parser.description = (
        "Look at this machine and say of each thing whether it is in order, and what to do where it is not. Nothing is "
        "changed; a small file is written into the results folder to time the disk, and removed."
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object; it names no radiograph")
    subjects.add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look, and say it; 1 when something fails, else 0."""
    machine = Machine()
    subject = subjects.find(machine, arguments.folder, arguments.results, arguments.config)
    checks = examine(machine, subject)
    return tell_json(machine, subject, list(checks)) if arguments.json else tell(subject, checks)


def tell(subject: Subject, checks: Iterable[Check], *, columns: int | None = None) -> int:
    """Print each as soon as it is there: some take seconds.

    Args:
        subject: What is looked at.
        checks: What each has come to.
        columns: Lines are broken there; ``None`` for the terminal's, where there is one.
    """
    colour = paint if in_colour() else plain
    if columns is None and sys.stdout.isatty():
        columns = shutil.get_terminal_size().columns
    print_line(one_line(f"edge-pneumo doctor looks at {_who(subject)}"))
    seen = []
    for check in checks:
        seen.append(check)
        status = colour(f"{check.status:<4}", _COLOURS[check.status])
        first, *rest = _broken(check.found, columns)
        print_line(f"{status}  {check.name:<{_WIDTH}}  {first}")
        for line in rest + ([] if check.advice is None else _broken(f"-> {check.advice}", columns)):
            print_line(f"{'':<{_INDENT}}{line}")
    print_line(f"{_summary(seen)}\n{NOTICE}")
    return exit_status(seen)


def tell_json(machine: Machine, subject: Subject, checks: Sequence[Check]) -> int:
    """Print all of them as one JSON object."""
    print(json.dumps(as_json(machine, subject, checks)))
    return exit_status(checks)


def as_json(machine: Machine, subject: Subject, checks: Sequence[Check]) -> dict[str, Any]:
    """The same for a machine."""
    return {
        "schema": "edge-pneumo/doctor/1",
        "examined": timestamp(machine.now()),
        "service": subject.is_service,
        "checks": msgspec.to_builtins(checks),
        "failed": exit_status(checks) == _FAILED,
        "notice": NOTICE,
    }


def exit_status(checks: Iterable[Check]) -> int:
    """1 when something fails, else 0."""
    return _FAILED if any(check.status == "fail" for check in checks) else 0


def _broken(text: str, columns: int | None) -> list[str]:
    text = one_line(text)
    if columns is None:
        return [text]
    room = max(columns - _INDENT, _LEAST_ROOM)
    return textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [text]


def _who(subject: Subject) -> str:
    if subject.is_service:
        return "this machine and its service"
    if subject.folder is None:
        return "this machine"
    return f"this machine and a watcher of {printable(subject.folder)}"


def _summary(checks: Sequence[Check]) -> str:
    counts = Counter(check.status for check in checks)
    failed = [check.name for check in checks if check.status == "fail"]
    words = f"{counts['ok']} ok, {counts['warn']} warn, {counts['fail']} fail, {counts['skip']} skip"
    return f"{words}: mend first {', '.join(failed)}" if failed else words
