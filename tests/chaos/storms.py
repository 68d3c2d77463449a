"""Folders that make it hard to tell when a file is complete, or that it is there at all; then ``agreement``.

    python -m tests.chaos.storms [STORM ...] [--files N] [--seed 1] [--place DIR]

slow      files written in pieces with pauses longer than the settle time, and held open meanwhile
reopened  files written in three goes, closed in between for less than the settle time
renamed   files moved from name to name and folder to folder, faster than the settle time
burst     files moved in while the watcher cannot read its events, so that the kernel's queue overflows
clock     the time of day set back by a day in mid-run, and modification times from 1901 to 2100
silent    a FUSE folder that is written to from its other side, so that the watcher hears nothing
gone      the same, whose server ends in mid-run and comes back
backlog   the source alone, newest and oldest first, over more files than it holds in memory

Each ends when all has been answered: by then every file must have exactly one finding, of its last content; a clean
run after it must find nothing to do. ``silent`` and ``gone`` need root and bindfs, ``clock`` libfaketime; without them
they are skipped, with a line that says so.
"""

import argparse
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path
from random import Random

from edge_runtime.file_state import FileState
from edge_runtime.sources.folder import FolderSource
from edge_runtime.sources.settle import Order, Settling, rank
from tests.chaos import agreement
from tests.chaos.agreement import DisagreementError
from tests.chaos.material import Input, inputs, put
from tests.chaos.sea import SETTLE, Sea, Skipped, share

_FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
_QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


