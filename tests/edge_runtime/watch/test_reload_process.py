"""A watcher in a process of its own: a new model and new settings while it runs."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.finding import NOTICE, Finding, from_json
from edge_runtime.model import store
from tests.bundles import remake
from tests.edge_runtime.pictures import BRIGHT, DARK, picture, put
from tests.edge_runtime.processes import usual_signals
from tests.edge_runtime.watch.test_watch import DEADLINE

SETTINGS = 'threads = 1\n{top}\n[watch]\nfolder = "in"\nresults = "out"\nsettle = 0.0\nslow_engine = "allow"\n{watch}\n'


class Watcher:
    """A watcher that reads ``config.toml`` in its folder, and what it prints and tells the service manager."""

    def __init__(self, home: Path, stdin: int = subprocess.DEVNULL) -> None:
        self.home = home
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(str(home / "notify"))
        self.manager.settimeout(DEADLINE)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "edge_runtime", "watch", "--config", home / "config.toml"],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=usual_signals,
            env=os.environ | {"NOTIFY_SOCKET": str(home / "notify"), "PYTHONUNBUFFERED": "1"},
        )
        self.until(NOTICE)

    def until(self, words: str) -> str:
        """Read what it prints up to the line with these words."""
        assert self.process.stdout is not None
        timer = threading.Timer(DEADLINE, self.process.kill)
        timer.start()
        try:
            while words not in (line := self.process.stdout.readline()):
                assert line, f"it ended, or said nothing of {words!r}"
        finally:
            timer.cancel()
        return line.strip()

    def told(self, words: bytes) -> None:
        """Wait until the service manager has been told so."""
        while words not in self.manager.recv(4096).split(b"\n"):
            pass

    def answer(self, name: str, level: int) -> Finding:
        # Moved in: where nothing settles it would be read while it is written.
        put(self.home / name, picture(level, seed=len(name))).rename(self.home / "in" / name)
        self.until(name)
        return from_json((self.home / "out" / f"{name}.json").read_bytes())

    def settings(self, top: str = "", watch: str = "") -> None:
        (self.home / "config.toml").write_text(SETTINGS.format(top=top, watch=watch))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "models"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (tmp_path / "in").mkdir()
    (tmp_path / "config.toml").write_text(SETTINGS.format(top="", watch=""))
    return tmp_path


@pytest.fixture
def watcher(home: Path, tiny_bundle: Path) -> Iterator[Watcher]:
    assert main(["model", "install", str(tiny_bundle)]) == 0
    found = Watcher(home)
    yield found
    found.process.kill()
    found.process.communicate()
    found.manager.close()


def test_models_come_and_go_while_it_answers(watcher: Watcher, tiny_bundle: Path, small_bundle: Path) -> None:
    bad = remake(tiny_bundle, watcher.home / "bad.tflite", golden_off=5)
    first = watcher.answer("first.png", DARK)

    assert main(["model", "install", str(small_bundle)]) == 0
    watcher.until("from now on small ")
    second = watcher.answer("second.png", BRIGHT)
    assert main(["model", "install", str(bad)]) == 2
    third = watcher.answer("third.png", DARK)
    assert main(["model", "rollback"]) == 0
    watcher.until("from now on tiny ")
    fourth = watcher.answer("fourth.png", BRIGHT)
    watcher.process.terminate()
    output, _ = watcher.process.communicate(timeout=DEADLINE)

    assert [(f.model.name, f.label) for f in (first, second, third, fourth)] == [
        ("tiny", "NORMAL"),
        ("small", "PNEUMONIA"),
        ("small", "NORMAL"),
        ("tiny", "PNEUMONIA"),
    ]
    assert watcher.process.returncode == 0
    assert output.splitlines()[-1].startswith("4 answered: 4 classified")


def test_sighup_has_the_settings_read_anew(watcher: Watcher) -> None:
    first = watcher.answer("first.png", DARK)

    watcher.settings('operating_point = "screening"', "heatmaps = false")
    watcher.process.send_signal(signal.SIGHUP)
    watcher.told(b"RELOADING=1")
    said = watcher.until("the settings have been read again")
    watcher.told(b"READY=1")
    second = watcher.answer("second.png", DARK)
    watcher.settings("threads = 2")  # the second of that name
    watcher.process.send_signal(signal.SIGHUP)
    watcher.told(b"RELOADING=1")
    refused = watcher.until("the settings stay as they were")
    watcher.told(b"READY=1")
    third = watcher.answer("third.png", DARK)

    assert [(f.operating_point, f.heatmap is not None) for f in (first, second, third)] == [
        ("balanced", True),
        ("screening", False),
        ("screening", False),
    ]
    assert "operating_point is screening (it was not set), watch.heatmaps is False (it was True)" in said
    assert "is no TOML" in refused


def test_a_terminal_that_goes_away_ends_it_cleanly(home: Path, tiny_bundle: Path) -> None:
    assert main(["model", "install", str(tiny_bundle)]) == 0
    terminal, its_side = pty.openpty()
    watcher = Watcher(home, stdin=its_side)
    os.close(its_side)
    watcher.answer("first.png", DARK)

    watcher.process.send_signal(signal.SIGHUP)  # the terminal is still there
    watcher.until("the settings have been read again")
    os.close(terminal)
    watcher.process.send_signal(signal.SIGHUP)
    output, _ = watcher.process.communicate(timeout=DEADLINE)
    watcher.manager.close()

    assert watcher.process.returncode == 0
    assert output.splitlines()[-1].startswith("1 answered: 1 classified")


def test_without_a_folder_it_says_so(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (home / "config.toml").write_text("threads = 1\n")

    assert main(["watch", "--config", str(home / "config.toml")]) == 2
    assert capsys.readouterr().err == (
        "error: no folder to watch is named; name one with 'edge-pneumo watch DIR', or set folder in the section "
        f"[watch] of {home}/config.toml\n"
    )
