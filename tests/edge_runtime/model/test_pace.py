from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.errors import EngineError
from edge_runtime.health.health import Health
from edge_runtime.model import bundle
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import Quantization, RawOutputs
from edge_runtime.model.engines.litert import LiteRtEngine, find_library
from edge_runtime.model.engines.tensors import multiply_adds
from edge_runtime.model.pace import Pace, PaceWatch, plain_rate, prove
from tests.edge_runtime.clocks import HandClock
from tests.edge_runtime.findings import classified, rejected

# Of the plain loop, by which a test counts.
RATE = 1e7


class SlowEngine:
    """LiteRT, each of whose inferences takes the time that a test says."""

    tolerance = 0

    def __init__(self, opened: Bundle, hand: HandClock, seconds: list[float], name: str = "other 1.0") -> None:
        self._engine = LiteRtEngine(opened.tflite, opened.info, find_library(), threads=1)
        self._hand, self._seconds = hand, seconds
        self.name, self.count = name, 0

    @property
    def quantization(self) -> Quantization:
        return self._engine.quantization

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        self._hand.wait(self._seconds[min(self.count, len(self._seconds) - 1)])
        self.count += 1
        return self._engine.invoke(pixels)


class WrongEngine(SlowEngine):
    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        outputs = super().invoke(pixels)
        return msgspec.structs.replace(outputs, scores=outputs.scores ^ 1)


@pytest.fixture
def hand() -> HandClock:
    return HandClock()


@pytest.fixture
def tiny(tiny_bundle: Path) -> Bundle:
    return bundle.read(tiny_bundle)


Prove = Callable[..., Pace]


@pytest.fixture
def check(hand: HandClock, tmp_path: Path) -> Prove:
    readable = tmp_path / "cpuinfo"
    readable.write_text("processor : 0\n")
    return partial(
        prove, clock=hand.clock, cpu=hand.seconds, cpuinfo=readable, yardstick=lambda _: RATE, pause=hand.wait
    )


def seconds_for(tiny: Bundle, times: float) -> float:
    """How long an inference takes at so many times the yardstick's rate."""
    return multiply_adds(tiny.tflite) / RATE / times


def test_a_fast_engine_is_proven_with_its_pace(tiny: Bundle, hand: HandClock, check: Prove) -> None:
    usual = seconds_for(tiny, 100.0)
    engine = SlowEngine(tiny, hand, [3 * usual, usual, 2 * usual])

    pace = check(Classifier(tiny, engine))

    assert pace.milliseconds == pytest.approx(1000 * usual)
    assert pace.times_yardstick == pytest.approx(100.0)
    assert not pace.is_slow
    assert engine.count == len(tiny.golden.pixels)  # no inference more than the golden vectors


def test_an_engine_slower_than_a_plain_loop_is_refused_at_once(tiny: Bundle, hand: HandClock, check: Prove) -> None:
    engine = SlowEngine(tiny, hand, [seconds_for(tiny, 0.3)])

    with pytest.raises(EngineError, match=r"no faster than a plain loop would \(0\.3 times its rate\).*slow_engine"):
        check(Classifier(tiny, engine))

    assert engine.count == 6


def test_a_small_model_s_inference_is_fast_enough_whatever_the_yardstick_says(
    tiny: Bundle, hand: HandClock, check: Prove
) -> None:
    engine = SlowEngine(tiny, hand, [0.1])

    pace = check(Classifier(tiny, engine), yardstick=lambda _: 1e12)

    assert pace.times_yardstick is not None
    assert pace.times_yardstick < 0.3


def test_a_moment_in_which_the_machine_was_busy_is_no_reason(tiny: Bundle, hand: HandClock, check: Prove) -> None:
    slow, usual = seconds_for(tiny, 0.01), seconds_for(tiny, 50.0)

    pace = check(Classifier(tiny, SlowEngine(tiny, hand, [slow, slow, usual])))

    assert pace.times_yardstick == pytest.approx(50.0)


def test_a_machine_that_is_busy_with_something_else_makes_nothing_slow(
    tiny: Bundle, hand: HandClock, check: Prove
) -> None:
    usual = seconds_for(tiny, 50.0)
    engine = SlowEngine(tiny, hand, [1000 * usual])

    pace = check(Classifier(tiny, engine), cpu=lambda: engine.count * usual)

    assert pace.times_yardstick == pytest.approx(50.0)
    assert pace.milliseconds == pytest.approx(1e6 * usual)


def test_a_slow_engine_may_be_allowed(tiny: Bundle, hand: HandClock, check: Prove) -> None:
    pace = check(Classifier(tiny, SlowEngine(tiny, hand, [seconds_for(tiny, 0.3)])), allow_slow=True)

    assert pace.is_slow


def test_hidden_cpuinfo_is_named_before_anything_is_inferred(
    tiny: Bundle, hand: HandClock, check: Prove, tmp_path: Path
) -> None:
    engine = SlowEngine(tiny, hand, [1.0], name="ai-edge-litert 2.3.0, 1 thread")

    with pytest.raises(EngineError, match="ProcSubset=pid"):
        check(Classifier(tiny, engine), cpuinfo=tmp_path / "hidden")

    assert engine.count == 0


