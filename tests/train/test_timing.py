import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from convert import flatbuffer
from train import timing, vgg16
from train.timing import Layer

NARROW = (8, 8, 12, 16, 16, 16, 20, 24, 24, 24, 32, 32, 40)


def test_the_layers_are_those_of_the_network_that_is_trained() -> None:
    model = vgg16.build(64, filters=NARROW, stride=2)
    layers = [layer for layer in model.layers if layer.name.startswith("block")]

    network = timing.vgg(NARROW, 64, stride=2)

    assert len(network) == len(layers) == 17
    for ours, theirs in zip(network, layers, strict=True):
        assert (ours.kind == "pool") == theirs.name.endswith("pool")
        assert theirs.input.shape[1:] == (ours.size, ours.size, ours.channels)
        assert theirs.output.shape[1:] == (ours.cells, ours.cells, ours.filters)


def test_a_graph_holds_the_layers_in_integers() -> None:
    model = timing.graph(timing.vgg(NARROW, 64, stride=2))

    contents = flatbuffer.read(model)
    names = [operator.name for operator in contents.operators]
    assert names.count("CONV_2D") == 13
    assert names.count("MAX_POOL_2D") == 4
    assert names[0] == "QUANTIZE"
    assert contents.inputs[0].dtype == "uint8"
    assert contents.outputs[0].shape == (1, 2, 2, 40)
    kernels = [operator.inputs[1] for operator in contents.operators if operator.name == "CONV_2D"]
    assert [kernel.shape[0] for kernel in kernels] == list(NARROW)
    assert all(len(kernel.scales) == kernel.shape[0] for kernel in kernels)


def test_a_graph_computes_what_its_layers_say() -> None:
    """An odd size and a stride, against the sum written out."""
    model = timing.graph((Layer("conv", 5, 2, 3, 2),))
    kernel = flatbuffer.read(model).operators[0].inputs[1]
    weights = np.frombuffer(kernel.content, np.int8).reshape(kernel.shape).astype(np.float64)
    pixels = np.random.default_rng(0).integers(-128, 128, (1, 5, 5, 2)).astype(np.int8)
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], pixels)
    interpreter.invoke()

    found = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]

    padded = np.pad(pixels[0].astype(np.float64) + 128, ((1, 1), (1, 1), (0, 0)))
    for row, column, filter_ in np.ndindex(3, 3, 3):
        total = (padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] * weights[filter_]).sum()
        expected = np.clip(np.round(total * kernel.scales[filter_]), 0, 255) - 128
        assert abs(int(found[row, column, filter_]) - expected) <= 1
    assert len(np.unique(found)) > 3


def test_every_network_is_timed_in_every_round() -> None:
    turns = 0

    def count(done: int) -> None:
        nonlocal turns
        turns += done

    times = timing.measure([(Layer("pool", 8, 8, 8, 2),), (Layer("conv", 8, 8, 8),)], rounds=2, advance=count)

    assert turns == 4
    assert len(times) == 2
    assert min(times) > 0


@pytest.mark.parametrize(("layer", "cells"), [(Layer("conv", 5, 1, 1, 2), 3), (Layer("pool", 5, 1, 1, 2), 2)])
def test_odd_sizes_are_rounded_as_their_padding_does(layer: Layer, cells: int) -> None:
    assert layer.cells == cells
