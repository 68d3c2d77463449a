import numpy as np
import pytest

from convert.reference import reference
from edge_runtime.drift import DISTANCE_EDGES, PROBABILITY_EDGES, bin_of

PROBABILITIES = np.array([0.001, 0.999, np.nan, 0.6])
DISTANCES = np.array([0.31, 0.5, 1.3, np.nan])
PNEUMONIA = np.array([False, True, True, True])


def test_counts_by_class_what_was_answered_and_reached() -> None:
    made = reference(PROBABILITIES, DISTANCES, PNEUMONIA)

    assert (made.probability.edges, made.distance.edges) == (PROBABILITY_EDGES, DISTANCE_EDGES)
    assert (sum(made.probability.counts), sum(made.probability.positive)) == (3, 2)
    assert (sum(made.distance.counts), sum(made.distance.positive)) == (3, 2)
    normal = bin_of(PROBABILITY_EDGES, 0.001)
    assert (made.probability.counts[normal], made.probability.positive[normal]) == (1, 0)
    refused = bin_of(DISTANCE_EDGES, 1.3)
    assert (made.distance.counts[refused], made.distance.positive[refused]) == (1, 1)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"distances": DISTANCES[:3]}, "4,.*3,"),
        ({"pneumonia": np.ones(4, bool)}, "normal and pneumonia"),
        ({"probabilities": PROBABILITIES + 1.0}, "from 0 to 1"),
        ({"distances": -DISTANCES}, "from 0 up"),
    ],
)
def test_what_cannot_be_is_refused(change: dict[str, np.ndarray], sentence: str) -> None:
    arguments = {"probabilities": PROBABILITIES, "distances": DISTANCES, "pneumonia": PNEUMONIA} | change

    with pytest.raises(ValueError, match=sentence):
        reference(**arguments)
