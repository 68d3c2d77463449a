"""The temperature and the operating points that training fixed, read from beside the model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_runtime.errors import UsageError

_FILES = ("operating.json", "metrics.json")


@dataclass(frozen=True)
class Operating:
    """How logits become a label.

    Attributes:
        temperature: Divides the logits before the softmax (Guo et al. 2017, arXiv:1706.04599).
        points: Probability of pneumonia from which the label is PNEUMONIA, by the point's name.
        default: The point used unless another is chosen.
        uncertain: The lowest and the highest probability at which an answer is worth little; ``None`` where training
            did not say.
    """

    temperature: float
    points: dict[str, float]
    default: str
    uncertain: tuple[float, float] | None = None

    @property
    def threshold(self) -> float:
        """Of the default point."""
        return self.points[self.default]


def read(folder: Path, temperature: float | None = None) -> Operating:
    """Read ``operating.json``, else ``metrics.json``; without either, temperature 1 and a threshold of 0.5.

    The file is an object with any of ``temperature``; ``threshold``, that of the point ``balanced``; or more than one
    point as ``operating_points`` (name to ``{"threshold": 0..1}``) and ``default_operating_point``; and ``uncertain``
    (``{"low": 0..1, "high": 0..1}``, around the default threshold).

    Args:
        folder: The trained model's.
        temperature: Overrides the file's. The thresholds stay as they are, although they were chosen at that one.

    Raises:
        UsageError: The file is damaged or a number in it makes no sense.
    """
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    try:
        record: dict[str, Any] = {} if path is None else json.loads(path.read_text(encoding="utf-8"))
        points = {str(n): float(p["threshold"]) for n, p in record.get("operating_points", {}).items()}
        points = points or {"balanced": float(record.get("threshold", 0.5))}
        default = str(record.get("default_operating_point", "balanced" if "balanced" in points else next(iter(points))))
        kept = float(record.get("temperature", 1.0)) if temperature is None else temperature
        band = record.get("uncertain")
        uncertain = None if band is None else (float(band["low"]), float(band["high"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no operating points that can be read: train again or remove it.") from error
    if not kept > 0 or default not in points or not all(0 <= value <= 1 for value in points.values()):
        raise UsageError(
            f"The operating points of {path or 'the command line'} make no sense: the temperature must be above 0, "
            "thresholds between 0 and 1, and the default one of them."
        )
    if uncertain is not None and not 0 <= uncertain[0] <= points[default] <= uncertain[1] <= 1:
        raise UsageError(
            f"The uncertain band of {path} makes no sense: it must lie between 0 and 1 and hold the default threshold."
        )
    return Operating(kept, points, default, uncertain)