def slow(place: Path, random: Random, files: int) -> str:
    sea = Sea(place)

    def write(one: Input, pauses: Sequence[float]) -> None:
        size = -(-len(one.data) // len(pauses)) or 1
        with sea.have(one).open("wb", buffering=0) as file:
            for number, pause in enumerate(pauses):
                file.write(one.data[number * size : (number + 1) * size])
                time.sleep(pause)

    with sea.watched():
        todo = islice(inputs(random), files)
        _all_at_once((partial(write, one, [random.uniform(0, 2.5 * SETTLE) for _ in range(3)]) for one in todo), 50)
    return f"{files} files written in 3 pieces each with pauses of up to {2.5 * SETTLE:g} s, held open"


def reopened(place: Path, random: Random, files: int) -> str:
    sea = Sea(place)

    def write(one: Input, pause: float) -> None:
        path, third = sea.have(one), len(one.data) // 3
        for piece in (one.data[:third], one.data[third : 2 * third], one.data[2 * third :]):
            with path.open("ab") as file:
                file.write(piece)
            time.sleep(pause)

    with sea.watched():
        todo = islice(inputs(random), files)
        _all_at_once((partial(write, one, random.uniform(0, 0.3 * SETTLE)) for one in todo), 20)
    return f"{files} files written in 3 goes, closed for up to {0.3 * SETTLE:g} s in between"


def renamed(place: Path, random: Random, files: int) -> str:
    sea, renames = Sea(place), 0
    with sea.watched():
        (sea.folder / "passing").mkdir()
        for number, one in enumerate(islice(inputs(random), files)):
            last = sea.have(one)
            path = sea.folder / f"{number}.new"
            path.write_bytes(one.data)
            for step in range(random.randrange(1, 40)):
                following = sea.folder / random.choice(["", "passing"]) / f"{number}-{step}{random.choice(_ENDS)}"
                path.rename(following)
                path, renames = following, renames + 1
            path.rename(last)
    return f"{files} files renamed {renames} times on their way"


_ENDS = (".jpeg", ".jpeg.part", ".png", "", ".tmp", "~")


def burst(place: Path, random: Random, files: int) -> str:
    sea, queue = Sea(place), int(_QUEUE.read_text())
    staged = [sea.have(one).with_name(f".{number}") for number, one in _staged(sea, random, files)]
    with sea.watched() as watcher:
        watcher.signal(signal.SIGSTOP)
        # Two names in turn, for the kernel merges what it is told twice in a row.
        noise = [(place / name) for name in ("one", "two")]
        shaken = max(queue + 100 - files, 0)
        handles = [os.open(sea.folder / f".noise{number}", os.O_CREAT | os.O_WRONLY) for number, _ in enumerate(noise)]
        for number in range(shaken):
            os.write(handles[number % 2], b"x")
        began = time.monotonic()
        for hidden, name in zip(staged, sea.put_in, strict=True):
            hidden.rename(sea.folder / name)
        seconds = time.monotonic() - began
        for number, handle in enumerate(handles):
            os.close(handle)
            (sea.folder / f".noise{number}").unlink()
        watcher.signal(signal.SIGCONT)
    events = shaken + 2 * files
    return (
        f"{files} files moved in within {seconds:.2f} s, {events:,} events for a queue of {queue:,}; "
        f"the watcher's memory at its peak {sea.peak / 1e6:.0f} MB"
    )


def _staged(sea: Sea, random: Random, files: int) -> Iterator[tuple[int, Input]]:
    """Files that lie there under hidden names, so that only a rename is left to be done."""
    for number, one in enumerate(islice(inputs(random), files)):
        path = (sea.folder / one.name).with_name(f".{number}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.data)
        yield number, one


def clock(place: Path, random: Random, files: int) -> str:
    if not _FAKETIME.exists():
        raise Skipped("needs libfaketime (Debian: apt install faketime)")
    place.mkdir(parents=True, exist_ok=True)
    moment = place / "moment"
    moment.write_text("+0")
    fake = {
        "LD_PRELOAD": str(_FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(moment),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }
    sea = Sea(place, environment=fake)
    with sea.watched() as watcher:
        for number, one in enumerate(islice(inputs(random), files)):
            path = sea.have(one)
            put(sea.folder, one)
            if random.random() < 0.5:
                moved = random.uniform(-2.1e9, 4.1e9)  # 1903 to 2099
                os.utime(path, (moved, moved))
            if number == files // 2:
                sea.wait(lambda: sea.answered() > files // 4, watcher)
                moment.write_text("-1d")
    with closing(sqlite3.connect(sea.results / agreement.JOURNAL)) as database:
        days = database.execute("SELECT COUNT(DISTINCT substr(finished, 1, 10)) FROM answers").fetchone()[0]
    if days < 2:
        raise DisagreementError("the clock was not set back")
    return f"{files} files, the clock set back a day after {files // 2}, half of their times between 1903 and 2099"


def silent(place: Path, random: Random, files: int) -> str:
    with share(place) as (front, behind, _, _):
        sea = Sea(place, folder=front)
        with sea.watched() as watcher:
            for one in islice(inputs(random), files):
                sea.put_in[one.name] = one.sha256
                put(behind, one)
                time.sleep(random.uniform(0, 4 / files))
        if "does not tell of what other machines put there" not in watcher.printed():
            raise DisagreementError(f"it did not say that it polls:\n{watcher.printed()}")
    return f"{files} files put behind a FUSE folder (fuse.bindfs)"


def gone(place: Path, random: Random, files: int) -> str:
    with share(place) as (front, behind, start, end):
        sea = Sea(place, folder=front)
        with sea.watched() as watcher:
            for number, one in enumerate(islice(inputs(random), files)):
                sea.put_in[one.name] = one.sha256
                put(behind, one)
                if number == files // 2:
                    sea.wait(lambda: sea.answered() > 0, watcher)
                    server = subprocess.run(["pgrep", "-f", f"bindfs {behind} "], capture_output=True, check=True)
                    os.kill(int(server.stdout.split()[0]), signal.SIGKILL)
                    time.sleep(5 * SETTLE)
                    end()
                    time.sleep(5 * SETTLE)
                    start()
        if "gone" not in watcher.printed():
            raise DisagreementError(f"it did not say that the folder was gone:\n{watcher.printed()}")
    return f"{files} files, the FUSE server killed after {files // 2}, nothing there for 5 s, and back"


def backlog(place: Path, random: Random, files: int) -> str:
    for number, moment in enumerate(random.sample(range(10 * files), files)):
        path = place / "in" / str(number % 100) / f"{number:06}.jpeg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
        os.utime(path, (moment, moment))
    orders: tuple[Order, ...] = ("newest", "oldest")
    said = [_in_order(place / "in", files, order) for order in orders]
    return f"{files} files in 100 folders, {' and '.join(said)}"


def _in_order(folder: Path, files: int, order: Order) -> str:
    before, began = _resident(), time.monotonic()
    most, count, last = before, 0, float("-inf")

    def knows(_name: bytes, state: FileState) -> bool:
        return rank(order, state) <= last

    source = FolderSource(folder, knows, once=True, settling=Settling(0.0, order=order))
    for work in source.work(threading.Event()):
        if rank(order, work.state) <= last:
            raise DisagreementError(f"{order} first, {work.source} came after one that it should have come before")
        last, count = rank(order, work.state), count + 1
        source.done(work)
        if count % 1000 == 0:
            most = max(most, _resident())
    if count != files:
        raise DisagreementError(f"{order} first, {count} of {files} came")
    return f"{order} first in {time.monotonic() - began:.0f} s with {(most - before) / 1e6:.1f} MB more"


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


STORMS: Mapping[str, tuple[Callable[[Path, Random, int], str], int]] = {
    "slow": (slow, 300),
    "reopened": (reopened, 300),
    "renamed": (renamed, 1000),
    "burst": (burst, 50_000),
    "clock": (clock, 400),
    "silent": (silent, 300),
    "gone": (gone, 300),
    "backlog": (backlog, 100_000),
}


def _all_at_once(todo: Iterator[Callable[[], None]], most: int) -> None:
    """Do all of it, so many at a time."""
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                one = next(todo, None)
            if one is None:
                return
            one()

    threads = [threading.Thread(target=work) for _ in range(most)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.storms", description="Hard folders.")
    parser.add_argument("storms", nargs="*", metavar="STORM", help=f"{', '.join(STORMS)} (default: all)")
    parser.add_argument("--files", type=int, metavar="N", help="default: 300 to 50,000, as the storm needs")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument("--place", type=Path, metavar="DIR", help="where (default: a temporary folder)")
    args = parser.parse_args(arguments)
    if unknown := set(args.storms) - STORMS.keys():
        parser.error(f"there is no storm {min(unknown)}; there are {', '.join(STORMS)}")
    failed = 0
    for name in args.storms or STORMS:
        storm, files = STORMS[name]
        place = Path(tempfile.mkdtemp(prefix=f"edge-pneumo-{name}-", dir=args.place))
        began = time.monotonic()
        try:
            what = storm(place, Random(args.seed), args.files or files)
        except Skipped as reason:
            print(f"{name}: skipped, {reason}", flush=True)
        except DisagreementError as error:
            failed += 1
            print(f"{name}: seed {args.seed}, all kept in {place}:\n{error}", flush=True)
            continue
        else:
            done = "all in order" if storm is backlog else "all answered exactly once"
            print(f"{name}: {what}; {done}, {time.monotonic() - began:.0f} s", flush=True)
        shutil.rmtree(place)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
