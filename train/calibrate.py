"""The temperature that makes stated probabilities match observed shares."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from train.evaluate import pneumonia_probability

_LOWEST, _HIGHEST = 0.25, 4.0


def fit_temperature(logits: NDArray[np.float32], pneumonia: NDArray[np.bool_]) -> float:
    """The temperature of least log loss of normal against pneumonia (Guo et al. 2017, arXiv:1706.04599).

    It should be fitted on validation images under shift as well as plain ones: on plain ones alone a model looks surer
    than it is elsewhere.

    Args:
        logits: ``float32`` of shape ``(n, 3)``.
        pneumonia: ``bool`` of shape ``(n,)``.

    Returns:
        Between 0.25 and 4.
    """

    def log_loss(log_temperature: float) -> float:
        probability = np.clip(pneumonia_probability(logits, float(np.exp(log_temperature))), 1e-7, 1 - 1e-7)
        # Each class counts half, as in training: the share of pneumonia in a data set is not that of a clinic.
        return -float(np.log(probability[pneumonia]).mean() + np.log(1 - probability[~pneumonia]).mean())

    found = minimize_scalar(log_loss, bounds=(np.log(_LOWEST), np.log(_HIGHEST)), method="bounded")
    return float(np.exp(found.x))
