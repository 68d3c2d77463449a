"""``edge-pneumo watch`` as a process: started, listened to, killed."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.shim import Shim

_ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0  # seconds; on a busy machine all takes long


class Watcher:
    """A running watcher.

    Attributes:
        process: Its id.
        out: The file of all that it printed.
    """

    def __init__(self, nursery: "Nursery", process: int, out: Path) -> None:
        self.process, self.out = process, out
        self._nursery = nursery
        self._ended = os.pidfd_open(process)
        self._status: int | None = None

    @property
    def is_running(self) -> bool:
        return self._status is None and not select.select([self._ended], [], [], 0)[0]

    def wait(self, seconds: float = _PATIENCE) -> int:
        """Its exit status, negative for a signal.

        Raises:
            TimeoutError: It still runs.
        """
        if self._status is None:
            if not select.select([self._ended], [], [], seconds)[0]:
                raise TimeoutError(f"the watcher still runs after {seconds:.0f} s; it printed:\n{self.printed()}")
            os.close(self._ended)
            self._status = self._nursery.reap(self.process)
        return self._status

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def signal(self, number: signal.Signals) -> None:
        if self.is_running:
            os.kill(self.process, number)

    def printed(self) -> str:
        return self.out.read_text("utf-8", "replace") if self.out.exists() else ""

    def told(self) -> list[str]:
        """The names that it has said are answered, in order."""
        return names_told(self.printed())

    def await_told(self, count: int, seconds: float = _PATIENCE) -> bool:
        """Wait until so many have been told, or it has ended; whether they have."""
        end = time.monotonic() + seconds
        while len(self.told()) < count:
            if not self.is_running or time.monotonic() > end:
                return len(self.told()) >= count
            time.sleep(0.005)
        return True


class Nursery:
    """Where watchers are started.

    Args:
        folder: For what they print.
        shim: Between them and their files, if wanted.
    """

    def __init__(self, folder: Path, shim: Shim | None = None) -> None:
        self._folder, self._started = folder, 0
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            env=environment() | ({} if shim is None else shim.environment),
        )

    def watch(self, folder: Path, results: Path, *options: str, bundle: Path | None = None) -> Watcher:
        """Start ``edge-pneumo watch``, on one thread."""
        words = ["watch", str(folder), "--results", str(results), "--threads", "1", *options]
        if bundle is not None:
            words += ["--bundle", str(bundle)]
        self._started += 1
        out = self._folder / f"printed-{self._started}"
        question = {"start": words, "out": str(out)}
        return Watcher(self, int(self._ask(question)), out)

    def reap(self, process: int) -> int:
        """The exit status of one that has ended."""
        return int(self._ask({"wait": process}))

    def _ask(self, question: Mapping[str, object]) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(question), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the nursery has ended"
        return answer

    def close(self) -> None:
        """End it, and what still runs of it."""
        self._process.communicate()


def environment() -> dict[str, str]:
    """That of a watcher: none of this machine's settings, and a machine so busy that inference is slow is borne."""
    strange = ("STATE_DIRECTORY", "RUNTIME_DIRECTORY", "NOTIFY_SOCKET", "JOURNAL_STREAM")
    ours = {name: text for name, text in os.environ.items() if not name.startswith(("EDGE_PNEUMO_", *strange))}
    return ours | {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "EDGE_PNEUMO_WATCH_SLOW_ENGINE": "allow"}


@contextmanager
def nursery(folder: Path, shim: Shim | None = None) -> Iterator[Nursery]:
    """A nursery that is closed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    opened = Nursery(folder, shim)
    try:
        yield opened
    finally:
        opened.close()


def names_told(printed: str) -> list[str]:
    """The files of which a watcher's lines say that they were answered; names here hold no blank and no colon."""
    lines = (line for line in printed.splitlines() if line[2:3] == ":" and line[5:6] == ":")
    return [_name(line.split()) for line in lines]


def _name(words: Sequence[str]) -> str:
    # 14:05:33  PNEUMONIA  93.1 %  uncertain  4 ms  ward/scan.jpeg: a note
    return words[words.index("ms") + 1].removesuffix(":")
