"""What a run's report states: figures on validation, under shift and, when asked, on the official test split."""

from collections.abc import Callable

import keras
import msgspec
import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from train import acquisition, points, shift
from train.calibrate import fit_temperature
from train.evaluate import (
    Figures,
    Share,
    auc_with_interval,
    class_probabilities,
    figures,
    pneumonia_probability,
    share,
)
from train.fit import Labelled, predict_logits


class Scored(msgspec.Struct, frozen=True):
    """Probabilities of pneumonia and the truth, both ``(n,)``, and how well they agree."""

    probability: NDArray[np.float64]
    pneumonia: NDArray[np.bool_]
    figures: Figures

    @property
    def answers(self) -> points.Answers:
        """The probabilities and the truth."""
        return self.probability, self.pneumonia


class Types(msgspec.Struct, frozen=True):
    """Telling bacterial from viral pneumonia, among the images that show one of known type.

    Right is what is given the type with the larger share, whatever the probability of pneumonia.
    """

    images: int
    right: int
    accuracy: Share
    auc: float
    auc_low: float
    auc_high: float


class WithoutAcquisition(msgspec.Struct, frozen=True):
    """Areas under the ROC curve on validation when how a radiograph was taken gives its class away less.

    Attributes:
        acquisition: Of acquisition alone, on the images as they are.
        acquisition_weighted: The same under the weights that training draws by.
        model_weighted: Of the model under these weights.
    """

    acquisition: float
    acquisition_weighted: float
    model_weighted: float


class Judgement(msgspec.Struct, frozen=True):
    """All that a report is drawn from."""

    temperature: float
    points: points.OperatingPoints
    validation: Scored
    shifted: dict[str, Scored]
    types: Types
    without_acquisition: WithoutAcquisition
    test: Scored | None = None
    test_types: Types | None = None

    @property
    def threshold(self) -> float:
        """Of the default operating point."""
        return self.points.thresholds[self.points.default]

    def worst_shift(self) -> str:
        """The change under which the fewest images are right."""
        return min(self.shifted, key=lambda name: self.shifted[name].figures.right)


def judge(
    model: keras.Model,
    training: Labelled,
    validation: Labelled,
    test: Labelled | None,
    say: Callable[[str], None] = print,
) -> Judgement:
    """Judge a trained model.

    The default threshold is 0.5 of class-balanced training and is not fitted: a validation set cut from the training
    images has almost no shift, and its best threshold misleads elsewhere. The temperature is fitted on the plain and
    the shifted validation images together. It moves no probability across 0.5 but those between two near-equal types
    of pneumonia. ``points.choose`` takes the other operating points and the uncertain band from all of these images.

    Args:
        model: From grey pixels to logits.
        training: What it learned from; tells how acquisition gives classes away.
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
        points=points.choose({name: rows.answers for name, rows in scored.items()}),
        validation=scored.pop(""),
        shifted=scored,
        types=_types(logits[""], validation.targets),
        without_acquisition=_without_acquisition(training, validation, pneumonia_probability(logits[""])),
        test=tested,
        test_types=tested_types,
    )


def _score(logits: NDArray[np.float32], pneumonia: NDArray[np.bool_], temperature: float) -> Scored:
    probability = pneumonia_probability(logits, temperature)
    return Scored(probability, pneumonia, figures(probability, pneumonia))


def _without_acquisition(
    training: Labelled, validation: Labelled, probability: NDArray[np.float64]
) -> WithoutAcquisition:
    truth = validation.targets[:, 0] < 0.5
    told = acquisition.compare(training.pixels, training.targets[:, 0] < 0.5, validation.pixels).validation
    weights = acquisition.draw_weights(told, truth, acquisition.DEFAULT_CAP)
    if truth.all() or not truth.any():  # with one class alone there is no curve
        return WithoutAcquisition(0.5, 0.5, 0.5)
    areas = ((told, None), (told, weights), (probability, weights))
    return WithoutAcquisition(*(float(roc_auc_score(truth, scores, sample_weight=w)) for scores, w in areas))


def _types(logits: NDArray[np.float32], targets: NDArray[np.float32]) -> Types:
    known = (targets[:, 1] == 1) | (targets[:, 2] == 1)
    shares = class_probabilities(logits[known])[:, 1:]
    bacterial = shares[:, 0] / np.maximum(shares.sum(axis=1), 1e-12)
    truth = targets[known, 1] == 1
    right = int(((bacterial >= 0.5) == truth).sum())
    return Types(len(truth), right, share(right, len(truth)), *auc_with_interval(bacterial, truth))
