"""Journals with answers in them, made without a model."""

import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.file_state import FileState
from edge_runtime.finding import HEATMAP_SUFFIX, Finding, timestamp, to_json
from edge_runtime.journal.journal import Entry, Journal, Record, Seen
from edge_runtime.locate import JOURNAL
from tests.edge_runtime.findings import MOMENT, classified

STATE = FileState(size=10, mtime_ns=1, ctime_ns=5, inode=7, mode=stat.S_IFREG | 0o644)


def record(journal: Journal, name: bytes, state: FileState, finding: Finding, file: bytes) -> None:
    """Enter one answer whose finding lies in ``file``."""
    journal.enter([Record(name, state, finding, file)])


def see_again(journal: Journal, name: bytes, state: FileState, entry: Entry) -> None:
    """Enter that the file as it lies there has the content of an earlier answer."""
    journal.enter([Seen(name, state, entry)])


class Filler:
    """What a watcher leaves in its results: rows, and findings with heat maps where ``files`` says so."""

    def __init__(self, results: Path, *, files: bool = False) -> None:
        results.mkdir(parents=True, exist_ok=True)
        self.results, self._files = results, files
        self.journal = Journal(results / JOURNAL)
        if self.journal._database is not None:  # no test here cuts the power
            self.journal._database.execute("PRAGMA synchronous = OFF")
        self._count = 0

    def answer(
        self, finding: Finding | None = None, moment: datetime = MOMENT, *, name: bytes | None = None, **changes: Any
    ) -> bytes:
        self._count += 1
        name = b"%d.png" % self._count if name is None else name
        changes = {"sha256": f"{self._count:064x}", "finished": timestamp(moment)} | changes
        source = name.decode("utf-8", "backslashreplace")
        finding = msgspec.structs.replace(finding or classified(), source=source, **changes)
        if self._files:
            path = self.path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(to_json(finding))
            self.path(name, HEATMAP_SUFFIX.encode()).write_bytes(b"a picture" * 10)
        record(self.journal, name, STATE, finding, name + b".json")
        return name

    def path(self, name: bytes, suffix: bytes = b".json") -> Path:
        return Path(bytes(self.results).decode() + "/" + (name + suffix).decode("utf-8", "surrogateescape"))

    def close(self) -> None:
        self.journal.close()


_WRITER = """
import sys
from pathlib import Path
from tests.edge_runtime.journals import Filler

filler = Filler(Path(sys.argv[1]))
for _ in range(int(sys.argv[2])):
    filler.answer()
print("ready", flush=True)
for _ in sys.stdin:
    filler.answer()
    print("answered", flush=True)
"""


class Writer:
    """A process that has a journal open and its answers in the write-ahead log."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def answer(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "answered\n"


@contextmanager
def writing(results: Path, count: int) -> Iterator[Writer]:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, results, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield Writer(process)
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
