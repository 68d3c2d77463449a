"""``faults --real``: file systems that are really full, read-only and closed, by the kernel and no library.

Each of them is broken while a watcher runs and mended a little later; the watcher must go on by itself.
"""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from random import Random

from tests.chaos import agreement, loop_disk
from tests.chaos.loop_disk import LoopDisk, MountError
from tests.chaos.material import inputs, put
from tests.chaos.watcher import Nursery, Watcher, nursery

_SETTLE = ("--settle", "0.02")
_BEFORE, _DURING = 4, 8  # files that arrive
_BROKEN_FOR = 1.5  # seconds
_GOES_ON = 90.0


def interrupt(
    place: Path,
    results: Path,
    watchers: Nursery,
    *,
    break_: Callable[[], None],
    mend: Callable[[], None],
    may_end: bool = False,
    options: Sequence[str] = (),
) -> str:
    """Let files arrive before and while the results cannot be written; how it went on when they could again.

    Raises:
        DisagreementError: The watcher ended or did not go on, or something was lost, doubled or half-written.
    """
    folder = place / "in"
    files = list(islice(inputs(Random(3), folders=2), _BEFORE + _DURING))
    for one in files[:_BEFORE]:
        put(folder, one)
    watcher = watchers.watch(folder, results, *_SETTLE, *options)
    _must(watcher, watcher.await_told(_BEFORE), "it did not begin")
    break_()
    for one in files[_BEFORE:]:
        put(folder, one)
    time.sleep(_BROKEN_FOR)
    told, outcome = watcher.told(), "went on by itself"
    _must(watcher, len(told) < len(files), "nothing was broken")
    if may_end and not watcher.is_running:
        mend()
        watcher = watchers.watch(folder, results, *_SETTLE, *options)
        outcome = "ended, and did the rest at the next start"
    else:
        _must(watcher, watcher.is_running, "it ended")
        told = []
        mend()
    _must(watcher, watcher.await_told(len(files) - len(told), _GOES_ON), "it did not go on")
    _must(watcher, watcher.stop() == 0, "it did not stop as it should")
    agreement.check(folder, results, {one.name: one.sha256 for one in files}, [*told, *watcher.told()])
    return outcome


def full(place: Path, watchers: Nursery, *, may_end: bool) -> str:
    """A file system of 1 MB that somebody else fills, and frees again."""
    with _mounted(place / "tmpfs", "-t", "tmpfs", "-o", "size=1m", "none") as disk:
        filler = disk / "somebody-else-s"

        def fill() -> None:
            with filler.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    file.truncate(max(file.tell() - 16 * 1024, 0))  # room for a few findings

        # Without heat maps: a megabyte holds but five of them.
        return interrupt(
            place,
            disk / "out",
            watchers,
            break_=fill,
            mend=filler.unlink,
            may_end=may_end,
            options=["--no-heatmap"],
        )


def closed(place: Path, watchers: Nursery, *, may_end: bool) -> str:
    """Nothing may be made, renamed or removed in the results for a while, not even by root."""
    with LoopDisk(place / "ext4") as disk:
        results = disk.mounted / "out"

        def change(flag: str) -> None:
            folders = [results, *(path for path in results.iterdir() if path.is_dir())]
            subprocess.run(["chattr", flag, *folders], check=True)

        try:
            return interrupt(
                place,
                results,
                watchers,
                break_=lambda: change("+i"),
                mend=lambda: change("-i"),
                may_end=may_end,
            )
        finally:
            change("-i")


