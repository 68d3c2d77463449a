"""Small networks for the converter's tests: of random weights, or with a head that has learned drawings."""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from convert.fold import Conv, Folded, MaxPool
from train import vgg16

SIZE = 32


def random_vgg(size: int | None = SIZE, *, seed: int = 0, standardize: bool = True, dropout: float = 0.2) -> Any:
    """A VGG-16 of an eighth of the width with random weights, biases and head."""
    keras.utils.set_random_seed(seed)
    model = vgg16.build(size, width=0.125, standardize=standardize, dropout=dropout)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if hasattr(layer, "bias"):
            layer.bias.assign(rng.normal(0, 0.1, layer.bias.shape))
    head = model.get_layer("map")
    head.set_weights([rng.normal(0, 0.3, head.kernel.shape), rng.normal(0, 0.3, 3)])
    return model


def taught_vgg(pixels: NDArray[np.uint8], classes: NDArray[np.integer[Any]], *, seed: int = 0) -> Any:
    """A random network whose head tells the classes of these pixels apart, by ridge regression on its features."""
    model = random_vgg(pixels.shape[1], seed=seed)
    features = keras.Model(model.inputs, model.get_layer("block5_conv3").output)
    averages = np.asarray(features(pixels.astype(np.float32))).mean(axis=(1, 2)).astype(np.float64)
    mean, spread = averages.mean(axis=0), averages.std(axis=0) + 1e-3
    x = (averages - mean) / spread
    wanted = np.where(classes[:, np.newaxis] == np.arange(3), 4.0, -2.0)
    slopes = np.linalg.solve(x.T @ x + 0.3 * len(x) * np.eye(x.shape[1]), x.T @ wanted) / spread[:, np.newaxis]
    model.get_layer("map").set_weights([slopes[np.newaxis, np.newaxis], wanted.mean(axis=0) - mean @ slopes])
    return model


def noise(count: int, size: int = SIZE, *, seed: int = 0) -> NDArray[np.uint8]:
    """Noise around grey levels of their own: ``uint8`` of shape ``(count, size, size, 1)``."""
    rng = np.random.default_rng(seed)
    levels = rng.uniform(40, 200, (count, 1, 1, 1))
    return np.clip(rng.normal(levels, 40, (count, size, size, 1)), 0, 255).astype(np.uint8)


def tiny_network(*, seed: int = 0, size: int = 16) -> Folded:
    """Two convolutions, a pooling between them, and a head, as the converter sees them."""
    rng = np.random.default_rng(seed)

    def conv(name: str, side: int, channels: tuple[int, int], *, relu: bool) -> Conv:
        kernel = rng.normal(0, 1 / np.sqrt(side * side * channels[0]), (side, side, *channels)).astype(np.float32)
        return Conv(name, kernel, rng.normal(0, 0.1, channels[1]).astype(np.float32), relu=relu)

    first = conv("first", 3, (1, 6), relu=True)
    scaled = Conv("first", first.kernel * np.float32(4 / 255), first.bias, relu=True)
    layers = (scaled, MaxPool("pool", 2, 2), conv("second", 3, (6, 8), relu=True), conv("head", 1, (8, 3), relu=False))
    return Folded(size, size, layers)
