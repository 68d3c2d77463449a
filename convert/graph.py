"""The folded network as a TensorFlow function, and as float TensorFlow Lite models."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from convert.fold import Conv, Folded, MaxPool

Advance = Callable[[int], None]


class Graph(tf.Module):
    """The folded float network.

    Called with grey pixels 0..255, ``float32`` of shape ``(n, height, width, 1)``, it answers ``{"scores": (n, 3),
    "map": (n, rows, columns, 3), "features": (n, channels)}``: the class activation map, its mean over the cells, the
    logits, and the mean over the cells of the last feature maps, which the gate looks at.
    """

    def __init__(self, folded: Folded) -> None:
        super().__init__()
        self.folded = folded

    def __call__(self, pixels: Any) -> dict[str, Any]:
        x = pixels
        for layer in self.folded.layers:
            last, x = x, apply(layer, x)
        return {"scores": pooled(x), "map": x, "features": pooled(last)}

    def concrete(self) -> Any:
        """The function for one image, ready for a converter."""
        spec = tf.TensorSpec((1, self.folded.height, self.folded.width, 1), tf.float32, name="radiograph")
        return tf.function(self.__call__).get_concrete_function(spec)


def pooled(x: Any) -> Any:
    """Global average pooling: the mean of each channel over its cells."""
    return tf.reduce_mean(x, axis=(1, 2))


def apply(layer: Conv | MaxPool, x: Any) -> Any:
    """One layer on a batch of feature maps."""
    if isinstance(layer, MaxPool):
        return tf.nn.max_pool2d(x, layer.size, layer.stride, layer.padding)
    x = tf.nn.bias_add(tf.nn.conv2d(x, layer.kernel, layer.stride, layer.padding), layer.bias)
    return tf.nn.relu(x, name=layer.name) if layer.relu else x


def predict(
    folded: Folded, pixels: NDArray[np.uint8], *, batch: int = 8, advance: Advance = lambda _: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What the float graph answers.

    Args:
        folded: The network.
        pixels: ``uint8`` of shape ``(n, height, width, 1)``.
        batch: Images at a time.
        advance: Called with the number of images done.

    Returns:
        Scores ``(n, 3)`` and maps ``(n, rows, columns, 3)``.
    """
    run = tf.function(Graph(folded).__call__, reduce_retracing=True)
    scores, maps = [], []
    for i in range(0, len(pixels), batch):
        answers = run(tf.cast(pixels[i : i + batch], tf.float32))
        scores.append(answers["scores"].numpy())
        maps.append(answers["map"].numpy())
        advance(len(pixels[i : i + batch]))
    return np.concatenate(scores), np.concatenate(maps)


def converter(folded: Folded) -> tuple[tf.Module, Any]:
    """A TFLite converter for the float graph; the module must be kept alive as long as the converter."""
    graph = Graph(folded)
    return graph, tf.lite.TFLiteConverter.from_concrete_functions([graph.concrete()], graph)


def float_tflite(folded: Folded, *, half: bool = False) -> bytes:
    """The float graph as a ``.tflite``: ``float32`` in and out, weights in ``float16`` if ``half``."""
    keep, lite = converter(folded)
    if half:
        lite.optimizations = [tf.lite.Optimize.DEFAULT]
        lite.target_spec.supported_types = [tf.float16]
    model = bytes(lite.convert())
    del keep
    return model
