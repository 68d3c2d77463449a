"""The report's pictures."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from train.fit import Epoch
from train.judge import Scored

mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10})


def learning_curves(histories: Mapping[str, Sequence[Epoch]], path: Path) -> None:
    """Training loss and validation AUC by epoch, a line for each network that was trained."""
    figure = Figure((7, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, history in histories.items():
        epochs = [line.epoch for line in history]
        left.plot(epochs, [line.loss for line in history], label=name)
        (curve,) = right.plot(epochs, [line.validation.auc for line in history], label=name)
        for before, after in itertools.pairwise(history):
            if before.size != after.size:
                right.plot(after.epoch, after.validation.auc, "o", color=curve.get_color(), markersize=4)
                right.annotate(f"{after.size} px", (after.epoch, after.validation.auc), fontsize=7, color="0.4")
    left.set(xlabel="epoch", ylabel="training loss")
    right.set(xlabel="epoch", ylabel="validation AUC")
    if len(histories) > 1:
        right.legend(fontsize=8)
    figure.savefig(path, dpi=110)


def roc(curves: Mapping[str, Scored], path: Path) -> None:
    """Receiver operating characteristic of each set, the threshold in use marked."""
    figure = Figure((4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    for name, scored in curves.items():
        false_positive, true_positive, _ = roc_curve(scored.pneumonia, scored.probability)
        (line,) = axes.plot(false_positive, true_positive, label=f"{name}, AUC {scored.figures.auc:.3f}")
        found = scored.figures
        axes.plot(1 - found.specificity.value, found.sensitivity.value, "o", color=line.get_color())
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(-0.01, 1), ylim=(0, 1.01))
    axes.legend(loc="lower right", fontsize=8)
    figure.savefig(path, dpi=110)


def confusion(scored: Scored, title: str, path: Path) -> None:
    """Counts of truth against answer."""
    called = scored.probability >= scored.figures.threshold
    counts = np.array([[((scored.pneumonia == t) & (called == c)).sum() for c in (False, True)] for t in (False, True)])
    figure = Figure((3.6, 3.4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        dark = count > 0.5 * counts[row].sum()
        axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black", fontsize=14)
    names = ("normal", "pneumonia")
    axes.set_xticks((0, 1), names)
    axes.set_yticks((0, 1), names)
    axes.set(xlabel="answer", ylabel="truth", title=title)
    figure.savefig(path, dpi=110)


def reliability(scored: Mapping[str, Scored], path: Path, bins: int = 10) -> None:
    """Observed share of pneumonia against the stated probability."""
    figure = Figure((4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.plot((0, 1), (0, 1), color="0.8", linewidth=1)
    for name, rows in scored.items():
        index = np.minimum((rows.probability * bins).astype(int), bins - 1)
        filled = [b for b in range(bins) if (index == b).any()]
        stated = [rows.probability[index == b].mean() for b in filled]
        seen = [rows.pneumonia[index == b].mean() for b in filled]
        axes.plot(stated, seen, "o-", label=f"{name}, ECE {rows.figures.calibration_error:.3f}")
    axes.set(xlabel="stated probability of pneumonia", ylabel="observed share", xlim=(0, 1), ylim=(0, 1))
    axes.legend(loc="upper left", fontsize=8)
    figure.savefig(path, dpi=110)
