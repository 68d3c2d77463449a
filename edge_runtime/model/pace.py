"""Does the engine compute what the converter did, and as fast as this machine can? Found out by the golden vectors.

Where LiteRT cannot find out what the processor can do, it falls back, without a word, to kernels hundreds of times
slower. So an engine's rate is held against a yardstick taken in the same moment: the multiply-adds a second of a plain
loop, one integer after the other, which is what numpy's product of integer matrices is. An engine that uses the
processor's vector units does many at once; one that does not falls to the yardstick or below it, on a fast machine as
on a slow one. Both are measured in processor time, so that a machine that is busy with something else makes nothing
slow. ``docs/speed.md`` has what was measured.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.errors import EngineError
from edge_runtime.finding import Finding
from edge_runtime.health.health import Health
from edge_runtime.model.classifier import Classifier, is_reproduced, verify_golden
from edge_runtime.model.engines.interface import Engine, Quantization, RawOutputs
from edge_runtime.model.engines.tensors import multiply_adds

CPUINFO: Final = Path("/proc/cpuinfo")

REFUSED_BELOW: Final = 1.0
"""Times the yardstick's rate. On a PC LiteRT reaches 60 and more, without /proc/cpuinfo less than a third."""

REFUSED_FROM_MILLISECONDS: Final = 200.0
"""A shorter inference is never refused: that of a small model is hard to time on a busy machine."""

SLOW_BELOW: Final = 4.0
"""The same: used, and said to be slow."""

_ANOTHER_VERSION = "install another version of it, and see what 'edge-pneumo verify' says"
_MAKE_IT_READABLE = "let it read {}, which ProcSubset=pid hides: without, it uses other kernels"
# Seconds between tries: a machine that did something else for a moment gets several.
_PAUSES = (0.1, 0.2, 0.4, 0.8, 1.6)
_YARDSTICK_SIDE, _YARDSTICK_RUNS = 96, 3
_EXTENSION_SECONDS = 120.0

