"""Every installed engine with every number of threads, timed in turns."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Literal

from edge_runtime.clock import Clock
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import GoldenReport, is_reproduced, verify_golden
from edge_runtime.model.engines import DEFAULT_ENGINE, ENGINES, Engine, EngineName, Runner, open_engine
from edge_runtime.model.engines.edgetpu_devices import find_devices

# So many inferences in a row of each candidate, so that it has the caches to itself, then the next candidate's.
_INFERENCES_IN_A_ROW: Final = 3
_LEAST_ROUNDS, _MOST_ROUNDS = 3, 30
_P95: Final = 18  # of the 19 cuts into twentieths

Open = Callable[[Bundle, int | None, EngineName], Engine]
Accelerate = Callable[[Bundle], Runner]
AcceleratorName = Literal["cpu", "edgetpu"]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One engine with one number of threads.

    Attributes:
        name: Of the engine, as ``--engine`` takes it.
        threads: For one inference.
        library: The library and its version, and the device.
        golden: How its outputs compare with the converter's.
        tolerance: How far they may be off, in integer steps.
        reproduced: Whether they are not further off.
        milliseconds: Of single inferences.
        accelerator: What runs them. On an Edge TPU ``name`` and ``threads`` are of what it leaves to the CPU.
    """

    name: EngineName
    threads: int
    library: str
    golden: GoldenReport
    tolerance: int
    reproduced: bool
    milliseconds: tuple[float, ...]
    accelerator: AcceleratorName = "cpu"

    @property
    def median(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def p95(self) -> float:
        return statistics.quantiles(self.milliseconds, n=20, method="inclusive")[_P95]


@dataclass(frozen=True, slots=True)
class _Candidate:
    name: EngineName
    threads: int
    engine: Runner
    golden: GoldenReport
    accelerator: AcceleratorName = "cpu"


def thread_counts(cpus: int) -> list[int]:
    """1, 2, 4 and so on, and the number of CPUs."""
    return sorted({cpus} | {2**power for power in range(cpus.bit_length()) if 2**power <= cpus})


def measure(
    bundle: Bundle,
    threads: Sequence[int],
    clock: Clock,
    *,
    seconds: float,
    engines: Iterable[EngineName] = ENGINES,
    open_engine: Open = open_engine,
    accelerators: Iterable[Accelerate] = (),
) -> tuple[list[Measurement], list[str]]:
    """Time every engine with every number of threads, in rounds, so that what else the machine does meets all alike.

    Args:
        bundle: Whose model runs, on its golden inputs.
        threads: How many.
        clock: For the durations.
        seconds: After which no further round begins; three rounds there are at least, and 30 at most.
        engines: By name.
        open_engine: Opens one.
        accelerators: Each opens an Edge TPU.

    Returns:
        The measurements, and a sentence for each engine that cannot be used.
    """
    candidates: list[_Candidate] = []
    missing: list[str] = []
    for name in engines:
        try:
            for count in threads:
                engine = open_engine(bundle, count, name)
                candidates.append(_Candidate(name, count, engine, verify_golden(engine, bundle.golden)))
        except EdgePneumoError as error:
            missing.append(str(error))
    for accelerate in accelerators:
        try:
            device = accelerate(bundle)
            golden = verify_golden(device, bundle.golden)
            candidates.append(_Candidate(DEFAULT_ENGINE, 1, device, golden, "edgetpu"))
        except EdgePneumoError as error:
            missing.append(str(error))
    times: list[list[float]] = [[] for _ in candidates]
    begin = clock.seconds()
    for number in range(_MOST_ROUNDS):
        if number >= _LEAST_ROUNDS and clock.seconds() - begin > seconds:
            break
        for candidate, found in zip(candidates, times, strict=True):
            found += _in_a_row(candidate.engine, bundle, clock)
    return [
        Measurement(
            name=c.name,
            threads=c.threads,
            library=c.engine.name,
            golden=c.golden,
            tolerance=c.engine.tolerance,
            reproduced=is_reproduced(c.golden, c.engine),
            milliseconds=tuple(found),
            accelerator=c.accelerator,
        )
        for c, found in zip(candidates, times, strict=True)
    ], missing


def recommend(measured: Iterable[Measurement]) -> Measurement | None:
    """The fastest of those that compute what the converter computed."""
    return min((m for m in measured if m.reproduced), key=lambda m: m.median, default=None)


def edge_tpus(root: Path | None = None) -> Iterator[Accelerate]:
    """What opens each of the machine's Edge TPUs, for ``measure``.

    Args:
        root: Where ``sys`` and ``dev`` lie; ``None`` for where a watcher looks.
    """
    from edge_runtime.model.engines.edgetpu import EdgeTpuEngine, library_name

    for device in find_devices(root):
        yield partial(EdgeTpuEngine, device=device.name, library=library_name())


def settings(best: Measurement, measured: Sequence[Measurement]) -> dict[str, str | int]:
    """What to set for the fastest. For an Edge TPU that is also the fastest engine without, which is its fallback."""
    cpu = recommend(m for m in measured if m.accelerator == "cpu") or best
    found: dict[str, str | int] = {"engine": cpu.name, "threads": cpu.threads}
    if any(m.accelerator != "cpu" for m in measured):
        found["accelerator"] = "cpu" if best.accelerator == "cpu" else "auto"
    return found


def _in_a_row(engine: Runner, bundle: Bundle, clock: Clock) -> list[float]:
    pixels = bundle.golden.pixels
    engine.invoke(pixels[:1])  # gets the caches back
    times = []
    for number in range(_INFERENCES_IN_A_ROW):
        place = number % len(pixels)
        start = clock.seconds()
        engine.invoke(pixels[place : place + 1])
        times.append(clock.milliseconds_since(start))
    return times
