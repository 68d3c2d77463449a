"""The gate's numbers as one ``.npz``, the bundle's member ``gate.npz``."""

import io
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.gate.atlas import SIZE, Atlas
from edge_runtime.gate.features import FeatureStatistics
from edge_runtime.gate.statistics import Limits, as_array, from_array

# Makes the member a quarter as large; the converter rounds before it fits what depends on them.
_HALF: Final = frozenset({"features.whitening", "features.components"})
_EIGHT_BITS: Final = frozenset({"atlas.directions", "atlas.hidden"})
_STEP: Final = ".step"  # after the name of an array of integers, what one is worth in each row


class Gate(msgspec.Struct, frozen=True, eq=False):
    """What tells a readable frontal chest radiograph from anything else, as the converter fitted it."""

    limits: Limits
    atlas: Atlas
    features: FeatureStatistics


def to_bytes(gate: Gate) -> bytes:
    """The member; the same numbers give the same bytes."""
    arrays: dict[str, NDArray[Any]] = {"limits": np.stack([as_array(gate.limits.least), as_array(gate.limits.most)])}
    for part in ("atlas", "features"):
        numbers = getattr(gate, part)
        for field in msgspec.structs.fields(numbers):
            name = f"{part}.{field.name}"
            value = np.asarray(getattr(numbers, field.name))
            if name in _EIGHT_BITS:
                arrays[name + _STEP] = _steps(value)
                value = _integers(value, arrays[name + _STEP])
            arrays[name] = value.astype(np.float16) if name in _HALF else value
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


def from_bytes(data: bytes) -> Gate:
    """Read the member.

    Raises:
        ValueError: It does not hold a gate's numbers, or their shapes do not fit each other.
        zipfile.BadZipFile: It is no ``.npz``.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = dict(file.items())
    try:
        limits = Limits(*(from_array(row) for row in arrays["limits"]))
        gate = Gate(limits, Atlas(**_part("atlas", Atlas, arrays)), _features(arrays))
    except (KeyError, TypeError) as error:
        raise ValueError(f"the gate's numbers are incomplete ({error})") from error
    _check(gate)
    return gate


def halved(values: NDArray[Any]) -> NDArray[np.float32]:
    """What is left of numbers that the member keeps in half precision."""
    return values.astype(np.float16).astype(np.float32)


def in_eight_bits(values: NDArray[Any]) -> NDArray[np.float32]:
    """What is left of numbers ``(rows, columns)`` that the member keeps as ``int8``, with a step for each row."""
    steps = _steps(values)
    return _integers(values, steps) * steps


def _steps(values: NDArray[Any]) -> NDArray[np.float32]:
    # Powers of two, so that what was rounded once is stored as it is.
    largest = np.abs(values).max(axis=1, keepdims=True).astype(np.float64)
    return np.asarray(np.exp2(np.ceil(np.log2(np.maximum(largest, 1e-30) / 127))), np.float32)


def _integers(values: NDArray[Any], steps: NDArray[np.float32]) -> NDArray[np.int8]:
    return np.rint(values / steps).astype(np.int8)


def _features(arrays: dict[str, NDArray[Any]]) -> FeatureStatistics:
    return FeatureStatistics(**_part("features", FeatureStatistics, arrays))


def _part(name: str, kind: type, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        value = arrays[f"{name}.{field.name}"]
        if not np.isfinite(value).all():
            raise ValueError(f"the gate's {name}.{field.name} is not finite")
        found[field.name] = float(value) if value.ndim == 0 else value.astype(np.float32)
        steps = arrays.get(f"{name}.{field.name}{_STEP}")
        if steps is not None:
            found[field.name] *= steps
    return found


def _check(gate: Gate) -> None:
    a, f = gate.atlas, gate.features
    k, h = a.hidden.shape
    c, p = f.whitening.shape
    expected = (
        ((SIZE * SIZE,), a.mean),
        ((k, SIZE * SIZE), a.directions),
        ((k, k), a.whitening),
        ((h,), a.offsets),
        ((k + h + 2,), a.weights),
        ((c,), f.mean),
        ((c,), f.spread),
        ((c, p), f.components),
        ((len(f.classes), p), f.classes),
    )
    if any(array.shape != shape for shape, array in expected):
        raise ValueError("the gate's numbers do not fit each other")