# While it runs: over so many answers, so many times as long as at the start, and no trifle.
_WINDOW = 31
_SLOWER, _NORMAL_AGAIN = 8.0, 4.0
_TRIFLE_MILLISECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast an engine is.

    Attributes:
        milliseconds: The fastest inference of the golden vectors.
        times_yardstick: Multiply-adds a second of processor time over those of the plain loop; ``None`` where the
            model's are not known.
    """

    milliseconds: float
    times_yardstick: float | None

    @property
    def is_slow(self) -> bool:
        """Whether it should be faster on this machine."""
        return self.times_yardstick is not None and self.times_yardstick < SLOW_BELOW


def prove(
    classifier: Classifier,
    *,
    allow_slow: bool = False,
    extend: Callable[[float], object] = lambda _: None,
    clock: Clock = SYSTEM_CLOCK,
    cpu: Callable[[], float] = time.process_time,
    cpuinfo: Path = CPUINFO,
    yardstick: Callable[[Callable[[], float]], float] | None = None,
    pause: Callable[[float], object] = time.sleep,
) -> Pace:
    """Replay the golden vectors, and time them.

    Args:
        classifier: Its engine is used in the calling thread.
        allow_slow: Use an engine that is far too slow nevertheless.
        extend: Told before each inference for how many seconds more a start may take.
        clock: What times it.
        cpu: Processor seconds of this process so far.
        cpuinfo: What tells LiteRT of the processor.
        yardstick: Measures the plain loop by ``cpu``, in multiply-adds a second; ``None`` for ``plain_rate``.
        pause: Waits so many seconds between two tries.

    Raises:
        EngineError: It does not compute what the converter did, or is far too slow.
    """
    engine, bundle = classifier.engine, classifier.bundle
    is_hidden = not _is_readable(cpuinfo)
    if is_hidden and not allow_slow and _needs_cpuinfo(engine):
        raise EngineError(
            f"{cpuinfo} cannot be read, without which {engine.name} falls back to kernels hundreds of times slower; "
            "take ProcSubset=pid out of the service's unit (or whatever else hides it)"
        )
    timed = _Timed(engine, _work(bundle.tflite), extend, clock, cpu, yardstick or plain_rate, pause)
    timed.refuse = not allow_slow
    if not is_reproduced(verify_golden(timed, bundle.golden), engine):
        raise EngineError(
            f"{engine.name} does not compute what the model's converter computed; "
            + (_MAKE_IT_READABLE.format(cpuinfo) if is_hidden else _ANOTHER_VERSION)
        )
    return timed.pace()


def plain_rate(cpu: Callable[[], float] = time.process_time) -> float:
    """Multiply-adds a second of a plain loop over integers, the best of three; takes some milliseconds.

    Args:
        cpu: Processor seconds so far.
    """
    side = _YARDSTICK_SIDE
    # numpy has a library for products of real numbers and none for those of integers.
    matrix = np.arange(side * side, dtype=np.int64).astype(np.int8).reshape(side, side)
    times = []
    for _ in range(_YARDSTICK_RUNS):
        start = cpu()
        np.matmul(matrix, matrix)
        times.append(cpu() - start)
    return float(side**3 / max(min(times), 1e-9))


class _Timed:
    """The engine, its inferences timed; the first one is held against the yardstick before there are more of them."""

    def __init__(
        self,
        engine: Engine,
        work: int,
        extend: Callable[[float], object],
        clock: Clock,
        cpu: Callable[[], float],
        yardstick: Callable[[Callable[[], float]], float],
        pause: Callable[[float], object],
    ) -> None:
        self._engine, self._work, self._extend, self._clock, self._cpu = engine, work, extend, clock, cpu
        self._measure_yardstick, self._pause = yardstick, pause
        self._yardsticks: list[float] = []
        self._milliseconds: list[float] = []
        self._cpu_seconds: list[float] = []
        self.refuse = True

    @property
    def name(self) -> str:
        return self._engine.name

    @property
    def quantization(self) -> Quantization:
        return self._engine.quantization

    @property
    def tolerance(self) -> int:
        return self._engine.tolerance

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        outputs = self._invoke(pixels)
        if len(self._milliseconds) == 1 and self._work:
            self._yardsticks.append(self._measure_yardstick(self._cpu))
            for seconds in _PAUSES:
                if not self._is_far_too_slow():
                    break
                self._pause(seconds)
                outputs = self._invoke(pixels)
                self._yardsticks.append(self._measure_yardstick(self._cpu))
            if self.refuse and self._is_far_too_slow():
                raise EngineError(self._sentence())
        return outputs

    def pace(self) -> Pace:
        rate = self._work / min(self._cpu_seconds)
        return Pace(min(self._milliseconds), rate / min(self._yardsticks) if self._yardsticks else None)

    def _invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        self._extend(_EXTENSION_SECONDS)
        start, cpu_start = self._clock.seconds(), self._cpu()
        outputs = self._engine.invoke(pixels)
        self._cpu_seconds.append(max(self._cpu() - cpu_start, 1e-9))
        self._milliseconds.append(self._clock.milliseconds_since(start))
        return outputs

    def _is_far_too_slow(self) -> bool:
        pace = self.pace()
        if pace.times_yardstick is None or pace.milliseconds < REFUSED_FROM_MILLISECONDS:
            return False
        return pace.times_yardstick < REFUSED_BELOW

    def _sentence(self) -> str:
        pace = self.pace()
        return (
            f"{self.name} takes {pace.milliseconds:.0f} ms for an inference, no faster than a plain loop would "
            f"({pace.times_yardstick:.2g} times its rate): it does not use this processor's vector units; install "
            'another version of it, or bear it with slow_engine = "allow" in [watch]'
        )


class PaceWatch:
    """A sink that finds out when inferences have become slow: the processor throttled, memory swapped.

    The median of the last 31 inferences is compared with the pace at the start: slow from 8 times that on, and as it
    should be again from 4 times on; below 20 ms nobody is troubled. Another model or engine is held against what it
    was proven with, else against its own first 31.

    Args:
        health: Told.
        pace: At the start.
    """

    def __init__(self, health: Health, pace: Pace) -> None:
        self._health = health
        self._pace: Pace | None = pace
        self._usual: float | None = pace.milliseconds
        self._coming: Pace | None = None
        self._runs: tuple[str, str] | None = None
        self._last: deque[float] = deque(maxlen=_WINDOW)
        self._is_slow = False
        self._tell_pace()

    def accept(self, finding: Finding) -> None:
        milliseconds = finding.milliseconds.get("infer")
        if milliseconds is None:
            return
        self._look_who(finding.model.sha256, finding.engine)
        self._last.append(milliseconds)
        if len(self._last) < _WINDOW:
            return
        median = sorted(self._last)[_WINDOW // 2]  # numpy would load 10 MB of itself for it
        if self._usual is None:
            self._usual = median
        usual = self._usual
        if not self._is_slow and median > max(_SLOWER * usual, _TRIFLE_MILLISECONDS):
            self._is_slow = True
            self._health.degrade(
                f"an inference takes {median:.0f} ms, {median / usual:.0f} times as long as at the start: is the "
                "processor throttled (heat, power supply), or memory short?",
                part="pace",
            )
        elif self._is_slow and median <= max(_NORMAL_AGAIN * usual, _TRIFLE_MILLISECONDS / 2.0):
            self._is_slow = False
            self._tell_pace()

    def renew(self, pace: Pace) -> None:
        """Another model or engine is about to answer; this pace was measured while others were being answered."""
        self._coming = pace

    def _look_who(self, model: str, engine: str) -> None:
        if self._runs is not None and self._runs != (model, engine):
            self._usual = None if self._coming is None else self._coming.milliseconds
            self._is_slow, self._pace, self._coming = False, None, None
            self._last.clear()
            self._tell_pace()
        self._runs = (model, engine)

    def _tell_pace(self) -> None:
        if self._pace is not None and self._pace.is_slow:
            self._health.degrade(
                f"the engine is slow for this machine: {self._pace.milliseconds:.0f} ms for an inference", part="pace"
            )
        else:
            self._health.recover(part="pace")


def _work(model: bytes) -> int:
    try:
        return multiply_adds(model)
    except ValueError:
        return 0  # that is for the engine to say


def _needs_cpuinfo(engine: Engine) -> bool:
    return engine.name.startswith(("ai-edge-litert", "tflite-runtime"))


def _is_readable(file: Path) -> bool:
    try:
        with file.open("rb"):
            return True
    except OSError:
        return False
