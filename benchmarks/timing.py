"""Comparing things that are timed in turns: round after round, so that what else the machine does meets all alike."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

Key = TypeVar("Key")


@dataclass(frozen=True)
class Timed:
    """What the rounds of one candidate say.

    Attributes:
        median: Milliseconds, over all of its inferences.
        p95: Likewise.
        ratio: Its time over the baseline's: the median, over the rounds, of the ratio of the two medians in the round.
    """

    median: float
    p95: float
    ratio: float


def in_turns(candidates: Mapping[Key, Callable[[], Sequence[float]]], rounds: int) -> dict[Key, list[Sequence[float]]]:
    """Ask each candidate for its milliseconds, one after the other, ``rounds`` times; every other round backwards."""
    times: dict[Key, list[Sequence[float]]] = {key: [] for key in candidates}
    for number in range(rounds):
        order = list(candidates) if number % 2 == 0 else list(candidates)[::-1]
        for key in order:
            times[key].append(candidates[key]())
    return times


def compare(times: Mapping[Key, Sequence[Sequence[float]]], baseline: Key) -> dict[Key, Timed]:
    """Sum up rounds in relation to those of the baseline."""
    base = [statistics.median(found) for found in times[baseline]]
    summed = {}
    for key, rounds in times.items():
        everything = [one for found in rounds for one in found]
        ratios = [statistics.median(found) / other for found, other in zip(rounds, base, strict=True)]
        summed[key] = Timed(statistics.median(everything), percentile95(everything), statistics.median(ratios))
    return summed


def percentile95(times: Sequence[float]) -> float:
    return times[0] if len(times) == 1 else statistics.quantiles(times, n=20, method="inclusive")[-1]
