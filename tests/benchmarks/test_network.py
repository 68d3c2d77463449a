"""The network that is read from a ``.tflite`` computes, in float, what the ``.tflite`` does."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import network
from benchmarks.network import Conv, MaxPool, Network
from convert.interpreter import run
from edge_runtime.errors import UsageError
from edge_runtime.model import bundle
from tests.benchmarks.models import strided_tflite


def logits(read: Network, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    import tensorflow as tf

    x: Any = tf.cast(pixels, tf.float32)
    for layer in read.layers:
        if isinstance(layer, MaxPool):
            x = tf.nn.max_pool2d(x, layer.size, layer.stride, "VALID")
            continue
        x = tf.pad(x, ((0, 0), *layer.pads, (0, 0)))
        x = tf.nn.conv2d(x, layer.real_weights().transpose(2, 3, 1, 0), layer.stride, "VALID") + layer.real_bias()
        x = tf.nn.relu(x) if layer.relu else x
    return np.asarray(tf.reduce_mean(x, axis=(1, 2)), np.float64)


def test_a_strided_network_is_read_with_its_lopsided_border() -> None:
    model = strided_tflite()
    pixels = np.random.default_rng(2).integers(0, 256, (4, 32, 32, 1)).astype(np.uint8)

    read = network.read(model)

    first = read.layers[0]
    assert isinstance(first, Conv)
    assert (first.stride, first.pads, first.cells) == (2, ((0, 1), (0, 1)), 256)
    assert read.macs == 9 * 8 * 256 + 9 * 8 * 8 * 64 + 8 * 3 * 64
    expected = run(model, pixels).logits
    np.testing.assert_allclose(logits(read, pixels), expected, atol=0.03 * np.abs(expected).max())


def test_the_shipped_network_is_read(default_bundle: Path) -> None:
    opened = bundle.read(default_bundle)
    pixels = opened.golden.pixels[:2]

    read = network.read(opened.tflite)

    assert sum(isinstance(layer, Conv) for layer in read.layers) == 14
    assert sum(isinstance(layer, MaxPool) for layer in read.layers) == 4
    np.testing.assert_allclose(logits(read, pixels), run(opened.tflite, pixels, threads=1).logits, atol=0.1)


def test_another_network_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(UsageError, match=r"an operator \w+, which a VGG-16 has not"):
        network.read(bundle.read(tiny_bundle).tflite)
