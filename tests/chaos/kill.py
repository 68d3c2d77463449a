"""SIGKILL at random moments, while files arrive; then one clean run, then ``agreement``.

    python -m tests.chaos.kill [--moments 1000] [--files 5000] [--heatmaps 0.2] [--seed 1] [--place DIR]

Each start is one moment. A third of them lies in the start itself, from the first instruction until the first answer
could come; half lies in the work, so and so long after the first answer; the rest lies in the idle time after all that
was there had been answered. Every fiftieth start is one of a fresh interpreter, the others are forks of one that has
the modules loaded; every tenth has a process of its own for decoding. In ``--heatmaps`` of the starts heat maps are
written, and in a quarter files settle for so long that their answers are prepared meanwhile.
"""

import argparse
import itertools
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

from tests.chaos import agreement
from tests.chaos.material import Input, inputs, put
from tests.chaos.watcher import Nursery, environment, names_told, nursery

_ROOT = Path(__file__).parents[2]
_OPTIONS = ("--settle", "0.02")
# Long enough for the answer to be prepared while the file settles.
_FORESEEING = ("--settle", "0.15")
_FRESH = 50  # every so many starts
_FORESEEN = 0.25
_MOMENTS = {"start": 0.35, "work": 0.5, "idle": 0.15}


class Killer:
    """One folder, many watchers that end badly.

    Args:
        place: For the folder and the results.
        random: Decides on the moments.
        heatmaps: The share of the starts that write heat maps.
        bundle: The model; ``None`` for the default.
    """

    def __init__(self, place: Path, random: Random, heatmaps: float, bundle: Path | None = None) -> None:
        self.folder, self.results = place / "in", place / "out"
        self.folder.mkdir(parents=True)
        self.told: list[str] = []
        self.put_in: dict[str, str] = {}
        self.killed: Counter[str] = Counter()
        self._random, self._heatmaps, self._bundle = random, heatmaps, bundle
        self._start_seconds = 0.3
        self._starts = 0

    def kill(self, watchers: Nursery, arriving: Sequence[Input]) -> str:
        """Start a watcher, let files arrive, kill it; the kind of moment."""
        moment = self._random.choices(list(_MOMENTS), list(_MOMENTS.values()))[0]
        before = self._random.randrange(len(arriving) + 1)
        self._put(arriving[:before])
        self._starts += 1
        if self._starts % _FRESH == 0:
            self._kill_fresh()
            self._put(arriving[before:])
            self.killed["start, fresh"] += 1
            return "start, fresh"
        began = time.monotonic()
        watcher = watchers.watch(self.folder, self.results, *self._options(), bundle=self._bundle)
        if moment == "start":
            time.sleep(self._random.random() * 1.2 * self._start_seconds)
            self._put(arriving[before:])
        else:
            self._put(arriving[before:])
            unanswered = len(self.put_in) - len(set(self.told))
            if watcher.await_told(1 if moment == "work" else unanswered, seconds=2.0 if moment == "work" else 5.0):
                self._start_seconds = 0.9 * self._start_seconds + 0.1 * min(time.monotonic() - began, 2.0)
            time.sleep(self._random.random() * (0.02 * min(len(arriving), 10) if moment == "work" else 0.1))
        if not watcher.is_running:
            raise agreement.DisagreementError(f"the watcher ended by itself, {watcher.wait()}:\n{watcher.printed()}")
        watcher.kill()
        self.told += watcher.told()
        watcher.out.unlink(missing_ok=True)
        self.killed[moment] += 1
        return moment

    def finish(self, watchers: Nursery) -> None:
        """The clean run.

        Raises:
            DisagreementError: It went wrong, or not all agrees after it.
        """
        watcher = watchers.watch(self.folder, self.results, "--once", *_OPTIONS, bundle=self._bundle)
        status = watcher.wait(600.0)
        if status:
            raise agreement.DisagreementError(f"the clean run ended with {status}:\n{watcher.printed()}")
        self.told += watcher.told()
        agreement.check(self.folder, self.results, self.put_in, self.told)

    def _kill_fresh(self) -> None:
        command: list[str | Path] = [sys.executable, "-m", "edge_runtime", "watch", self.folder]
        command += ["--results", self.results, *_OPTIONS, "--threads", "1"]
        with tempfile.TemporaryFile("w+") as printed:
            process = subprocess.Popen(command, stdout=printed, stderr=printed, cwd=_ROOT, env=environment())
            time.sleep(self._random.random() * 4 * self._start_seconds)
            process.kill()
            process.wait()
            printed.seek(0)
            self.told += names_told(printed.read())

    def _options(self) -> list[str]:
        settling = _FORESEEING if self._random.random() < _FORESEEN else _OPTIONS
        return [*settling] if self._random.random() < self._heatmaps else [*settling, "--no-heatmap"]

    def _put(self, arriving: Sequence[Input]) -> None:
        for one in arriving:
            put(self.folder, one)
            self.put_in[one.name] = one.sha256


def run(place: Path, *, moments: int, files: int, heatmaps: float, seed: int, bundle: Path | None = None) -> Killer:
    """All of it; what was done is returned.

    Raises:
        DisagreementError: Something was lost, doubled or half-written.
    """
    random = Random(seed)
    killer = Killer(place / "watched", random, heatmaps, bundle)
    coming = itertools.islice(inputs(random), files)
    with nursery(place / "printed") as watchers:
        for number in range(moments):
            left = files - len(killer.put_in)
            mean = left / (moments - number)
            count = left if number == moments - 1 else min(left, round(random.uniform(0, 2 * mean)))
            killer.kill(watchers, list(itertools.islice(coming, count)))
            if (number + 1) % 100 == 0:
                print(f"{number + 1} kills, {len(killer.put_in)} files, {len(killer.told)} told", flush=True)
        killer.finish(watchers)
    return killer


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.kill", description="SIGKILL at random moments.")
    parser.add_argument("--moments", type=int, default=1000, metavar="N", help="default: %(default)s")
    parser.add_argument("--files", type=int, default=5000, metavar="N", help="default: %(default)s")
    parser.add_argument("--heatmaps", type=float, default=0.2, metavar="SHARE", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument("--place", type=Path, metavar="DIR", help="where (default: a temporary folder)")
    args = parser.parse_args(arguments)
    place = Path(tempfile.mkdtemp(prefix="edge-pneumo-kill-", dir=args.place))
    began = time.monotonic()
    try:
        killer = run(place, moments=args.moments, files=args.files, heatmaps=args.heatmaps, seed=args.seed)
    except agreement.DisagreementError as error:
        print(f"seed {args.seed}, all kept in {place}:\n{error}")
        return 1
    moments = ", ".join(f"{count} in {name}" for name, count in sorted(killer.killed.items()))
    print(
        f"{sum(killer.killed.values())} kills ({moments}) over {len(killer.put_in)} files, seed {args.seed}, "
        f"{time.monotonic() - began:.0f} s: every file has exactly one finding, journal and findings agree, "
        f"nothing is left unfinished; {len(killer.told)} were told, none of them twice"
    )
    shutil.rmtree(place)
    return 0


if __name__ == "__main__":
    sys.exit(main())