def test_other_engines_do_without_cpuinfo(tiny: Bundle, hand: HandClock, check: Prove, tmp_path: Path) -> None:
    engine = SlowEngine(tiny, hand, [seconds_for(tiny, 100.0)], name="openvino 2026.4")

    assert check(Classifier(tiny, engine), cpuinfo=tmp_path / "hidden").times_yardstick == pytest.approx(100.0)


def test_what_is_not_reproduced_is_refused_with_the_likely_cause(
    tiny: Bundle, hand: HandClock, check: Prove, tmp_path: Path
) -> None:
    wrong = WrongEngine(tiny, hand, [seconds_for(tiny, 100.0)])

    with pytest.raises(EngineError, match=r"does not compute.*install another version"):
        check(Classifier(tiny, wrong))
    with pytest.raises(EngineError, match=r"does not compute.*ProcSubset=pid"):
        check(Classifier(tiny, wrong), cpuinfo=tmp_path / "hidden", allow_slow=True)


def test_a_start_is_given_time_before_each_inference(tiny: Bundle, hand: HandClock, check: Prove) -> None:
    asked: list[float] = []
    engine = SlowEngine(tiny, hand, [seconds_for(tiny, 100.0)])

    check(Classifier(tiny, engine), extend=lambda seconds: asked.append(seconds))

    assert asked == [120.0] * engine.count


def test_this_machine_and_its_litert_pass(default_bundle: Path) -> None:
    opened = bundle.read(default_bundle)
    engine = LiteRtEngine(opened.tflite, opened.info, find_library(), threads=1)

    pace = prove(Classifier(opened, engine))

    assert pace.times_yardstick is not None
    assert pace.milliseconds > 0.0


def test_the_plain_loop_is_timed_by_its_best_run() -> None:
    ticks: Iterator[float] = iter([0.0, 3.0, 3.0, 4.0, 4.0, 6.0])

    assert plain_rate(lambda: next(ticks)) == 96**3


# While it runs


def tell(watch: PaceWatch, milliseconds: float, count: int = 31, engine: str = "none") -> None:
    finding = msgspec.structs.replace(
        classified(), engine=engine, milliseconds={"infer": milliseconds, "total": milliseconds + 5}
    )
    for _ in range(count):
        watch.accept(finding)


@pytest.fixture
def health() -> Health:
    health = Health()
    health.ready()
    return health


def test_inferences_that_become_slow_are_told_and_taken_back(health: Health) -> None:
    watch = PaceWatch(health, Pace(10.0, 50.0))
    states = []
    for milliseconds, count in ((70.0, 40), (100.0, 15), (100.0, 1), (50.0, 31), (39.0, 31)):
        tell(watch, milliseconds, count)
        states.append(health.snapshot().state)

    assert states == ["idle", "idle", "degraded", "degraded", "idle"]


def test_the_sentence_says_how_slow(health: Health) -> None:
    watch = PaceWatch(health, Pace(10.0, 50.0))

    tell(watch, 123.0)

    (trouble,) = health.snapshot().degraded
    assert (trouble.part, trouble.reason[:61]) == (
        "pace",
        "an inference takes 123 ms, 12 times as long as at the start: ",
    )


def test_a_trifle_is_not_told(health: Health) -> None:
    watch = PaceWatch(health, Pace(1.0, 50.0))

    tell(watch, 19.0)

    assert health.snapshot().degraded == ()


def test_what_was_rejected_unseen_does_not_count(health: Health) -> None:
    watch = PaceWatch(health, Pace(10.0, 50.0))
    tell(watch, 123.0, 30)

    watch.accept(rejected())
    before = health.snapshot().state
    tell(watch, 123.0, 1)

    assert (before, health.snapshot().state) == ("idle", "degraded")


def test_an_engine_that_is_slow_from_the_start_is_told(health: Health) -> None:
    PaceWatch(health, Pace(500.0, 2.0))

    (trouble,) = health.snapshot().degraded
    assert (trouble.part, trouble.reason) == (
        "pace",
        "the engine is slow for this machine: 500 ms for an inference",
    )


def test_another_model_is_held_against_what_it_was_proven_with(health: Health) -> None:
    watch = PaceWatch(health, Pace(10.0, 50.0))
    tell(watch, 10.0)
    watch.renew(Pace(100.0, 50.0))
    tell(watch, 123.0)  # it does not answer yet
    before = health.snapshot().state
    tell(watch, 123.0, engine="another")
    after = health.snapshot().state
    tell(watch, 900.0, engine="another")

    assert (before, after, health.snapshot().state) == ("degraded", "idle", "degraded")


def test_another_engine_is_held_against_its_own_start(health: Health) -> None:
    watch = PaceWatch(health, Pace(10.0, 50.0))
    tell(watch, 123.0)
    told = health.snapshot().state
    tell(watch, 123.0, engine="another")
    taken_back = health.snapshot().state
    tell(watch, 1000.0, engine="another")

    assert (told, taken_back, health.snapshot().state) == ("degraded", "idle", "degraded")
