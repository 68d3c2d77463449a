"""Malformed files by the thousand through a real ``watch --once``: each gets one finding, and the watcher lives.

    python -m tests.fuzz.malformed [--files 2000]

Hypothesis makes the files: whole ones of every form, cut, spliced, with bytes changed, put in or taken out, and PNGs
whose checksums are right nevertheless. A file without its finding is named, and can be kept in ``tests/fuzz/found``.
"""

import argparse
import collections
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hypothesis
from hypothesis import strategies as st

from tests.fuzz import forms
from tests.fuzz.decode import inflated, repaired

_ROOT = Path(__file__).parents[2]
_WHOLE = {name: data for name, data in (forms.READABLE | forms.REFUSED).items() if len(data) < 100_000}
_MOST_CHANGES = 6
_TRIES = 2  # for each file that is another one than all before it
_BYTES = st.binary(min_size=1, max_size=12) | st.sampled_from(
    [b"\xff\xd9", b"\xff\xda", b"\xff\xc0", b"\xff\xff\xff\xff", bytes(9)]
)
_PLACES = 9999
_PLACE = st.integers(0, _PLACES)
_CHANGES = st.one_of(
    st.tuples(st.just("change"), _PLACE, _BYTES),
    st.tuples(st.just("put in"), _PLACE, _BYTES),
    st.tuples(st.just("take out"), _PLACE, _BYTES),
    st.tuples(st.just("cut"), _PLACE, st.just(b"")),
    st.tuples(st.just("double"), _PLACE, _BYTES),
    st.tuples(st.just("splice"), _PLACE, st.sampled_from(sorted(_WHOLE.values(), key=len))),
    st.tuples(st.just("inflate"), _PLACE, st.just(b"")),
)

# In a small process of its own, because the system counts what a process held before it became another program.
_MEASURE = """
import os, sys
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


@st.composite
def malformed(draw: st.DrawFn) -> bytes:
    """One file."""
    data = draw(st.sampled_from(list(_WHOLE.values())))
    for kind, place, new in draw(st.lists(_CHANGES, min_size=1, max_size=_MOST_CHANGES)):
        at = place * len(data) // _PLACES
        if kind == "change":
            data = forms.put(data, at, new)
        elif kind == "put in":
            data = data[:at] + new + data[at:]
        elif kind == "take out":
            data = data[:at] + data[at + len(new) :]
        elif kind == "cut":
            data = data[:at]
        elif kind == "double":
            data = data[:at] + data[at : at + 64 * len(new)] + data[at:]
        elif kind == "splice":
            data = data[:at] + new[place * len(new) // _PLACES :]
        else:
            data = inflated(data, random.Random(at))
    return repaired(data) if draw(st.booleans()) else data


def make(count: int) -> list[bytes]:
    """So many different files, the same in each run of one version of hypothesis."""
    made: dict[bytes, None] = {}

    @hypothesis.settings(
        max_examples=_TRIES * count,
        phases=[hypothesis.Phase.generate],
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(malformed())
    def collect(data: bytes) -> None:
        made[data] = None

    collect()
    return list(made)[:count]


@dataclass(frozen=True)
class Outcome:
    """How it went.

    Attributes:
        code: The watcher's exit status.
        said: On its standard error.
        found: The findings by the name of the file; several where there are several.
        rows: The journal's, by the name of the file.
        peak: Bytes that the watcher or its worker held at most.
        refused: How many files got which reason.
    """

    code: int
    said: str
    found: collections.Counter[str]
    rows: collections.Counter[str]
    peak: int
    refused: collections.Counter[str]


def watch(files: Sequence[bytes], place: Path, bundle: str | Path) -> Outcome:
    """Put the files into a folder and have it answered."""
    folder, results = place / "in", place / "out"
    folder.mkdir()
    for number, data in enumerate(files):
        (folder / name(number)).write_bytes(data)
    command = [sys.executable, "-m", "edge_runtime", "watch", str(folder), "--results", str(results)]
    command += ["--bundle", str(bundle), "--once", "--no-heatmap", "--settle", "0", "--threads", "1"]
    with (place / "stderr").open("wb") as errors:
        told = subprocess.run(
            [sys.executable, "-S", "-c", _MEASURE, *command],
            stdout=subprocess.PIPE,
            stderr=errors,
            cwd=_ROOT,
            check=True,
        )
    code, peak = map(int, told.stdout.split()[-2:])
    findings = [json.loads(path.read_bytes()) for path in results.rglob("*.json") if not path.name.startswith(".")]
    connection = sqlite3.connect(f"file:{results / 'journal.sqlite'}?mode=ro", uri=True)
    rows = collections.Counter(os.fsdecode(row[0]) for row in connection.execute("SELECT name FROM answers"))
    connection.close()
    return Outcome(
        code,
        (place / "stderr").read_text(errors="replace"),
        collections.Counter(finding["source"] for finding in findings),
        rows,
        peak * 1024,
        collections.Counter(finding["reason"] or "answered" for finding in findings),
    )


def name(number: int) -> str:
    return f"{number:05}.{('jpg', 'png', 'dcm')[number % 3]}"


def faults(outcome: Outcome, count: int, most_bytes: int) -> list[str]:
    """What should not be, in words."""
    expected = collections.Counter(map(name, range(count)))
    found = [f"the watcher ended with {outcome.code}"] if outcome.code else []
    found += [f"it printed {outcome.said[:300]!r}"] if outcome.said else []
    found += [f"{file}: {outcome.found[file]} findings" for file in expected if outcome.found[file] != 1]
    found += [f"{file}: {outcome.rows[file]} rows" for file in expected if outcome.rows[file] != 1]
    if outcome.peak > most_bytes:
        found.append(f"it took {outcome.peak / 1e6:.0f} MB")
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.malformed", description=__doc__.split("\n")[0])
    parser.add_argument("--files", type=int, default=2000, metavar="N", help="default: %(default)s")
    parser.add_argument("--bundle", default="compact", metavar="NAME|FILE", help="default: %(default)s")
    parser.add_argument("--megabytes", type=int, default=256, metavar="N", help="at most (default: %(default)s)")
    args = parser.parse_args(arguments)
    files = make(args.files)
    with tempfile.TemporaryDirectory(prefix="edge-pneumo-") as place:
        outcome = watch(files, Path(place), args.bundle)
    for reason, count in outcome.refused.most_common():
        print(f"{count:6}  {reason}")
    print(f"{len(files)} files, no two the same; at most {outcome.peak / 1e6:.0f} MB")
    if found := faults(outcome, len(files), args.megabytes * 10**6):
        sys.exit("\n".join(found[:20]))


if __name__ == "__main__":
    main()
