import io
import zipfile

import numpy as np
import pytest
from msgspec.structs import fields, replace

from edge_runtime.gate.store import Gate, from_bytes, halved, in_eight_bits, to_bytes
from tests.gates import wide_open


def test_what_is_stored_is_read() -> None:
    gate = wide_open(5)

    read = from_bytes(to_bytes(gate))

    assert read.limits == gate.limits
    for part in ("atlas", "features"):
        for field in fields(getattr(gate, part)):
            expected = getattr(getattr(gate, part), field.name)
            np.testing.assert_array_equal(getattr(getattr(read, part), field.name), expected)
    assert to_bytes(gate) == to_bytes(read)


def test_rounding_is_what_storing_does() -> None:
    gate = wide_open(5)
    rng = np.random.default_rng(0)
    given = rng.standard_normal(gate.atlas.directions.shape)
    directions = in_eight_bits(given)
    components = halved(rng.standard_normal(gate.features.components.shape))

    read = from_bytes(
        to_bytes(
            Gate(
                gate.limits,
                replace(gate.atlas, directions=directions),
                replace(gate.features, components=components),
            )
        )
    )

    np.testing.assert_array_equal(read.atlas.directions, directions)
    np.testing.assert_array_equal(read.features.components, components)
    assert (np.abs(directions - given).max(axis=1) <= np.abs(given).max(axis=1) / 127).all()


def test_numbers_that_do_not_fit_each_other_are_refused() -> None:
    gate = wide_open(5)

    with pytest.raises(ValueError, match="do not fit"):
        from_bytes(to_bytes(replace(gate, features=replace(gate.features, spread=np.ones(4, np.float32)))))


def test_numbers_that_are_none_are_refused() -> None:
    gate = wide_open(5)

    with pytest.raises(ValueError, match=r"atlas\.farthest is not finite"):
        from_bytes(to_bytes(replace(gate, atlas=replace(gate.atlas, farthest=float("nan")))))


def test_missing_numbers_are_refused() -> None:
    file = io.BytesIO()
    np.savez(file, limits=np.zeros((2, 4)))

    with pytest.raises(ValueError, match="incomplete"):
        from_bytes(file.getvalue())


def test_a_foreign_file_is_refused() -> None:
    with pytest.raises((zipfile.BadZipFile, ValueError)):
        from_bytes(b"hello")
