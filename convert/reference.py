"""What drift is measured against: the int8 model's answers to the validation radiographs, as histograms."""

import numpy as np
from numpy.typing import NDArray

from edge_runtime.drift import DISTANCE_EDGES, PROBABILITY_EDGES, histogram
from edge_runtime.model.bundle import Reference


def reference(
    probabilities: NDArray[np.floating], distances: NDArray[np.floating], pneumonia: NDArray[np.bool_]
) -> Reference:
    """Count what the device would say of the validation images, normal and pneumonia told apart.

    Args:
        probabilities: Of pneumonia, calibrated, by the int8 model: shape ``(n,)``, 0 to 1. NaN where the gate refused
            the image, because a device gives no probability then.
        distances: By the gate: shape ``(n,)``, 1.0 at its limit. NaN where it was not reached.
        pneumonia: Which of them are labelled so: shape ``(n,)``.

    Returns:
        Histograms between the edges that the journal counts between, ``drift.PROBABILITY_EDGES`` (steps of one in the
        log odds) and ``drift.DISTANCE_EDGES`` (steps of 0.025 up to the limit).

    Raises:
        ValueError: The shapes differ, a probability is not in 0 to 1, a distance is negative, or one class is missing.
    """
    if not probabilities.shape == distances.shape == pneumonia.shape or probabilities.ndim != 1:
        raise ValueError(f"{probabilities.shape} probabilities, {distances.shape} distances, {pneumonia.shape} labels")
    if not pneumonia.any() or pneumonia.all():
        raise ValueError("a reference needs normal and pneumonia radiographs")
    if np.any((probabilities < 0.0) | (probabilities > 1.0)) or np.any(distances < 0.0):
        raise ValueError("probabilities lie from 0 to 1, distances from 0 up")
    answered, reached = ~np.isnan(probabilities), ~np.isnan(distances)
    return Reference(
        probability=histogram(PROBABILITY_EDGES, probabilities[answered].tolist(), pneumonia[answered].tolist()),
        distance=histogram(DISTANCE_EDGES, distances[reached].tolist(), pneumonia[reached].tolist()),
    )
