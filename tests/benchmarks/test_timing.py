from collections.abc import Callable

import pytest

from benchmarks.timing import compare, in_turns, percentile95


def test_candidates_take_turns_and_go_backwards_every_other_round() -> None:
    asked = []

    def candidate(name: str) -> Callable[[], list[float]]:
        def time() -> list[float]:
            asked.append(name)
            return [float(len(asked))]

        return time

    times = in_turns({name: candidate(name) for name in "abc"}, 3)

    assert "".join(asked) == "abccbaabc"
    assert times == {"a": [[1.0], [6.0], [7.0]], "b": [[2.0], [5.0], [8.0]], "c": [[3.0], [4.0], [9.0]]}


def test_the_ratio_is_taken_within_a_round() -> None:
    # The machine is three times slower in the second round: the ratio does not see it.
    times = {"base": [[10.0, 10.0, 11.0], [30.0, 30.0, 30.0]], "peer": [[20.0, 20.0, 90.0], [60.0, 60.0, 60.0]]}

    found = compare(times, "base")

    assert (found["base"].ratio, found["peer"].ratio) == (1.0, 2.0)
    assert found["peer"].median == 60.0


@pytest.mark.parametrize(("times", "expected"), [([5.0], 5.0), ([float(n) for n in range(101)], 95.0)])
def test_of_a_hundred_times_five_are_longer_than_the_percentile(times: list[float], expected: float) -> None:
    assert percentile95(times) == pytest.approx(expected)
