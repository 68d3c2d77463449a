"""What must hold after a clean run, whatever happened before it; from outside, by the documented files alone.

1. Every input has exactly one finding, and every finding has an input.
2. Every finding is one that ``edge_runtime.finding`` reads.
3. The journal has exactly one row an input; the row's finding is there and says the same; no finding lacks its row.
4. Every heat map that a finding names is there and is a picture, and there is no other, but for one beside a finding
   that was made again without.
5. Nothing unfinished is left.
6. The inputs are what they were.
7. Nothing was told twice (by ``told``, where the caller kept what was printed).
"""

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import cv2
import msgspec

from edge_runtime.finding import Finding, from_json

JOURNAL = "journal.sqlite"
# Kept or made anew at each start: the lock and the state that ``status`` shows.
_KEPT_HIDDEN = frozenset({".lock", ".state"})
_HEATMAP = ".heatmap.png"

Inputs = Mapping[str, str]
"""The SHA-256 of each file, by its name relative to the watched folder."""


class DisagreementError(AssertionError):
    """Something was lost, doubled or half-written; the message says what, a sentence each."""


def check(folder: Path | None, results: Path, inputs: Inputs, told: Sequence[str] = ()) -> None:
    """All of it.

    Args:
        folder: The watched one; ``None`` where the inputs are not kept.
        results: The findings and the journal.
        inputs: What was put in.
        told: What the watchers printed, all together.

    Raises:
        DisagreementError: The sentences say what is wrong.
    """
    wrong = list(disagreements(folder, results, inputs, told))
    if wrong:
        more = f"\n... and {len(wrong) - 20} more" if len(wrong) > 20 else ""
        raise DisagreementError("\n".join(wrong[:20]) + more)


def disagreements(folder: Path | None, results: Path, inputs: Inputs, told: Sequence[str] = ()) -> Iterator[str]:
    """A sentence for everything that is wrong."""
    findings: dict[str, Finding] = {}
    pictures: set[str] = set()
    for name in _files(results):
        base = name.rpartition("/")[2]
        if name.endswith(".json") and not base.startswith("."):
            try:
                findings[name] = from_json((results / name).read_bytes())
            except msgspec.DecodeError as error:
                yield f"{name} is no finding ({error})"
        elif name.endswith(_HEATMAP):
            pictures.add(name)
        elif name.partition("-")[0] != JOURNAL and base not in _KEPT_HIDDEN:
            yield f"{name} was left behind"
    yield from _of_inputs(findings, inputs)
    yield from _of_pictures(results, findings, pictures)
    yield from _of_journal(results, findings, inputs)
    yield from (f"{name} was told {count} times" for name, count in Counter(told).items() if count > 1)
    if folder is not None:
        yield from _of_folder(folder, inputs)


def _of_inputs(findings: Mapping[str, Finding], inputs: Inputs) -> Iterator[str]:
    answered = Counter((finding.source, finding.sha256) for finding in findings.values())
    for (source, sha256), count in answered.items():
        if count > 1:
            yield f"{source} has {count} findings"
        if inputs.get(source) != sha256:
            yield f"a finding is of {source} with the SHA-256 {sha256}, and no such file was put in"
    yield from (f"{name} has no finding" for name, sha256 in inputs.items() if (name, sha256) not in answered)


def _of_pictures(results: Path, findings: Mapping[str, Finding], pictures: set[str]) -> Iterator[str]:
    named = {finding.heatmap: name for name, finding in findings.items() if finding.heatmap is not None}
    for picture, name in named.items():
        if picture not in pictures:
            yield f"{name} names the heat map {picture}, which is not there"
        elif cv2.imread(os.fspath(results / picture)) is None:
            yield f"{picture} is no picture"
    for picture in pictures - named.keys():
        finding = findings.get(picture.removesuffix(_HEATMAP) + ".json")
        # One whose finding was lost with the power stays when a watcher without heat maps answers the file again.
        if finding is None or finding.heatmap is not None or finding.status != "classified":
            yield f"no finding names the heat map {picture}"


def _of_journal(results: Path, findings: Mapping[str, Finding], inputs: Inputs) -> Iterator[str]:
    with closing(sqlite3.connect(results / JOURNAL)) as database:
        if (said := database.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            yield f"the journal is damaged: {said}"
            return
        rows = database.execute("SELECT name, sha256, finding, status FROM answers").fetchall()
    entered: Counter[str] = Counter()
    for name, sha256, file, status in ((os.fsdecode(row[0]), row[1], os.fsdecode(row[2]), row[3]) for row in rows):
        entered[file] += 1
        finding = findings.get(file)
        if finding is None:
            yield f"the journal says that {name} is answered in {file}, which is not there"
        elif (finding.source, finding.sha256, finding.status) != (name, sha256, status):
            yield f"the journal says {name} {sha256} {status}, {file} says {finding.source} {finding.status}"
    answered = Counter((os.fsdecode(row[0]), row[1]) for row in rows)
    yield from (f"the journal has {count} rows of {name}" for (name, _), count in answered.items() if count > 1)
    yield from (f"the journal lacks {name}" for name, sha256 in inputs.items() if (name, sha256) not in answered)
    yield from (f"the journal does not know {file}" for file in findings if not entered[file])


def _of_folder(folder: Path, inputs: Inputs) -> Iterator[str]:
    there = set(_files(folder))
    yield from (f"the input {name} is gone" for name in inputs.keys() - there)
    yield from (f"{name} was put among the inputs" for name in there - inputs.keys())
    for name in inputs.keys() & there:
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != inputs[name]:
            yield f"the input {name} was changed"


def _files(folder: Path) -> Iterator[str]:
    for place, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(place, name), folder)  # noqa: PTH118
