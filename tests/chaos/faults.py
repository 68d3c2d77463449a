"""Disks that are full, broken or read-only: each call of a watcher on its results fails once, or for a while.

    python -m tests.chaos.faults [--errors ENOSPC EIO EROFS] [--calls OPEN WRITE ...] [--modes once while] [--every N]
    python -m tests.chaos.faults --real

The library ``shim.c`` (needs a C compiler) lets the first ``open`` below the results fail while a watcher answers 5
files, then in another run the second, and so on until there is no such call any more; the same for ``write``,
``fsync``, ``rename``, ``mkdir``, ``unlink`` and ``ftruncate``, SQLite's own included. ``once``: this call alone fails.
``while``: it and all of its kind, until the disk is mended; of the first write that fails with ENOSPC half is written.

A watcher that has begun must go on by itself. One that could not begin, because its journal could not be opened, may
end with a sentence and status 2; the next start must then do all. In the end everything of ``agreement`` must hold.

``--real`` uses no such library: a tmpfs of 1 MB that fills up and is freed, an ext4 that the kernel makes read-only,
and a folder that may not be written to for a while. Needs root.
"""

import argparse
import itertools
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal

from tests.chaos import agreement
from tests.chaos.material import Input, inputs, put
from tests.chaos.shim import ERRORS, Call, Shim, compiler
from tests.chaos.watcher import Nursery, Watcher, nursery

Mode = Literal["once", "while"]
_SETTLE = ("--settle", "0.02")
_BEGUN = "Research software"  # the last line of what a watcher says first
_MOST_CALLS = 10_000
_MENDED_AFTER = 0.3  # seconds
_PATIENCE = 60.0
_WENT_ON, _NEXT_START = "went on by itself", "at the next start"


@dataclass(frozen=True, slots=True)
class Case:
    """What fails.

    Attributes:
        call: Which kind of call.
        number: The first that does, from 1.
        error: The name of the errno.
        mode: For how long.
    """

    call: Call
    number: int
    error: str
    mode: Mode

    def __str__(self) -> str:
        return f"{self.call.name} number {self.number} fails {self.mode} with {self.error}"


class Faults:
    """One folder of 5 files, and results that are made anew for each case.

    Args:
        place: For all of it.
        watchers: Started under the shim.
        shim: That one.
        may_end: Whether a watcher that has begun may end with status 2, if only the next start does all.
        seed: Of the files.
    """

    def __init__(self, place: Path, watchers: Nursery, shim: Shim, *, may_end: bool = False, seed: int = 1) -> None:
        self._place, self._watchers, self._shim, self._may_end = place, watchers, shim, may_end
        self._folder = place / "in"
        self._put_in = {one.name: one.sha256 for one in five_files(self._folder, seed)}

    def try_one(self, case: Case) -> str | None:
        """How it went; ``None`` if there was no such call."""
        results = self._place / "out"
        shutil.rmtree(results, ignore_errors=True)
        self._shim.inject(
            results,
            case.call,
            case.number,
            ERRORS[case.error],
            count=1 if case.mode == "once" else 0,
            short=case.error == "ENOSPC" and case.mode == "while",
        )
        watcher = self._watchers.watch(self._folder, results, "--once", *_SETTLE)
        try:
            if case.mode == "while":
                self._mend_later(watcher)
            outcome, told = self._end_of(watcher)
            if outcome == _NEXT_START:
                self._shim.heal()
                watcher = self._watchers.watch(self._folder, results, "--once", *_SETTLE)
                if self._end_of(watcher)[0] == _NEXT_START:
                    raise agreement.DisagreementError(f"the next start failed:\n{_last_lines(watcher)}")
                told += watcher.told()
            hits = self._shim.hits
            self._shim.rest()
            agreement.check(self._folder, results, self._put_in, told)
        except (agreement.DisagreementError, TimeoutError) as error:
            raise agreement.DisagreementError(f"{case}: {error}") from None
        finally:
            self._shim.rest()
            if watcher.is_running:
                watcher.kill()
        return outcome if hits else None

    def _end_of(self, watcher: Watcher) -> tuple[str, list[str]]:
        status, printed = watcher.wait(_PATIENCE), watcher.printed()
        if "Traceback" in printed or status not in (0, 2):
            raise agreement.DisagreementError(f"the watcher ended with {status}:\n{_last_lines(watcher)}")
        if status and _BEGUN in printed and not self._may_end:
            raise agreement.DisagreementError(f"the watcher did not go on by itself:\n{_last_lines(watcher)}")
        return _NEXT_START if status else _WENT_ON, watcher.told()

    def _mend_later(self, watcher: Watcher) -> None:
        while not self._shim.hits and watcher.is_running:
            time.sleep(0.01)
        if self._shim.hits and watcher.is_running:
            time.sleep(_MENDED_AFTER)
        self._shim.heal()


