"""The power fails at random moments: what no fsync forced to the disk is lost. Then a restart, then ``agreement``.

    python -m tests.chaos.powercut [--way log|ext4] [--cuts 200] [--seed 1] [--unsynced ALL|FOLDERS|FINDINGS|JOURNAL]

Two ways to the same question:

* ``log`` (needs a C compiler): what a watcher does to its results is recorded, call by call. Each cut is a place in
  that log, and one of the states that the file systems of ``crash_states`` may be in there. It is made on the disk, a
  watcher is started on it, and when it has ended all must agree. Half of the recordings hold a watcher that is killed
  before another one ends well, and one state of each recording is where the next begins, so that recoveries are cut.
* ``ext4`` (needs root and loop devices): a real ext4 is cut off while a watcher writes to it, and mounted again.

What a watcher had told before the cut must be there after it, unchanged, and is not told again. ``--unsynced`` makes
fsync do nothing for some files: then the check must fail, which the tests of this command are about.
"""

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from random import Random

import msgspec

from edge_runtime.finding import from_json
from tests.chaos import agreement, loop_disk
from tests.chaos.crash_states import Disk, Model, Tree, look
from tests.chaos.loop_disk import LoopDisk
from tests.chaos.material import Input, inputs, put
from tests.chaos.shim import Call, Shim, Unsynced, compiler, read_log
from tests.chaos.watcher import Nursery, names_told, nursery

_SETTLE = ("--settle", "0.02")
_CUTS_A_RECORDING, _RECORDINGS_A_FOLDER = 5, 4
_MOST_ARRIVING = 10
_KILLED_FIRST = 0.5
_DEADLY = (Call.SYNC, Call.SYNC, Call.RENAME, Call.WRITE)


def cut_logs(place: Path, *, cuts: int, seed: int, unsynced: Unsynced = Unsynced.NONE) -> Iterator[str]:
    """Cut recorded runs; what was cut and where, after each that went well.

    Raises:
        DisagreementError: Something was lost, doubled or half-written.
    """
    random = Random(seed)
    coming = inputs(random)
    place.mkdir(parents=True, exist_ok=True)
    shim = Shim(place)
    with nursery(place / "printed", shim) as watchers:
        for number in range(0, cuts, _CUTS_A_RECORDING):
            if number % (_CUTS_A_RECORDING * _RECORDINGS_A_FOLDER) == 0:
                story = _Story(place / f"story-{number}", random, unsynced)
            many = min(_CUTS_A_RECORDING, cuts - number)
            yield from story.record_and_cut(watchers, shim, coming, many)


class _Story:
    """A folder, and one way its results went: from cut to cut."""

    def __init__(self, place: Path, random: Random, unsynced: Unsynced) -> None:
        self._place, self._random, self._unsynced = place, random, unsynced
        self._folder = place / "in"
        self._folder.mkdir(parents=True)
        self._put_in: dict[str, str] = {}
        self._told: list[str] = []
        self._base = Tree({}, frozenset({"."}))
        self._recordings = 0

    def record_and_cut(self, watchers: Nursery, shim: Shim, coming: Iterator[Input], cuts: int) -> Iterator[str]:
        random = self._random
        self._recordings += 1
        results, log = self._place / f"out-{self._recordings}", self._place / f"log-{self._recordings}"
        self._base.make(results)
        start = look(results)
        arriving = list(islice(coming, random.randrange(2, _MOST_ARRIVING + 1)))
        before = random.randrange(len(arriving) + 1)
        self._put(arriving[:before])
        options = [*_SETTLE] if random.random() < 0.5 else [*_SETTLE, "--no-heatmap"]
        if random.random() < _KILLED_FIRST:
            # What a killed one leaves is visible and not durable: the next one must not rely on it.
            shim.record(results, log, self._unsynced, die=(random.choice(_DEADLY), random.randrange(1, 30)))
            watcher = watchers.watch(self._folder, results, *options)
            watcher.await_told(len(self._put_in) - len(set(self._told)), seconds=5.0)
            watcher.kill()
        shim.record(results, log, self._unsynced)
        watcher = watchers.watch(self._folder, results, *options)
        self._put(arriving[before:])
        watcher.await_told(len(self._put_in) - len(set(self._told)), seconds=10.0)
        _must_end_well(watcher.stop(), watcher.printed())
        shim.rest()
        records = list(read_log(log))
        moments = sorted(random.randrange(1, len(records) + 1) for _ in range(cuts))
        followed = random.randrange(cuts)
        for number, moment in enumerate(moments):
            model = random.choice(list(Model))
            disk = Disk(start, results, model)
            disk.play(records[:moment])
            tree = disk.cut(random)
            told = self._told + names_told(b"".join(disk.told).decode())
            self._check_told(disk.live, tree, told)
            last = f"{records[moment - 1].did.name} as the last of {len(records)} calls"
            self._restart(watchers, tree, told, f"cut after {moment} ({last}), {model.value}")
            if number == followed:
                self._base, next_told = tree, told
            yield f"{model.value}, {last}"
        self._told = next_told
        shutil.rmtree(results)

    def _put(self, arriving: Sequence[Input]) -> None:
        for one in arriving:
            put(self._folder, one)
            self._put_in[one.name] = one.sha256

    def _check_told(self, live: Tree, left: Tree, told: Sequence[str]) -> None:
        findings = {}
        for name, data in live.files.items():
            if name.endswith(".json"):
                try:
                    findings[from_json(data).source] = name
                except msgspec.DecodeError:
                    continue  # hidden, and not a finding
        for source in told:
            name = findings[source]
            if left.files.get(name) != live.files[name]:
                raise agreement.DisagreementError(f"{source} was told, and {name} is not what it was after the cut")

    def _restart(self, watchers: Nursery, tree: Tree, told: Sequence[str], what: str) -> None:
        results = self._place / "restarted"
        tree.make(results)
        watcher = watchers.watch(self._folder, results, "--once", *_SETTLE)
        try:
            _must_end_well(watcher.wait(), watcher.printed())
            agreement.check(self._folder, results, self._put_in, [*told, *watcher.told()])
        except agreement.DisagreementError as error:
            kept = self._place / "as-cut"
            tree.make(kept)
            raise agreement.DisagreementError(f"{what} (kept in {kept}):\n{error}") from None
        shutil.rmtree(results)


