"""A watched folder, its watcher, and what was put in; and a folder that tells of nothing."""

import os
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from tests.chaos.agreement import JOURNAL, DisagreementError, check
from tests.chaos.material import Input
from tests.chaos.watcher import Watcher, nursery

SETTLE = 1.0
_PATIENCE = 3600.0


class Skipped(Exception):  # noqa: N818 (it is no error)
    """A storm that cannot be had here, and why."""


class Sea:
    """A watched folder, its watcher, and what was put in.

    Args:
        place: For all of it.
        options: Of the watcher.
        environment: For the watcher, besides this one's.
        folder: The watched folder, if it is not one of ``place``.
    """

    def __init__(
        self, place: Path, *options: str, environment: Mapping[str, str] | None = None, folder: Path | None = None
    ) -> None:
        self.folder, self.results = folder or place / "in", place / "out"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.put_in: dict[str, str] = {}
        self.peak = 0
        self._place, self._options, self._environment = place, options, environment or {}

    @contextmanager
    def watched(self) -> Generator[Watcher, None, None]:
        """A watcher that is ready; at the end all must have been answered, once.

        Raises:
            DisagreementError: It has not.
        """
        os.environ.update(self._environment)
        try:
            with nursery(self._place / "printed") as watchers:
                options = ("--settle", str(SETTLE), "--no-heatmap", *self._options)
                watcher = watchers.watch(self.folder, self.results, *options)
                self.wait(lambda: "Research software" in watcher.printed(), watcher)
                yield watcher
                self.wait(lambda: self.answered() >= len(self.put_in), watcher)
                self.peak = _peak(watcher.process)
                time.sleep(2 * SETTLE)  # for what might be answered a second time
                watcher.stop()
                last = watchers.watch(self.folder, self.results, "--once", *options)
                if status := last.wait(_PATIENCE):
                    raise DisagreementError(f"the clean run ended with {status}:\n{last.printed()}")
                told = watcher.told() + last.told()
        finally:
            for name in self._environment:
                os.environ.pop(name, None)
        check(self.folder, self.results, self.put_in, told)

    def answered(self) -> int:
        """How many answers the journal holds."""
        if not (self.results / JOURNAL).exists():
            return 0
        with closing(sqlite3.connect(f"file:{self.results / JOURNAL}?mode=ro", uri=True)) as database:
            count: int = database.execute("SELECT COUNT(*) FROM answers").fetchone()[0]
        return count

    def wait(self, condition: Callable[[], bool], watcher: Watcher) -> None:
        end = time.monotonic() + _PATIENCE
        while not condition():
            if not watcher.is_running or time.monotonic() > end:
                raise DisagreementError(f"only {self.answered()} of {len(self.put_in)} answered:\n{watcher.printed()}")
            time.sleep(0.2)

    def have(self, one: Input) -> Path:
        """Note that a file will be there; where."""
        self.put_in[one.name] = one.sha256
        path = self.folder / one.name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def _peak(process: int) -> int:
    """The most memory that a process has held, in bytes."""
    status = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in status if line.startswith("VmHWM"))) * 1024


@contextmanager
def share(place: Path) -> Generator[tuple[Path, Path, Callable[[], None], Callable[[], None]], None, None]:
    """A FUSE folder, its other side, and what starts and ends its server.

    Raises:
        Skipped: It cannot be had here.
    """
    if os.geteuid() or not shutil.which("bindfs") or not Path("/dev/fuse").exists():
        raise Skipped("needs root, /dev/fuse and bindfs (Debian: apt install bindfs)")
    behind, front = place / "behind", place / "share"
    for folder in (behind, front):
        folder.mkdir(parents=True)

    def start() -> None:
        subprocess.run(["bindfs", behind, front], check=True)

    def end() -> None:
        subprocess.run(["umount", "--lazy", front], check=True)

    start()
    try:
        yield front, behind, start, end
    finally:
        end()