def _last_lines(watcher: Watcher) -> str:
    return "\n".join(watcher.printed().splitlines()[-4:])


def five_files(folder: Path, seed: int = 1) -> list[Input]:
    """Four radiographs and a text, in two folders."""
    coming = inputs(Random(seed), broken=0.0, folders=1)
    files = [*itertools.islice(coming, 4), Input("notes.txt", b"no radiograph\n")]
    for one in files:
        put(folder, one)
    return files


def run(
    place: Path,
    calls: Sequence[Call],
    errors: Sequence[str],
    modes: Sequence[Mode],
    *,
    every: int = 1,
    may_end: bool = False,
) -> Iterator[tuple[Case, str | agreement.DisagreementError]]:
    """Every case and how it went; what went wrong is given and not raised, so that the others are tried too."""
    shim = Shim(place)
    with nursery(place / "printed", shim) as watchers:
        faults = Faults(place, watchers, shim, may_end=may_end)
        for mode, error, call in itertools.product(modes, errors, calls):
            for number in range(1, _MOST_CALLS, every):
                case = Case(call, number, error, mode)
                try:
                    outcome = faults.try_one(case)
                except agreement.DisagreementError as wrong:
                    yield case, wrong
                    continue
                if outcome is None:
                    break
                yield case, outcome


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.faults", description="Disks that fail.")
    parser.add_argument("--errors", nargs="+", choices=ERRORS, default=list(ERRORS), help="default: all")
    parser.add_argument("--calls", nargs="+", choices=[call.name for call in Call], help="default: all but LINK")
    parser.add_argument(
        "--modes", nargs="+", choices=["once", "while"], default=["once", "while"], help="default: both"
    )
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every N-th call (default: 1)")
    parser.add_argument("--may-end", action="store_true", help="a watcher may end with 2 if the next one does all")
    parser.add_argument("--real", action="store_true", help="file systems that are really full and read-only")
    parser.add_argument("--place", type=Path, metavar="DIR", help="where (default: a temporary folder)")
    args = parser.parse_args(arguments)
    if args.real:
        from tests.chaos import real_faults

        return real_faults.main(args.place, may_end=args.may_end)
    if compiler() is None:
        print("error: there is no C compiler here", file=sys.stderr)
        return 2
    place = Path(tempfile.mkdtemp(prefix="edge-pneumo-faults-", dir=args.place))
    calls = [call for call in Call if call is not Call.LINK] if args.calls is None else [Call[c] for c in args.calls]
    began, wrong = time.monotonic(), 0
    counts: Counter[tuple[str, str, str, str]] = Counter()
    try:
        for case, outcome in run(place, calls, args.errors, args.modes, every=args.every, may_end=args.may_end):
            if isinstance(outcome, agreement.DisagreementError):
                wrong += 1
                print(outcome, flush=True)
                outcome = "WRONG"
            counts[case.mode, case.error, case.call.name, outcome] += 1
    except KeyboardInterrupt:
        print("not all of it: interrupted")
    for (mode, error, call, outcome), count in counts.items():
        print(f"{mode:<6} {error:<7} {call:<9} {outcome:<18} {count}")
    print(f"{sum(counts.values())} faults, {wrong} of them not borne, {time.monotonic() - began:.0f} s")
    shutil.rmtree(place)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
