"""Where a training stands, on disk after every epoch, so that it can go on to the same result."""

import os
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

_FILE = "checkpoint.npz"


def save(folder: Path, model: keras.Model, epochs_done: int) -> None:
    """Write the model's and the optimizer's variables, atomically."""
    arrays = {f"model_{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(model.variables)}
    arrays |= {
        f"optimizer_{i}": keras.ops.convert_to_numpy(variable) for i, variable in enumerate(model.optimizer.variables)
    }
    partial = folder / f"{_FILE}.part"
    with partial.open("wb") as file:
        np.savez(file, epochs_done=np.array(epochs_done), **arrays)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(folder / _FILE)


def epochs_done(folder: Path) -> int:
    """Epochs a training has behind it; 0 where there is no checkpoint."""
    path = folder / _FILE
    if not path.exists():
        return 0
    with np.load(path) as arrays:
        return int(arrays["epochs_done"])


def restore(folder: Path, model: keras.Model) -> None:
    """Set the model's variables as they were."""
    _assign(folder, "model", model.variables)


def restore_optimizer(folder: Path, model: keras.Model) -> None:
    """Set the variables of a compiled model's optimizer as they were, to go on within a stage."""
    _assign(folder, "optimizer", model.optimizer.variables)


def _assign(folder: Path, kind: str, variables: Sequence[keras.Variable]) -> None:
    with np.load(folder / _FILE) as arrays:
        for i, variable in enumerate(variables):
            variable.assign(arrays[f"{kind}_{i}"])
