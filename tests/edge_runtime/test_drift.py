import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime import drift
from edge_runtime.drift import DISTANCE_EDGES, FEWEST, PROBABILITY_EDGES, histogram, judge, stability_index
from edge_runtime.model.bundle import Histogram
from tests.edge_runtime.histograms import draw, drawn_reference

DRAWS = 50


def index_of(observed: tuple[int, ...], reference: tuple[int, ...]) -> drift.Comparison:
    edges = tuple(float(edge) for edge in range(len(observed) + 1))
    return drift.compare(Histogram(edges, observed), Histogram(edges, reference))


def drawn_drift(rng: np.random.Generator, count: int, ill: float, *, farther: float = 0.0) -> drift.Drift:
    reference = drawn_reference(rng)
    probabilities, distances, _ = draw(rng, count, ill=ill)
    return judge(histogram(DISTANCE_EDGES, distances + farther), histogram(PROBABILITY_EDGES, probabilities), reference)


# Histograms


def test_bins_hold_their_lower_edge_and_what_lies_outside() -> None:
    edges = (0.0, 1.0, 2.0)

    assert [drift.bin_of(edges, value) for value in (-5.0, 0.0, 0.999, 1.0, 2.0, 9.0)] == [0, 0, 0, 1, 1, 1]


def test_counts_with_and_without_labels() -> None:
    values = [0.1, 0.2, 1.5]

    assert histogram((0.0, 1.0, 2.0), values) == Histogram((0.0, 1.0, 2.0), (2, 1))
    assert histogram((0.0, 1.0, 2.0), values, [True, False, True]) == Histogram((0.0, 1.0, 2.0), (2, 1), (1, 1))


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_is_not_counted(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be counted"):
        histogram((0.0, 1.0), [value])


def test_the_edges_are_those_the_documents_state() -> None:
    assert len(PROBABILITY_EDGES) == 19
    np.testing.assert_allclose(scipy.special.logit(PROBABILITY_EDGES[1:-1]), np.arange(-8, 9), atol=2e-3)
    assert (PROBABILITY_EDGES[0], PROBABILITY_EDGES[-1]) == (0.0, 1.0)
    assert DISTANCE_EDGES[:3] == (0.0, 0.025, 0.05)
    assert DISTANCE_EDGES[40:] == (1.0, 1.25, 1.5, 2.0, 4.0)


# The index


def test_the_index_by_hand() -> None:
    # With half a count added to each bin: 10.5 and 30.5 of 41 against 20.5 and 20.5 of 41.
    expected = (10.5 - 20.5) / 41 * math.log(10.5 / 20.5) + (30.5 - 20.5) / 41 * math.log(30.5 / 20.5)

    assert stability_index([10, 30], [20, 20]) == pytest.approx(expected)
    assert expected == pytest.approx(0.26009, abs=1e-5)


COUNTS = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=12)


@given(COUNTS)
def test_the_index_is_symmetric_finite_and_never_negative(pairs: list[tuple[int, int]]) -> None:
    counts, expected = zip(*pairs, strict=True)

    index = stability_index(counts, expected)

    assert math.isfinite(index)
    assert index >= 0.0
    assert index == pytest.approx(stability_index(expected, counts))
    assert stability_index(counts, counts) == 0.0


@pytest.mark.parametrize(("degrees", "within"), [(1, 0.031), (2, 0.024), (4, 0.015), (9, 0.007), (20, 0.003)])
def test_the_chi_square_quantile_is_near_and_on_the_careful_side(degrees: int, within: float) -> None:
    exact = scipy.stats.chi2.ppf(0.999, degrees)

    assert exact < drift.chi_square_quantile(degrees, 0.999) < exact * (1.0 + within)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=45).filter(any))
def test_pools_cover_every_bin_once_and_hold_a_tenth_each(counts: list[int]) -> None:
    shares = [count / sum(counts) for count in counts]

    groups = drift.pools(shares)

    assert [bin_ for start, end in groups for bin_ in range(start, end)] == list(range(len(counts)))
    assert all(sum(shares[start:end]) >= 0.1 - 1e-6 for start, end in groups)


# Verdicts


def test_too_few_are_no_verdict() -> None:
    few = index_of((0, FEWEST - 1), (500, 500))
    enough = index_of((0, FEWEST), (500, 500))

    assert few == drift.Comparison(FEWEST - 1, "too few")
    assert enough.verdict == "shifted"


@pytest.mark.parametrize(
    ("observed", "verdict"), [((5000, 5000), "like"), ((6800, 3200), "moderate"), ((8000, 2000), "shifted")]
)
def test_many_are_judged_by_the_usual_reading(observed: tuple[int, int], verdict: str) -> None:
    assert index_of(observed, (5000, 5000)).verdict == verdict


def test_what_chance_can_do_to_a_few_is_no_drift() -> None:
    found = index_of((17, 33), (500, 500))

    assert found.index is not None
    assert found.limit is not None
    assert 0.1 < found.index < found.limit
    assert found.verdict == "like"


def test_a_reference_in_one_place_says_nothing() -> None:
    assert index_of((30, 30), (0, 500)).verdict == "like"


def test_other_edges_and_an_empty_reference_are_refused() -> None:
    with pytest.raises(ValueError, match="different edges"):
        drift.compare(Histogram((0.0, 1.0), (60,)), Histogram((0.0, 2.0), (60,)))
    with pytest.raises(ValueError, match="nothing in the reference"):
        index_of((60,), (0,))


@pytest.mark.parametrize("count", [FEWEST, 200, 1000])
@pytest.mark.parametrize("ill", [0.74, 0.2, 0.02])
def test_no_alarm_without_drift_whatever_the_patients(count: int, ill: float) -> None:
    rng = np.random.default_rng([count, int(100 * ill)])

    found = [drawn_drift(rng, count, ill) for _ in range(DRAWS)]

    # Of 100 comparisons, each wrong at most once in a thousand, two wrong ones are as likely as 1 in 200.
    verdicts = [verdict for one in found for verdict in (one.distance.verdict, one.probability.verdict)]
    assert sum(verdict != "like" for verdict in verdicts) <= 1
    mixes = [one.probability.mix or 0.0 for one in found]
    assert np.mean(mixes) == pytest.approx(ill, abs=0.03)


@pytest.mark.parametrize("ill", [0.74, 0.2])
def test_radiographs_that_look_different_are_noticed_whatever_the_patients(ill: float) -> None:
    rng = np.random.default_rng(5)

    found = [drawn_drift(rng, 100, ill, farther=0.1) for _ in range(20)]

    assert [one.distance.verdict for one in found] == ["shifted"] * 20
    assert sum(one.probability.verdict == "like" for one in found) >= 19


def test_answers_that_no_mix_explains_are_noticed() -> None:
    rng = np.random.default_rng(6)
    reference = drawn_reference(rng)
    _, distances, _ = draw(rng, 200)

    found = judge(
        histogram(DISTANCE_EDGES, distances), histogram(PROBABILITY_EDGES, rng.uniform(0.2, 0.8, 200)), reference
    )

    assert found.probability.verdict == "shifted"


def test_without_labels_the_reference_is_taken_as_it_is() -> None:
    edges = (0.0, 0.5, 1.0)
    well = Histogram(edges, (90, 10))

    told_apart = drift.compare(well, Histogram(edges, (300, 700), (10, 690)))
    as_it_is = drift.compare(well, Histogram(edges, (300, 700)))

    assert told_apart.verdict == "like"
    assert told_apart.mix == pytest.approx(0.07, abs=0.03)
    assert as_it_is.mix is None
    assert as_it_is.verdict == "shifted"
