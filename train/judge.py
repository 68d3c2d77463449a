"""What a run's report states: figures on validation, under shift and, when asked, on the official test split."""

from collections.abc import Callable

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from train import shift
from train.calibrate import fit_temperature
from train.evaluate import DEFAULT_THRESHOLD, Figures, class_probabilities, figures, pneumonia_probability
from train.fit import Labelled, predict_logits


class Scored(msgspec.Struct, frozen=True):
    """Probabilities of pneumonia and the truth, both ``(n,)``, and how well they agree."""

    probability: NDArray[np.float64]
    pneumonia: NDArray[np.bool_]
    figures: Figures


class Types(msgspec.Struct, frozen=True):
    """Telling bacterial from viral pneumonia, among the images that show one."""

    images: int
    right: int
    auc: float


class Judgement(msgspec.Struct, frozen=True):
    """All that a report is drawn from."""

    temperature: float
    threshold: float
    validation: Scored
    shifted: dict[str, Scored]
    types: Types
    test: Scored | None = None
    test_types: Types | None = None

    def worst_shift(self) -> str:
        """The change under which the fewest images are right."""
        return min(self.shifted, key=lambda name: self.shifted[name].figures.right)


def judge(
    model: keras.Model, validation: Labelled, test: Labelled | None, say: Callable[[str], None] = print
) -> Judgement:
    """Judge a trained model.

    The threshold is 0.5 of class-balanced training and is not fitted: a validation set cut from the training images has
    almost no shift, and its best threshold misleads elsewhere. The temperature is fitted on the plain and the shifted
    validation images together. It moves no probability across 0.5 but those between two near-equal types of pneumonia.

    Args:
        model: From grey pixels to logits.
        validation: Images cut from train by patient.
        test: The official test split, or ``None`` to leave it unseen.
        say: Takes a line for each step.
    """
    say("Judging on validation images, plain and under shift")
    logits = {"": predict_logits(model, validation.pixels)}
    for name, change in track(shift.CHANGES.items(), "Judging under shift", transient=True):
        logits[name] = predict_logits(model, shift.changed(validation.pixels, change))
    truth = validation.targets[:, 0] < 0.5
    temperature = fit_temperature(np.concatenate(list(logits.values())), np.tile(truth, len(logits)))
    scored = {name: _score(rows, truth, temperature) for name, rows in logits.items()}
    tested, tested_types = None, None
    if test is not None:
        say("Judging on the official test split")
        rows = predict_logits(model, test.pixels)
        tested, tested_types = _score(rows, test.targets[:, 0] < 0.5, temperature), _types(rows, test.targets)
    return Judgement(
        temperature=temperature,
        threshold=DEFAULT_THRESHOLD,
        validation=scored.pop(""),
        shifted=scored,
        types=_types(logits[""], validation.targets),
        test=tested,
        test_types=tested_types,
    )


def _score(logits: NDArray[np.float32], pneumonia: NDArray[np.bool_], temperature: float) -> Scored:
    probability = pneumonia_probability(logits, temperature)
    return Scored(probability, pneumonia, figures(probability, pneumonia))


def _types(logits: NDArray[np.float32], targets: NDArray[np.float32]) -> Types:
    known = (targets[:, 1] == 1) | (targets[:, 2] == 1)
    shares = class_probabilities(logits[known])[:, 1:]
    bacterial = shares[:, 0] / np.maximum(shares.sum(axis=1), 1e-12)
    found = figures(bacterial, targets[known, 1] == 1)
    return Types(found.images, found.right, found.auc)
