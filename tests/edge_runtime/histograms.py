"""Radiographs as the journal counts them: drawn probabilities and distances, and a reference made of such."""

import numpy as np
from numpy.typing import NDArray

from convert.reference import reference
from edge_runtime.model.bundle import Reference

VALIDATED, ILL = 700, 0.74

Drawn = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]


def draw(rng: np.random.Generator, count: int, *, ill: float = ILL) -> Drawn:
    """Probabilities, distances and labels; the ill are further from the training radiographs."""
    pneumonia = rng.random(count) < ill
    logits = np.where(pneumonia, rng.normal(5.0, 2.5, count), rng.normal(-4.0, 2.0, count))
    distances = np.where(pneumonia, rng.normal(0.62, 0.1, count), rng.normal(0.55, 0.08, count))
    return 1.0 / (1.0 + np.exp(-logits)), np.abs(distances), pneumonia


def drawn_reference(rng: np.random.Generator) -> Reference:
    return reference(*draw(rng, VALIDATED))
