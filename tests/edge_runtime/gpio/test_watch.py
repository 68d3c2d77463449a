"""The light and the button of a watcher that runs: ``watch`` in a thread, gpiozero's mock pins, the program's model."""

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.config.settings import GpioSettings
from edge_runtime.gpio.panel import Panel
from edge_runtime.health.health import Health
from edge_runtime.model import bundle, installed
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.watch.answering import watch

gpiozero = pytest.importorskip("gpiozero")
from gpiozero.pins.mock import MockFactory  # noqa: E402  only where it is installed

SAMPLE = sorted((Path(__file__).parents[3] / "samples").glob("*.png"))[0]
DEADLINE = 60.0


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_the_light_tells_of_the_start_the_wait_and_the_end_and_the_button_reaches_the_camera(tmp_path: Path) -> None:
    folder, results = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    pins, health, stop = MockFactory(), Health(), threading.Event()
    given: list[Callable[[], None]] = []
    opened = bundle.read(installed.path())
    classifier = Classifier(opened, open_engine(opened, 1))

    with Panel(GpioSettings(led=17, button=27), health, pins=pins) as panel:
        pins.pin(17).clear_states()
        until(lambda: len(pins.pin(17).states) > 2)  # it flashes before anything is ready
        starting = health.snapshot().state

        def on_camera(renew: Callable[[], None]) -> None:
            given.append(renew)
            panel.on_press(renew)

        thread = threading.Thread(
            target=lambda: watch(
                folder,
                results,
                classifier,
                settle=0.0,
                stop=stop,
                health=health,
                steps=[panel.step],
                on_camera=on_camera,
            )
        )
        thread.start()
        shutil.copyfile(SAMPLE, folder / SAMPLE.name)
        until((results / f"{SAMPLE.name}.json").exists)
        until(lambda: panel.shown == (1.0, 0.0))
        steady = pins.pin(17).state
        pins.pin(27).drive_low()  # pressed, where there is no camera
        stop.set()
        thread.join(DEADLINE)

    assert (starting, steady) == ("starting", 1)
    assert len(given) == 1
    assert not thread.is_alive()
    assert pins.pin(17).function == "input"
