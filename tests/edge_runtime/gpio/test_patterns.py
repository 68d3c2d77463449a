import pytest

from edge_runtime.gpio.patterns import IDLE, OFF, STARTING, TROUBLE, WORKING, pattern
from edge_runtime.health.health import Health, Part
from tests.edge_runtime.clocks import HandClock


@pytest.fixture
def hand() -> HandClock:
    return HandClock()


@pytest.fixture
def health(hand: HandClock) -> Health:
    return Health(clock=hand.clock)


def test_from_the_start_to_the_end(health: Health) -> None:
    shown = [pattern(health.snapshot())]
    health.ready()
    shown.append(pattern(health.snapshot()))
    health.waiting(3, False)
    shown.append(pattern(health.snapshot()))
    health.waiting(0, False)
    shown.append(pattern(health.snapshot()))
    health.stopping()
    shown.append(pattern(health.snapshot()))

    assert shown == [STARTING, IDLE, WORKING, IDLE, OFF]


@pytest.mark.parametrize("part", ["engine", "pace", "board", "camera"])
def test_trouble_of_a_part(health: Health, part: Part) -> None:
    health.ready()
    health.degrade("something", part=part)
    before = pattern(health.snapshot())
    health.recover(part=part)

    assert (before, pattern(health.snapshot())) == (TROUBLE, IDLE)


def test_findings_that_cannot_be_written(health: Health) -> None:
    health.ready()
    health.pause("the disk is full")

    assert pattern(health.snapshot()) == TROUBLE


def test_no_progress(health: Health, hand: HandClock) -> None:
    health.ready()
    health.beat()
    hand.wait(31.0)

    assert pattern(health.snapshot()) == TROUBLE


def test_a_folder_that_is_polled_needs_nobody(health: Health) -> None:
    health.ready()
    health.degrade("it is polled", part="folder")
    idle = pattern(health.snapshot())
    health.waiting(3, False)

    assert (idle, pattern(health.snapshot())) == (IDLE, WORKING)
