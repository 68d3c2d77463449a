"""Figures of a model: from logits and truth to counts, AUC and calibration, with intervals."""

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

DEFAULT_THRESHOLD = 0.5


class Share(msgspec.Struct, frozen=True):
    """A count out of a count, with Wilson's 95% interval (Wilson 1927)."""

    count: int
    of: int
    value: float
    low: float
    high: float


class Figures(msgspec.Struct, frozen=True):
    """How well probabilities of pneumonia tell the two classes apart at one threshold."""

    images: int
    right: int
    accuracy: Share
    sensitivity: Share
    specificity: Share
    auc: float
    auc_low: float
    auc_high: float
    brier: float
    calibration_error: float
    threshold: float


def pneumonia_probability(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Probability of pneumonia: one less the softmax share of normal.

    Args:
        logits: ``float32`` of shape ``(n, 3)``: normal, bacterial, viral.
        temperature: Divides the logits (Guo et al. 2017, arXiv:1706.04599).

    Returns:
        ``float64`` of shape ``(n,)``.
    """
    return 1.0 - class_probabilities(logits, temperature)[:, 0]


def class_probabilities(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float64]:
    """Softmax over the classes: ``float64`` of shape ``(n, 3)``."""
    scaled = logits.astype(np.float64) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    shares = np.exp(scaled)
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))


def figures(
    probability: NDArray[np.float64], pneumonia: NDArray[np.bool_], threshold: float = DEFAULT_THRESHOLD
) -> Figures:
    """Judge probabilities against the truth, both of shape ``(n,)``."""
    called = probability >= threshold
    right = int((called == pneumonia).sum())
    auc, low, high = auc_with_interval(probability, pneumonia)
    return Figures(
        images=len(pneumonia),
        right=right,
        accuracy=share(right, len(pneumonia)),
        sensitivity=share(int((called & pneumonia).sum()), int(pneumonia.sum())),
        specificity=share(int((~called & ~pneumonia).sum()), int((~pneumonia).sum())),
        auc=auc,
        auc_low=low,
        auc_high=high,
        brier=float(np.mean((probability - pneumonia) ** 2)),
        calibration_error=expected_calibration_error(probability, pneumonia),
        threshold=threshold,
    )


def share(count: int, of: int) -> Share:
    """A share with its interval; of nothing, the whole range."""
    if of == 0:
        return Share(0, 0, 0.0, 0.0, 1.0)
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return Share(count, of, count / of, float(interval.low), float(interval.high))


def auc_with_interval(
    probability: NDArray[np.float64], pneumonia: NDArray[np.bool_], draws: int = 1000
) -> tuple[float, float, float]:
    """Area under the ROC curve with a 95% interval by bootstrap over the images (seeded, stratified by class).

    With one class alone there is no curve: ``(0.5, 0.0, 1.0)``.
    """
    positive, negative = probability[pneumonia], probability[~pneumonia]
    if not len(positive) or not len(negative):
        return 0.5, 0.0, 1.0
    rng = np.random.default_rng(0)
    ordered = np.sort(negative)
    # The AUC is the mean rank of the positives among the negatives (Mann and Whitney), so a draw of positives needs
    # only their ranks; the negatives are drawn by weights on the ordered ones.
    values = np.empty(draws)
    below, upto = np.searchsorted(ordered, positive, "left"), np.searchsorted(ordered, positive, "right")
    for i in range(draws):
        weight = np.concatenate(
            [[0], np.cumsum(rng.multinomial(len(ordered), np.full(len(ordered), 1 / len(ordered))))]
        )
        rank = (weight[below] + weight[upto]) / 2 / len(ordered)
        values[i] = rng.choice(rank, len(rank)).mean()
    low, high = np.quantile(values, [0.025, 0.975])
    return float(roc_auc_score(pneumonia, probability)), float(low), float(high)


def expected_calibration_error(probability: NDArray[np.float64], pneumonia: NDArray[np.bool_], bins: int = 15) -> float:
    """Mean distance between stated probability and observed share over equal bins (Naeini et al. 2015)."""
    index = np.minimum((probability * bins).astype(int), bins - 1)
    gaps = [
        abs(float(probability[index == b].mean()) - float(pneumonia[index == b].mean())) * float((index == b).mean())
        for b in range(bins)
        if (index == b).any()
    ]
    return float(sum(gaps))
