from itertools import count

import pytest

from edge_runtime.bench.engines import measure, recommend, thread_counts
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.errors import EngineError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines import Engine, EngineName
from tests.engines import ScriptedEngine, bundle_without_model

BUNDLE = bundle_without_model()


class Ticking:
    """A clock that engines move on."""

    def __init__(self) -> None:
        self.time = 0.0
        self.clock = Clock(now=SYSTEM_CLOCK.now, seconds=lambda: self.time)

    def engine(self, name: str, milliseconds: float, difference: int) -> Engine:
        ticking = self

        class Slow(ScriptedEngine):
            def invoke(self, pixels):  # type: ignore[no-untyped-def]
                ticking.time += milliseconds / 1000.0
                return super().invoke(pixels)

        engine = Slow([difference, 0, 0], BUNDLE.golden.maps[0], tolerance=2)
        engine.name = name
        return engine


@pytest.mark.parametrize(
    ("cpus", "expected"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (8, [1, 2, 4, 8])]
)
def test_thread_counts_double_up_to_the_cpus(cpus: int, expected: list[int]) -> None:
    assert thread_counts(cpus) == expected


def test_every_engine_is_timed_with_every_number_of_threads() -> None:
    ticking = Ticking()

    def open_engine(_: Bundle, threads: int | None, name: EngineName) -> Engine:
        assert threads is not None
        return ticking.engine(f"{name}, {threads}", 80.0 / threads, 0)

    measured, missing = measure(BUNDLE, [1, 2], ticking.clock, seconds=1, open_engine=open_engine)

    assert [(m.name, m.threads, round(m.median, 6)) for m in measured] == [
        ("litert", 1, 80.0),
        ("litert", 2, 40.0),
        ("openvino", 1, 80.0),
        ("openvino", 2, 40.0),
    ]
    assert {len(m.milliseconds) for m in measured} == {9}  # three rounds, though the first outlasts the second
    assert missing == []


def test_the_fastest_that_passes_is_recommended_and_what_is_missing_is_told() -> None:
    ticking = Ticking()

    def open_engine(_: Bundle, threads: int | None, name: EngineName) -> Engine:
        if name == "openvino" and threads == 4:
            raise EngineError("openvino is not installed; install it")
        return ticking.engine(name, 10.0 if name == "openvino" else 50.0, 3 if name == "openvino" else 0)

    measured, missing = measure(BUNDLE, [1, 4], ticking.clock, seconds=0, open_engine=open_engine)
    best = recommend(measured)

    assert best is not None
    assert (best.name, best.reproduced) == ("litert", True)
    assert [m.reproduced for m in measured] == [True, True, False]
    assert missing == ["openvino is not installed; install it"]


def test_nothing_is_recommended_where_nothing_passes() -> None:
    ticking = Ticking()

    measured, _ = measure(
        BUNDLE, [1], ticking.clock, seconds=0, open_engine=lambda *_: ticking.engine("other", 10.0, 3)
    )

    assert recommend(measured) is None


def test_fast_engines_are_timed_thirty_rounds_long() -> None:
    ticks = count()
    fast = Clock(now=SYSTEM_CLOCK.now, seconds=lambda: next(ticks) * 1e-6)

    (measured,), _ = measure(
        BUNDLE, [1], fast, seconds=9, engines=["litert"], open_engine=lambda *_: ScriptedEngine([0, 0, 0])
    )

    assert len(measured.milliseconds) == 90