def read_only(place: Path, watchers: Nursery, *, may_end: bool) -> str:
    """The kernel finds an error and makes the file system read-only, as with a failing card."""
    folder = place / "in"
    files = list(islice(inputs(Random(4), folders=2), _BEFORE + _DURING))
    with LoopDisk(place / "ext4", options="noatime,errors=remount-ro") as disk:
        results = disk.mounted / "out"
        for one in files[:_BEFORE]:
            put(folder, one)
        watcher = watchers.watch(folder, results, *_SETTLE)
        _must(watcher, watcher.await_told(_BEFORE), "it did not begin")
        disk.fail()
        for one in files[_BEFORE:]:
            put(folder, one)
        time.sleep(_BROKEN_FOR)
        told = watcher.told()
        _must(watcher, len(told) < len(files), "nothing was broken")
        _must(watcher, may_end or watcher.is_running, "it ended")
        watcher.stop()
        disk.restart()
        again = watchers.watch(folder, results, "--once", *_SETTLE)
        _must(again, again.wait() == 0, "it did not begin again")
        agreement.check(folder, results, {one.name: one.sha256 for one in files}, told + again.told())
    return "stopped when told to, and did the rest after the restart"


def bound_read_only(place: Path, watchers: Nursery, *, may_end: bool) -> str:
    """A folder that is bound read-only when the watcher is started, and then not any more.

    While a watcher runs the kernel refuses this change: its journal is open.
    """
    del may_end
    folder, real = place / "in", place / "real"
    files = list(islice(inputs(Random(5), folders=2), _BEFORE))
    real.mkdir()
    for one in files:
        put(folder, one)
    with _mounted(place / "bound", "--bind", str(real)) as bound:
        subprocess.run(["mount", "-o", "remount,bind,ro", bound], check=True)
        watcher = watchers.watch(folder, bound / "out", "--once", *_SETTLE)
        refused = watcher.wait() == 2 and "error: " in watcher.printed() and "Traceback" not in watcher.printed()
        _must(watcher, refused, "it did not refuse with a sentence")
        _must(watcher, not any(real.iterdir()), "something was left")
        subprocess.run(["mount", "-o", "remount,bind,rw", bound], check=True)
        again = watchers.watch(folder, bound / "out", "--once", *_SETTLE)
        _must(again, again.wait() == 0, "it did not begin")
        agreement.check(folder, bound / "out", {one.name: one.sha256 for one in files}, again.told())
    return "refused to start with a sentence, and did all when it could"


SCENES: dict[str, Callable[..., str]] = {
    "full": full,
    "closed": closed,
    "read-only": read_only,
    "bound read-only": bound_read_only,
}


def run(
    place: Path, scenes: Sequence[str] = tuple(SCENES), *, may_end: bool = False
) -> Iterator[tuple[str, str | agreement.DisagreementError]]:
    """Each scene and how it went."""
    with nursery(place / "printed") as watchers:
        for number, name in enumerate(scenes):
            here = place / f"scene-{number}"
            (here / "in").mkdir(parents=True)
            try:
                yield name, SCENES[name](here, watchers, may_end=may_end)
            except agreement.DisagreementError as wrong:
                yield name, wrong


def why_not() -> str | None:
    """Why these cannot be had here, or ``None``."""
    return loop_disk.why_not() or (None if shutil.which("chattr") else "needs chattr")


def main(under: Path | None, *, may_end: bool = False) -> int:
    """Print how each went; 1 if one was not borne, 2 if they cannot be had here."""
    if (reason := why_not()) is not None:
        print(f"skipped: {reason}")
        return 2
    place = Path(tempfile.mkdtemp(prefix="edge-pneumo-real-", dir=under))
    wrong = 0
    for name, outcome in run(place, may_end=may_end):
        wrong += isinstance(outcome, agreement.DisagreementError)
        print(f"{name}: {outcome}", flush=True)
    if not wrong:
        shutil.rmtree(place)
    return int(wrong > 0)


def _must(watcher: Watcher, holds: bool, otherwise: str) -> None:
    if not holds:
        last = "\n".join(watcher.printed().splitlines()[-6:])
        if watcher.is_running:
            watcher.kill()
        raise agreement.DisagreementError(f"{otherwise}:\n{last}")


@contextmanager
def _mounted(point: Path, *words: str) -> Iterator[Path]:
    point.mkdir()
    done = subprocess.run(["mount", *words, point], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MountError(done.stderr.strip())
    try:
        yield point
    finally:
        subprocess.run(["umount", point], check=True)
