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
    """

    temperature: float
    points: dict[str, float]
    default: str

    @property
    def threshold(self) -> float:
        """Of the default point."""
        return self.points[self.default]


def read(folder: Path, temperature: float | None = None) -> Operating:
    """Read ``operating.json``, else ``metrics.json``; without either, temperature 1 and a threshold of 0.5.

    The file is an object with any of ``temperature``; ``threshold``, that of the point ``balanced``; or more than one
    point as ``operating_points`` (name to ``{"threshold": 0..1}``) and ``default_operating_point``.

    Args:
        folder: The trained model's.
        temperature: Overrides the file's.

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
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path} holds no operating points that can be read: train again or remove it.") from error
    if not kept > 0 or default not in points or not all(0 <= value <= 1 for value in points.values()):
        raise UsageError(
            f"The operating points of {path or 'the command line'} make no sense: the temperature must be above 0, "
            "thresholds between 0 and 1, and the default one of them."
        )
    return Operating(kept, points, default)
