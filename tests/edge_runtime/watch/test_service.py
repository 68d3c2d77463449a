"""``edge-pneumo watch`` as a service manager sees it: a process of its own, a real socket, the real model."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.health import watcher

SAMPLES = Path(__file__).parents[3] / "samples"
# The engine hangs from the first radiograph on; the golden vectors of the start are given as they should be.
HANGING = """
import itertools, sys, threading
from edge_runtime.cli import main
from edge_runtime.model.engines.litert import LiteRtEngine
count, invoke = itertools.count(1), LiteRtEngine.invoke
LiteRtEngine.invoke = lambda self, pixels: threading.Event().wait() if next(count) > 6 else invoke(self, pixels)
sys.exit(main(sys.argv[1:]))
"""
USUAL = "import sys; from edge_runtime.cli import main; sys.exit(main(sys.argv[1:]))"
HIDDEN = """
import sys
from pathlib import Path
from edge_runtime.model import pace
pace.prove.__kwdefaults__["cpuinfo"] = Path("/proc/none")
from edge_runtime.cli import main
sys.exit(main(sys.argv[1:]))
"""

Start = Callable[..., subprocess.Popen[str]]


class Manager:
    def __init__(self, folder: Path) -> None:
        self.address = str(folder / "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.address)
        self.socket.settimeout(120)
        self.heard: list[str] = []

    def until(self, assignment: str) -> None:
        """Read on until this has been said."""
        while not self.heard or assignment not in self.heard[-1].split("\n"):
            self.heard.append(self.socket.recv(4096).decode())

    def after_silence_of(self, assignment: str, seconds: float) -> int:
        """Read on until that has not been said for so long, or 50 times; returns how often it was said."""
        count, self.heard = 0, []
        self.socket.settimeout(seconds)
        try:
            while count < 50:
                self.until(assignment)
                count, self.heard = count + 1, []
        except TimeoutError:
            pass
        return count


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


@pytest.fixture
def incoming(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def start(incoming: Path, manager: Manager) -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start(script: str = USUAL, *options: str, watchdog: float | None = None) -> subprocess.Popen[str]:
        environment = os.environ | {"NOTIFY_SOCKET": manager.address, "PYTHONPATH": str(SAMPLES.parent)}
        if watchdog is not None:
            environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))
        command = [sys.executable, "-c", script, "watch", str(incoming), "--threads", "1", "--settle", "0", *options]
        process = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_ready_after_the_golden_vectors_and_stopping_at_the_end(start: Start, manager: Manager, incoming: Path) -> None:
    process = start()
    manager.until("READY=1")
    before_ready = manager.heard[:-1]
    alive = watcher.look(incoming.with_name("in-results"), {})
    process.send_signal(signal.SIGTERM)
    manager.until("STOPPING=1")
    _, errors = process.communicate(timeout=120)

    assert before_ready[0] == "STATUS=starting: replaying the golden vectors"
    assert sum("EXTEND_TIMEOUT_USEC=120000000" in said for said in before_ready) >= 6  # one a golden vector
    assert (alive["life"], alive["process"]) == ("alive", process.pid)
    assert (process.returncode, errors) == (0, "")
    assert watcher.look(incoming.with_name("in-results"), {})["life"] == "ended"


def test_an_idle_watcher_keeps_its_heartbeat_and_a_hung_inference_ends_it(
    start: Start, manager: Manager, incoming: Path
) -> None:
    start(HANGING, watchdog=1.0)
    manager.until("READY=1")
    for _ in range(4):  # nothing to do
        manager.heard.clear()
        manager.until("WATCHDOG=1")
    (incoming / "a.png").write_bytes((SAMPLES / "synthetic-normal-1.png").read_bytes())

    assert manager.after_silence_of("WATCHDOG=1", 5.0) < 50


def test_a_killed_watcher_is_dead_to_status(start: Start, manager: Manager, incoming: Path) -> None:
    process = start()
    manager.until("READY=1")
    process.kill()
    process.wait()

    found = watcher.look(incoming.with_name("in-results"), {})

    assert (found["life"], watcher.exit_status(found)) == ("dead", 4)


def test_hidden_cpuinfo_is_refused_and_never_ready(start: Start, manager: Manager) -> None:
    process = start(HIDDEN)
    _, errors = process.communicate(timeout=120)

    manager.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.until("READY=1")
    assert process.returncode == 2
    assert errors.startswith("error: /proc/none cannot be read, without which ai-edge-litert")
    assert "ProcSubset=pid" in errors
