"""What an image costs when much is kept already, and what a start costs.

    python -m benchmarks.growth [--bundle NAME|FILE] [--kept 1000000] [--in-folder 100000] [--rounds 5]

Two watchers' places are made: one with 1,000 findings in the journal and 1,000 answered files in the folder, one with
``--kept`` and ``--in-folder``. In turns, new radiographs are put into each and answered, without heat maps. The floor
is the small place: what an image costs where nothing has grown. The start is measured in the large one: from the call
of ``watch`` to its end, with every file answered already; and what the look through the folder, every minute, takes.

The findings of the journal's rows are not on the disk: the program never looks for them.
"""

import argparse
import os
import sqlite3
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks import material
from benchmarks.pipeline import Stopwatch
from edge_runtime.file_state import FileState
from edge_runtime.journal.journal import Journal
from edge_runtime.model.classifier import Classifier
from edge_runtime.sinks.files import JOURNAL
from edge_runtime.sources.scan import walk
from edge_runtime.watch.answering import watch

_SMALL = 1000
_A_FOLDER = 10_000  # files
_LAST = 12  # answers


def make_place(place: Path, kept: int, in_folder: int) -> None:
    """A watched folder with answered files, and the journal that knows them and many others."""
    place.mkdir()
    (place / "in").mkdir()
    (place / "out").mkdir()
    for number in range(in_folder):
        if number % _A_FOLDER == 0:
            (place / "in" / f"{number // _A_FOLDER}").mkdir()
        (place / "in" / f"{number // _A_FOLDER}" / f"{number:07}.jpeg").touch()
    Journal(place / "out" / JOURNAL).close()
    with closing(sqlite3.connect(place / "out" / JOURNAL)) as database:
        database.execute("PRAGMA synchronous = OFF")
        indices = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql NOTNULL"
        ).fetchall()
        for name, _ in indices:
            database.execute(f"DROP INDEX {name}")
        database.executemany(
            "INSERT INTO answers (id, name, sha256, finding, status, label, probability, model, received, finished,"
            " distance, confidence) VALUES (?, ?, ?, ?, 'classified', 'NORMAL', 0.1, ?, ?, ?, 0.5, 'certain')",
            _answers(kept),
        )
        database.executemany(
            "INSERT INTO seen (name, size, mtime_ns, answer) VALUES (?, ?, ?, ?)", _seen(place / "in", kept)
        )
        for _, statement in indices:
            database.execute(statement)
        database.commit()


def _answers(count: int) -> Iterator[tuple[object, ...]]:
    random = np.random.default_rng(0)
    for number in range(count):
        name = f"{number // _A_FOLDER}/{number:07}.jpeg".encode()
        moment = f"2026-01-{number * 28 // count + 1:02}T00:00:00.000Z"
        yield number + 1, name, random.bytes(32).hex(), name + b".json", "0" * 64, moment, moment


def _seen(folder: Path, kept: int) -> Iterator[tuple[bytes, int, int, int]]:
    for path, state in walk(os.fspath(folder), lambda _: False, lambda *_: None):
        if state is not None:
            name = os.fsencode(path[len(os.fspath(folder)) + 1 :])
            yield name, state.size, state.mtime_ns, int(Path(path).stem) % kept + 1


def answer_new(place: Path, files: Sequence[bytes], round_: int, classifier: Classifier) -> tuple[float, float]:
    """Put files into the folder and answer them: seconds a file, by the clock and of the processor."""
    for number, data in enumerate(files):
        (place / "in" / f"new-{round_}-{number}.jpeg").write_bytes(data)
    told = Stopwatch()
    watch(place / "in", place / "out", classifier, once=True, heatmaps=False, settle=0.0, sinks=[told])
    # Not to the last ones: beside them, "once" looks through the folder for the last time.
    last = len(told.times) - _LAST
    return (told.times[last] - told.times[0]) / last, (told.processor[last] - told.processor[0]) / last


def start_seconds(place: Path, classifier: Classifier) -> float:
    """How long ``watch`` takes to find that everything has been answered."""
    start = time.perf_counter()
    watch(place / "in", place / "out", classifier, once=True, settle=0.0)
    return time.perf_counter() - start


def look_seconds(place: Path) -> float:
    """One look through the folder, with the journal asked about every file."""
    folder = os.fspath(place / "in")
    with closing(Journal(place / "out" / JOURNAL)) as journal:
        start = time.perf_counter()
        for path, state in walk(folder, lambda _: False, lambda *_: None):
            if isinstance(state, FileState):
                journal.knows(os.fsencode(path[len(folder) + 1 :]), state)
        return time.perf_counter() - start


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description="Cost against what is kept.")
    material.add_arguments(parser, files=150)
    parser.add_argument("--kept", type=int, default=1_000_000, metavar="N", help="findings (default: %(default)s)")
    parser.add_argument("--in-folder", type=int, default=100_000, metavar="N", help="files (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: %(default)s")
    args = parser.parse_args(arguments)
    classifier, files = material.classifier(args), material.radiographs(args)
    with material.workplace() as work:
        small, large = work / "small", work / "large"
        make_place(small, _SMALL, _SMALL)
        make_place(large, args.kept, args.in_folder)
        print(f"model {classifier.bundle.info.name}, {classifier.engine.name}; {args.kept:,} findings, ", end="")
        print(f"{args.in_folder:,} files; floor: {_SMALL:,} of each")
        print(f"start with all answered: {start_seconds(large, classifier):.2f} s")
        print(f"a look through the folder: {look_seconds(large):.2f} s")
        found: dict[Path, list[tuple[float, float]]] = {small: [], large: []}
        for round_ in range(args.rounds + 1):
            for place, costs in found.items():
                costs.append(answer_new(place, files, round_, classifier))
        for kind, name in enumerate(("by the clock", "of the processor")):
            grown, floor = ([costs[kind] for costs in found[place][1:]] for place in (large, small))
            print(
                f"an image {name}: {1e3 * statistics.median(grown):.2f} ms; "
                f"over the floor {material.ratio(grown, floor)}"
            )


if __name__ == "__main__":
    main()
