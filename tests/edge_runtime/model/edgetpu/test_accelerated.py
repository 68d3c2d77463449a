import threading
from collections.abc import Iterator

import pytest

from edge_runtime.health.health import Health
from edge_runtime.model.accelerated import AcceleratedEngine, Intervals
from edge_runtime.model.accelerator import TellHealth, hand_over
from tests.edge_runtime.model.edgetpu.devices import BUNDLE, NEVER, PIXELS, Device, Port, Said
from tests.engines import ScriptedEngine


@pytest.fixture
def port() -> Port:
    return Port()


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def engine(port: Port, said: Said) -> Iterator[AcceleratedEngine]:
    made = AcceleratedEngine(ScriptedEngine([1, 1, 1]), BUNDLE, port.open, said, intervals=NEVER)
    yield made
    made.close()


def test_until_it_is_taken_the_device_is_left_alone(engine: AcceleratedEngine, port: Port, said: Said) -> None:
    outputs = engine.invoke(PIXELS)

    assert (outputs.scores[0], engine.name, port.devices, said.all) == (1, "scripted 1.0, 1 thread", [], [])


def test_then_it_answers(engine: AcceleratedEngine, said: Said) -> None:
    engine.take()

    outputs = engine.invoke(PIXELS)

    assert (outputs.scores[0], engine.name, engine.tolerance) == (0, "device 0", 4)
    assert said.all == ["back: device 0 answers"]
    assert engine.trouble is None


def test_what_it_fails_to_answer_is_answered_by_the_cpu(engine: AcceleratedEngine, port: Port, said: Said) -> None:
    engine.take()
    engine.invoke(PIXELS)
    port.devices[0].fails = True

    outputs = engine.invoke(PIXELS)

    assert (outputs.scores[0], engine.name, engine.tolerance) == (1, "scripted 1.0, 1 thread", 0)
    assert said.all[1:] == ["lost: the device 0 failed; the CPU answers, and it is tried again"]
    assert port.devices[0].is_closed


def test_its_quantization_is_the_bundles_whatever_answers(engine: AcceleratedEngine) -> None:
    before = engine.quantization

    engine.take()
    engine.invoke(PIXELS)

    assert engine.quantization == before


def test_a_lost_device_answers_again_from_the_next_radiograph_on(
    engine: AcceleratedEngine, port: Port, said: Said
) -> None:
    engine.take()
    port.devices[0].fails = True
    engine.invoke(PIXELS)

    engine.tend()

    assert engine.name == "scripted 1.0, 1 thread"  # it was what answered last
    assert (engine.invoke(PIXELS).scores[0], engine.name) == (0, "device 1")
    assert said.all[-1] == "back: device 1 answers"


def test_it_is_tried_again_at_growing_intervals(engine: AcceleratedEngine, port: Port) -> None:
    port.is_empty = True
    engine.take()

    assert [engine.tend() for _ in range(3)] == [2000.0, 3000.0, 3000.0]


def test_one_that_fails_whenever_it_is_used_is_tried_less_and_less_often(engine: AcceleratedEngine, port: Port) -> None:
    engine.take()
    pauses = []
    for _ in range(3):
        port.devices[-1].fails = True
        engine.invoke(PIXELS)
        port.is_empty = True
        pauses.append(engine.tend())
        port.is_empty = False
        engine.tend()

    assert pauses == [2000.0, 3000.0, 3000.0]


def test_the_same_reason_is_told_once(engine: AcceleratedEngine, port: Port, said: Said) -> None:
    port.is_empty = True
    engine.take()

    engine.tend()
    engine.tend()

    assert said.all == ["lost: there is no device; the CPU answers"]


def test_one_that_begins_to_give_wrong_numbers_is_given_up(engine: AcceleratedEngine, port: Port, said: Said) -> None:
    engine.take()
    assert engine.tend() == NEVER.check
    port.devices[0].off = 5

    engine.tend()

    assert port.devices[0].is_closed
    assert engine.invoke(PIXELS).scores[0] == 1
    assert "device 0 gives wrong numbers (off by 5 steps, 4 are allowed): do not rely on what it" in said.all[-1]


def test_rounding_is_no_wrong_number(engine: AcceleratedEngine, port: Port) -> None:
    engine.take()
    port.devices[0].off = 4

    engine.tend()

    assert not port.devices[0].is_closed


def test_it_is_looked_at_by_itself(port: Port) -> None:
    lost = threading.Event()

    class Waking(Said):
        def lost(self, _: str) -> None:
            lost.set()

    engine = AcceleratedEngine(
        ScriptedEngine([1, 1, 1]), BUNDLE, port.open, Waking(), intervals=Intervals(check=0.01, first_pause=1000.0)
    )
    engine.take()

    port.devices[0].off = 100

    assert lost.wait(30.0)
    engine.close()


def test_a_lost_one_is_tried_again_by_itself(port: Port) -> None:
    back = threading.Semaphore(0)

    class Waking(Said):
        def back(self, _: str) -> None:
            back.release()

    engine = AcceleratedEngine(
        ScriptedEngine([1, 1, 1]), BUNDLE, port.open, Waking(), intervals=Intervals(first_pause=0.01)
    )
    engine.take()
    port.devices[0].fails = True

    engine.invoke(PIXELS)

    assert back.acquire(timeout=30.0)
    assert back.acquire(timeout=30.0)
    engine.close()


def test_after_it_is_given_up_the_cpu_answers(engine: AcceleratedEngine, port: Port, said: Said) -> None:
    engine.take()

    engine.close()

    assert port.devices[0].is_closed
    assert engine.invoke(PIXELS).scores[0] == 1
    engine.tend()
    assert len(port.devices) == 1
    assert said.all == ["back: device 0 answers"]


def test_the_old_engine_gives_it_up_before_the_new_one_takes_it(port: Port, said: Said) -> None:
    held: list[bool] = []

    def open_device() -> Device:
        held.append(any(not device.is_closed for device in port.devices))
        return port.open()

    old, new = (
        AcceleratedEngine(ScriptedEngine([1, 1, 1]), BUNDLE, open_device, said, intervals=NEVER) for _ in range(2)
    )
    hand_over(None, old)
    old.invoke(PIXELS)

    hand_over(old, new)

    assert (held, new.invoke(PIXELS).scores[0], new.name) == ([False, False], 0, "device 1")
    assert old.invoke(PIXELS).scores[0] == 1  # what was still in hand
    new.close()


def test_what_was_wrong_with_it_is_over_where_it_is_not_wanted_any_more(port: Port) -> None:
    health = Health()
    health.ready()
    port.is_empty = True
    old = AcceleratedEngine(
        ScriptedEngine([1, 1, 1]), BUNDLE, port.open, TellHealth(health, lambda _: None), intervals=NEVER
    )
    hand_over(None, old)
    assert health.snapshot().state == "degraded"

    hand_over(old, ScriptedEngine([1, 1, 1]))

    assert health.snapshot().state == "idle"
