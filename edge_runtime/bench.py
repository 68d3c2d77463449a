"""``edge-pneumo bench``: which engine and how many threads answer fastest on this machine?"""

import argparse
import json
import os
import statistics
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.config import config
from edge_runtime.config import saving as settings_file
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import GoldenReport, is_reproduced, verify_golden
from edge_runtime.model.engines import ENGINES, Engine, EngineName, open_engine, usable_cpus
from edge_runtime.options import add_bundle_arguments, open_bundle, positive_integer

# So many inferences in a row of each candidate, so that it has the caches to itself, then the next candidate's.
_INFERENCES_IN_A_ROW: Final = 3
_LEAST_ROUNDS, _MOST_ROUNDS, _SECONDS = 3, 30, 20
_P95: Final = 18  # of the 19 cuts into twentieths

Open = Callable[[Bundle, int | None, EngineName], Engine]


@dataclass(frozen=True, slots=True)
class Measurement:
    """One engine with one number of threads.

    Attributes:
        name: Of the engine, as ``--engine`` takes it.
        threads: For one inference.
        library: The library and its version.
        golden: How its outputs compare with the converter's.
        tolerance: How far they may be off, in integer steps.
        reproduced: Whether they are not further off.
        milliseconds: Of single inferences.
    """

    name: EngineName
    threads: int
    library: str
    golden: GoldenReport
    tolerance: int
    reproduced: bool
    milliseconds: tuple[float, ...]

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
    engine: Engine
    golden: GoldenReport


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``bench``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--save", action="store_true", help="write the fastest that passes into the settings file")
    parser.add_argument(
        "--seconds", type=positive_integer, default=_SECONDS, metavar="N", help=f"about how long (default: {_SECONDS})"
    )
    add_bundle_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every installed engine; 0 when one computes what the converter computed, else 1.

    Raises:
        EdgePneumoError: The bundle cannot be used, or the settings not saved.
    """
    bundle = open_bundle(arguments)
    measured, missing = measure(bundle, thread_counts(usable_cpus()), SYSTEM_CLOCK, seconds=arguments.seconds)
    best = recommend(measured)
    file: Path = arguments.config or config.DEFAULT_FILE
    if best is not None and arguments.save:
        settings_file.save(file, {"engine": best.name, "threads": best.threads})
        _warn_of_variables()
    if arguments.json:
        saved = str(file) if best is not None and arguments.save else None
        print(json.dumps(_record(bundle, measured, missing, best) | {"saved": saved}))
    else:
        print(_table(bundle, measured, missing))
        print(_advice(best, file, saved=arguments.save))
    return 0 if best is not None else 1


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
) -> tuple[list[Measurement], list[str]]:
    """Time every engine with every number of threads, in rounds, so that what else the machine does meets all alike.

    Args:
        bundle: Whose model runs, on its golden inputs.
        threads: How many.
        clock: For the durations.
        seconds: After which no further round begins; three rounds there are at least, and 30 at most.
        engines: By name.
        open_engine: Opens one.

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
        )
        for c, found in zip(candidates, times, strict=True)
    ], missing


def recommend(measured: Iterable[Measurement]) -> Measurement | None:
    """The fastest of those that compute what the converter computed."""
    return min((m for m in measured if m.reproduced), key=lambda m: m.median, default=None)


def _in_a_row(engine: Engine, bundle: Bundle, clock: Clock) -> list[float]:
    pixels = bundle.golden.pixels
    engine.invoke(pixels[:1])  # gets the caches back
    times = []
    for number in range(_INFERENCES_IN_A_ROW):
        place = number % len(pixels)
        start = clock.seconds()
        engine.invoke(pixels[place : place + 1])
        times.append(clock.milliseconds_since(start))
    return times


def _warn_of_variables() -> None:
    for variable in (config.VARIABLES["engine"], config.VARIABLES["threads"]):
        if os.environ.get(variable):
            print(f"warning: {variable} is set and goes before the settings file; unset it", file=sys.stderr)


def _record(
    bundle: Bundle, measured: Sequence[Measurement], missing: Sequence[str], best: Measurement | None
) -> dict[str, Any]:
    return {
        "model": {"name": bundle.info.name, "sha256": bundle.sha256},
        "engines": [
            {
                "engine": m.name,
                "threads": m.threads,
                "library": m.library,
                "median_milliseconds": round(m.median, 3),
                "p95_milliseconds": round(m.p95, 3),
                "times_as_fast": round(measured[0].median / m.median, 3),
                "inferences": len(m.milliseconds),
                "largest_difference": m.golden.largest_difference,
                "tolerance": m.tolerance,
                "reproduced": m.reproduced,
            }
            for m in measured
        ],
        "missing": list(missing),
        "recommended": None if best is None else {"engine": best.name, "threads": best.threads},
    }


def _table(bundle: Bundle, measured: Sequence[Measurement], missing: Sequence[str]) -> str:
    lines = [f"model {bundle.info.name}, sha256 {bundle.sha256[:16]}"]
    if measured:
        width = max(len(m.library) for m in measured)
        lines.append(f"{'engine':{width}}  median ms   p95 ms  times as fast  golden vectors")
        lines += [
            f"{m.library:{width}}  {m.median:9.1f}  {m.p95:7.1f}  {measured[0].median / m.median:13.2f}  {_verdict(m)}"
            for m in measured
        ]
    return "\n".join(lines + [f"left out: {sentence}" for sentence in missing])


def _verdict(m: Measurement) -> str:
    difference = f"off by {m.golden.largest_difference} of {m.tolerance} steps"
    if m.golden.largest_difference == 0:
        return "identical"
    return difference if m.reproduced else f"{difference} allowed: NOT to be used"


def _advice(best: Measurement | None, file: Path, *, saved: bool) -> str:
    if best is None:
        return "No engine here computes what the model's converter computed: install another version of one."
    choice = f"--engine {best.name} --threads {best.threads}"
    if saved:
        return f"The fastest that passes is {choice}; saved in {file}."
    return f"The fastest that passes is {choice}; --save writes it into {file}."
