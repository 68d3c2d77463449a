"""A machine that holds its processor back while ``watch`` works, as the person who asks for the status sees it."""

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge_runtime.board.notice import UNDER_VOLTAGE, BoardNotice
from edge_runtime.board.throttling import look
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.health import watcher
from edge_runtime.health.health import Health
from edge_runtime.model import bundle, installed
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.watch.answering import watch
from tests.edge_runtime.board.planted import raspberry_pi

SAMPLE = sorted((Path(__file__).parents[3] / "samples").glob("*.png"))[0]
DEADLINE = 60.0
# Ten seconds pass in a tenth of one.
FAST = Clock(now=SYSTEM_CLOCK.now, seconds=lambda: 100.0 * time.monotonic())


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def notes() -> list[str]:
    return []


@pytest.fixture
def sys(tmp_path: Path, results: Path, notes: list[str]) -> Iterator[Path]:
    """The ``/sys`` of a machine that a watcher works on."""
    sys, folder = raspberry_pi(tmp_path / "sys"), tmp_path / "in"
    folder.mkdir()
    opened, stop, health = bundle.read(installed.path(installed.DEFAULT)), threading.Event(), Health()
    notice = BoardNotice(health, note=notes.append, read=lambda: look(sys), clock=FAST)
    classifier = Classifier(opened, open_engine(opened, 1))
    thread = threading.Thread(
        target=lambda: watch(folder, results, classifier, settle=0.0, stop=stop, health=health, steps=[notice.step])
    )
    thread.start()
    shutil.copyfile(SAMPLE, folder / SAMPLE.name)
    until((results / f"{SAMPLE.name}.json").exists)
    yield sys
    stop.set()
    thread.join(DEADLINE)


def test_status_and_log_tell_of_under_voltage_and_of_its_end(sys: Path, results: Path, notes: list[str]) -> None:
    def status() -> str:
        return "\n".join(watcher.describe(watcher.look(results, {}), None))

    at_ease = status()
    raspberry_pi(sys, bits="50005")
    until(lambda: UNDER_VOLTAGE in status())
    held_back, told = watcher.look(results, {}), list(notes)
    raspberry_pi(sys, bits="0")
    until(lambda: UNDER_VOLTAGE not in status())

    assert "degraded" not in at_ease
    assert held_back["state"] == "degraded"
    assert [(trouble["part"], trouble["reason"]) for trouble in held_back["degraded"]] == [("board", UNDER_VOLTAGE)]
    assert watcher.exit_status(held_back) == 0  # it answers
    assert told == [UNDER_VOLTAGE]
    assert notes == [UNDER_VOLTAGE, "the board works at full speed again"]
    assert watcher.look(results, {})["state"] == "idle"