def cut_ext4(place: Path, *, cuts: int, seed: int, unsynced: Unsynced = Unsynced.NONE) -> Iterator[str]:
    """Cut an ext4; what was cut, after each that went well.

    Raises:
        DisagreementError: Something was lost, doubled or half-written.
    """
    random = Random(seed)
    coming = inputs(random)
    place.mkdir(parents=True, exist_ok=True)
    shim = Shim(place) if unsynced else None
    folder = place / "in"
    put_in: dict[str, str] = {}
    told: list[str] = []
    with LoopDisk(place / "ext4") as disk, nursery(place / "printed", shim) as watchers:
        results = disk.mounted / "out"
        for number in range(cuts):
            if number % (_CUTS_A_RECORDING * _RECORDINGS_A_FOLDER) == 0:
                shutil.rmtree(results, ignore_errors=True)  # the disk is small
                results = disk.mounted / f"out-{number}"
                folder = place / f"in-{number}"
                folder.mkdir()
                put_in, told = {}, []
            if shim is not None:
                shim.record(results, Path(os.devnull), unsynced)
            arriving = list(islice(coming, random.randrange(2, _MOST_ARRIVING + 1)))
            before = random.randrange(len(arriving) + 1)
            for one in arriving[:before]:
                put(folder, one)
            options = [*_SETTLE] if random.random() < 0.5 else [*_SETTLE, "--no-heatmap"]
            watcher = watchers.watch(folder, results, *options)
            for one in arriving[before:]:
                put(folder, one)
            put_in |= {one.name: one.sha256 for one in arriving}
            moment = random.choice(("start", "work", "work", "work", "idle"))
            if moment != "start":
                wanted = 1 if moment == "work" else len(put_in) - len(set(told))
                watcher.await_told(wanted, seconds=3.0)
            time.sleep(random.random() * {"start": 0.3, "work": 0.1, "idle": 0.05}[moment])
            names = random.random() < 0.5
            # Told before it is cut: what the watcher prints from here on, it may print while the power goes.
            said = watcher.told()
            disk.cut(names=names)
            watcher.kill()
            disk.restart()
            told += said
            again = watchers.watch(folder, results, "--once", *_SETTLE)
            _must_end_well(again.wait(), again.printed())
            told += again.told()
            agreement.check(folder, results, put_in, told)
            yield f"ext4, {'names written' if names else 'nothing written'}, at {moment}"
        if shim is not None:
            shim.rest()


def _must_end_well(status: int, printed: str) -> None:
    if status:
        raise agreement.DisagreementError(f"the watcher ended with {status}:\n{printed}")


WAYS = {"log": cut_logs, "ext4": cut_ext4}


def why_not(way: str) -> str | None:
    """Why a way cannot be gone here, or ``None``."""
    if way == "ext4":
        return loop_disk.why_not()
    return None if compiler() else "there is no C compiler here"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.powercut", description="Power cuts.")
    parser.add_argument("--way", choices=WAYS, default="log", help="default: %(default)s")
    parser.add_argument("--cuts", type=int, default=200, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument("--unsynced", choices=[one.name for one in Unsynced], default="NONE", help="a fault to find")
    parser.add_argument("--place", type=Path, metavar="DIR", help="where (default: a temporary folder)")
    args = parser.parse_args(arguments)
    if (reason := why_not(args.way)) is not None:
        print(f"error: {reason}", file=sys.stderr)
        return 2
    place = Path(tempfile.mkdtemp(prefix="edge-pneumo-cut-", dir=args.place))
    began, done = time.monotonic(), 0
    try:
        for _what in WAYS[args.way](place, cuts=args.cuts, seed=args.seed, unsynced=Unsynced[args.unsynced]):
            done += 1
            if done % 50 == 0:
                print(f"{done} cuts", flush=True)
    except agreement.DisagreementError as error:
        print(f"after {done} cuts that went well, seed {args.seed}:\n{error}")
        return 1
    print(
        f"{done} power cuts ({args.way}), seed {args.seed}, {time.monotonic() - began:.0f} s: after each restart every "
        "file has exactly one finding, journal and findings agree, nothing is left unfinished, what was told is there"
    )
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
