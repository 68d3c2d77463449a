import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from edge_runtime.config.settings import GpioSettings
from edge_runtime.gpio.panel import Panel
from edge_runtime.health.health import Health

gpiozero = pytest.importorskip("gpiozero")
from gpiozero.pins.mock import MockFactory  # noqa: E402  only where it is installed

BOTH = GpioSettings(led=17, button=27)
DEADLINE = 30.0


@pytest.fixture
def pins() -> Iterator[MockFactory]:
    factory = MockFactory()
    yield factory
    factory.reset()


@pytest.fixture
def health() -> Health:
    health = Health()
    health.ready()
    return health


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def changes(pins: MockFactory, count: int) -> list[bool]:
    """The next changes of the light's pin."""
    pin = pins.pin(17)
    pin.clear_states()
    until(lambda: len(pin.states) > count)
    return [bool(state.state) for state in pin.states[1 : count + 1]]


def test_the_light_is_on_while_nothing_is_to_be_done_and_off_afterwards(pins: MockFactory, health: Health) -> None:
    with Panel(BOTH, health, pins=pins) as panel:
        panel.step()
        idle = pins.pin(17).state

    assert (idle, pins.pin(17).function) == (1, "input")  # given back: nothing drives the light


def test_the_light_blinks_at_work_and_stays_on_afterwards(pins: MockFactory, health: Health) -> None:
    with Panel(BOTH, health, pins=pins) as panel:
        health.waiting(2, False)
        panel.step()
        working = changes(pins, 2)
        health.waiting(0, False)
        panel.step()
        pins.pin(17).clear_states()

        assert working in ([True, False], [False, True])
        assert pins.pin(17).state == 1


def test_the_light_blinks_on_where_nothing_has_changed(pins: MockFactory, health: Health) -> None:
    with Panel(BOTH, health, pins=pins) as panel:
        health.pause("the disk is full")
        panel.step()
        pins.pin(17).clear_states()
        for _ in range(20):  # were it begun anew each time, it would stay on
            panel.step()
            time.sleep(0.03)

        assert {bool(state.state) for state in pins.pin(17).states} == {True, False}


def test_each_press_of_the_button_is_told_once(pins: MockFactory, health: Health) -> None:
    pressed = threading.Semaphore(0)
    with Panel(BOTH, health, pins=pins) as panel:
        panel.on_press(lambda: pressed.release())
        for _ in range(2):
            pins.pin(27).drive_low()
            pins.pin(27).drive_high()
            time.sleep(0.1)

    assert pressed.acquire(timeout=DEADLINE)
    assert pressed.acquire(timeout=DEADLINE)
    assert not pressed.acquire(timeout=0.1)


def test_a_button_without_a_camera_does_nothing(pins: MockFactory, health: Health) -> None:
    with Panel(BOTH, health, pins=pins):
        pins.pin(27).drive_low()


def test_nothing_is_loaded_or_said_where_no_pins_are_configured(health: Health) -> None:
    notes: list[str] = []
    with Panel(GpioSettings(), health, note=notes.append) as panel:
        panel.step()

    assert notes == []


def test_a_machine_without_pins_is_told_in_one_sentence_and_the_watcher_goes_on(health: Health) -> None:
    notes: list[str] = []
    with Panel(BOTH, health, note=notes.append) as panel:
        panel.step()

    assert len(notes) == 1
    assert notes[0].startswith("the pins of [gpio] are not used: ")


def test_a_machine_without_gpiozero_is_told_how_to_get_it(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setitem(sys.modules, "gpiozero", None)  # as Python marks what is not to be found
    with Panel(BOTH, health, note=notes.append) as panel:
        panel.step()

    assert notes == [
        "the pins of [gpio] are not used: there is no gpiozero; "
        "'pip install gpiozero lgpio' in edge-pneumo's environment"
    ]


def test_one_pin_for_both_is_said_and_gives_back_what_was_taken(pins: MockFactory, health: Health) -> None:
    notes: list[str] = []
    with Panel(GpioSettings(led=17, button=17), health, note=notes.append, pins=pins) as panel:
        panel.step()

    assert len(notes) == 1
    assert "in use" in notes[0]
    assert pins.pin(17).function == "input"


def test_a_light_that_fails_later_is_said_once_and_the_watcher_goes_on(pins: MockFactory, health: Health) -> None:
    notes: list[str] = []
    with Panel(BOTH, health, note=notes.append, pins=pins) as panel:
        pins.pin(17).function = "input"  # somebody else has taken it
        health.stopping()
        for _ in range(3):
            panel.step()

    assert len(notes) == 1
    assert notes[0].startswith("the pins of [gpio] are not used: ")
