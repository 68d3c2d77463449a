"""How large the journal grows, and how long ``edge-pneumo results`` reads it.

``python -m benchmarks.journal --answers 182500`` makes a journal of a year with 500 answers a day, in a folder that it
removes again, and prints bytes an answer and the seconds that readers of it take, each the whole command.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding, Model, Types, timestamp
from edge_runtime.journal.journal import Journal, Record
from edge_runtime.locate import JOURNAL

_A_DAY = 500
_GROUP = 1000
_READERS = (
    ("-n", "20"),
    ("--since", "2 days", "--csv"),
    ("--label", "PNEUMONIA", "-n", "20"),
    ("--name", "ward3/*", "-n", "20"),
    ("--csv",),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--answers", type=int, default=_A_DAY * 365, metavar="N", help="default: %(default)s")
    answers: int = parser.parse_args().answers
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-") as name:
        results = Path(name)
        fill(results, answers, until=datetime.now(UTC))
        size = (results / JOURNAL).stat().st_size
        print(f"{answers:,} answers: {size / 1e6:.1f} MB, {size / answers:.0f} bytes an answer")
        for words in _READERS:
            begin = time.perf_counter()
            command = [sys.executable, "-m", "edge_runtime", "results", name, *words]
            lines = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout.count(b"\n")
            print(f"results {' '.join(words):<30} {time.perf_counter() - begin:7.2f} s, {lines:,} lines")


def fill(results: Path, answers: int, *, until: datetime) -> None:
    """Make a journal with so many answers, the last of them now."""
    journal = Journal(results / JOURNAL)
    began = until - timedelta(days=answers / _A_DAY)
    for first in range(0, answers, _GROUP):
        numbers = range(first, min(first + _GROUP, answers))
        journal.enter([_record(number, began + timedelta(days=number / _A_DAY)) for number in numbers])
    journal.close()


def _record(number: int, moment: datetime) -> Record:
    name = f"ward{number % 5}/{moment:%Y%m%d-%H%M%S}-{number:07}.png"
    probability = number * 7919 % 1000 / 1000
    finding = Finding(
        source=name,
        sha256=f"{number * 2654435761 % 2**64:016x}" * 4,
        status="classified",
        reason=None,
        label="PNEUMONIA" if probability >= 0.5 else "NORMAL",
        probability=probability,
        types=Types(bacterial=probability, viral=0.0),
        operating_point="balanced",
        threshold=0.5,
        confidence="certain",
        distance=0.5,
        model=Model(name="compact", sha256="0" * 64),
        engine="ai-edge-litert 2.3.0, 4 threads",
        received=timestamp(moment),
        finished=timestamp(moment),
        milliseconds={"total": 12.3},
    )
    state = FileState(
        size=200_000 + number, mtime_ns=1_700_000_000_000_000_000 + number, ctime_ns=0, inode=number, mode=0
    )
    return Record(name.encode(), state, finding, f"{name}.json".encode())


if __name__ == "__main__":
    main()
