from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from convert import flatbuffer, quantize, ranges
from convert.edgetpu.operators import Readiness, examine
from convert.flatbuffer import Contents, Operator, Tensor
from edge_runtime.model import bundle, installed
from tests.convert.models import noise, tiny_network


def _map(*shape: int, dtype: str = "int8", dynamic: bool = False) -> Tensor:
    return Tensor(0, "map", dtype, shape, (0.1,), (0,), dynamic=dynamic)


def _constant(values: Any, dtype: str = "int8", index: int = 1) -> Tensor:
    array = np.asarray(values, dtype)
    return Tensor(index, "constant", dtype, array.shape, (0.1,), (0,), array.tobytes())


def _examine(operator: Operator) -> Readiness:
    return examine(Contents(operator.inputs[:1], operator.outputs, (operator,)))


def _conv(**options: int) -> Operator:
    same = {"dilationHFactor": 1, "dilationWFactor": 1}
    kernel, bias = _constant(np.zeros((4, 3, 3, 2))), _constant(np.zeros(4), "int32", 2)
    return Operator("CONV_2D", (_map(1, 8, 8, 2), kernel, bias), (_map(1, 8, 8, 4),), same | options)


def _mean(shape: tuple[int, ...], *axes: int) -> Operator:
    return Operator("MEAN", (_map(*shape), _constant(axes, "int32")), (_map(1, 3),))


@pytest.mark.parametrize("name", installed.names())
def test_every_operator_of_a_shipped_bundle_is_mapped(name: str) -> None:
    found = examine(flatbuffer.read(bundle.read(installed.path(name)).tflite))

    assert found.faults == ()
    # The full one's weights are streamed for each image; every other has to stay on the chip.
    assert found.fits == (name != "full")


def test_the_sizes_are_those_of_the_graph() -> None:
    folded, pixels = tiny_network(size=16), noise(8, 16)
    limits = ranges.choose(folded, ranges.observe(folded, pixels), "minmax")

    found = examine(flatbuffer.read(quantize.quantize(folded, limits, "tf-lite-converter")))

    kernels, biases = 9 * 6 + 9 * 6 * 8 + 8 * 3, 4 * (6 + 8 + 3)
    axes = 4 * 2
    assert found.weights == kernels + biases + axes
    assert found.activations == 16 * 16 * 6 + 8 * 8 * 6
    assert found.operators == 7
    assert found.mapped
    assert found.fits


@pytest.mark.parametrize(
    ("operator", "reason"),
    [
        (Operator("HARD_SWISH", (_map(1, 8, 8, 2),), (_map(1, 8, 8, 2),)), "not in the list"),
        (_conv(dilationHFactor=2), "not dilated alike"),
        (replace(_conv(), inputs=(_map(1, 8, 8, 2), _map(4, 3, 3, 2))), "not constant"),
        (replace(_conv(), outputs=(_map(1, 8, 8, 4, dtype="float32"),)), "feature map is not of 8 bits"),
        (replace(_conv(), inputs=(_map(1, 8, 8, 2), _constant(np.zeros((4, 3, 3, 2)), "float32"))), "parameter is not"),
        (replace(_conv(), outputs=(_map(1, 8, 8, 4, dynamic=True),)), "not known at compile time"),
        (replace(_conv(), outputs=(_map(2, 8, 8, 4),)), "outside the three innermost"),
        (Operator("MAX_POOL_2D", (_map(1, 8, 8, 2),), (_map(1, 4, 4, 2),), {"fusedActivationFunction": 1}), "fused"),
        (_mean((1, 8, 8, 3), 0, 1), "over the batch"),
        (_mean((1, 8, 8, 3), 1, -1), "3 channels, not a multiple of 4"),
        (Operator("SOFTMAX", (_map(1, 20_000),), (_map(1, 20_000),)), "16000"),
    ],
)
def test_what_the_page_rules_out_is_named(operator: Operator, reason: str) -> None:
    found = _examine(operator)

    assert not found.mapped
    assert found.faults[0].startswith(f"{operator.name}: ")
    assert reason in found.faults[0]


@pytest.mark.parametrize(
    "operator",
    [
        _conv(),
        _conv(fusedActivationFunction=1, strideH=2, strideW=2),
        _mean((1, 8, 8, 3), 1, 2),
        _mean((1, 8, 8, 4), 1, 2, -1),
        Operator("MAX_POOL_2D", (_map(1, 8, 8, 2),), (_map(1, 4, 4, 2),), {"fusedActivationFunction": 0}),
        Operator("QUANTIZE", (_map(1, 8, 8, 1, dtype="uint8"),), (_map(1, 8, 8, 1),)),
    ],
)
def test_what_the_page_allows_is_mapped(operator: Operator) -> None:
    assert _examine(operator).faults == ()


def test_weights_that_leave_no_room_for_the_feature_maps_do_not_fit() -> None:
    room = Readiness(operators=1, faults=(), weights=7 * 2**20, activations=2**20)

    assert room.fits
    assert not replace(room, activations=2**20 + 1).fits
