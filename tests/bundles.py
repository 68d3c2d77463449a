"""A real bundle, small enough to make anew in each test session: it calls bright pictures pneumonia."""

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edge_runtime.model import bundle
from edge_runtime.model.engines import litert
from tests.gates import wide_open

SIZE, CELLS = 224, 14


def make_tiny_bundle(directory: Path) -> Path:
    """Write ``tiny.tflite`` into ``directory``: an int8 model of the real shapes, with golden vectors, as a bundle.

    Its logits are linear in the mean brightness of the picture, and its maps in that of each of the 14 x 14 cells: a
    picture darker than grey level 127 is NORMAL, a brighter one PNEUMONIA, more likely bacterial than viral. Its gate
    refuses nothing.
    """
    tflite = make_tiny_tflite()
    info = bundle.BundleInfo(
        name="tiny",
        created="2024-01-01T00:00:00Z",
        operating_points={
            "balanced": bundle.OperatingPoint(threshold=0.5),
            "screening": bundle.OperatingPoint(threshold=0.1),
        },
        source_sha256="0" * 64,
        route="tf-lite-converter",
        versions={"made": "by hand"},
    )
    engine = litert.LiteRtEngine(tflite, info, litert.find_library(), threads=1)
    pixels = example_pixels(np.random.default_rng(1), 3)
    outputs = [engine.invoke(one[np.newaxis]) for one in pixels]
    golden = bundle.Golden(
        pixels,
        np.stack([output.scores for output in outputs]),
        np.stack([output.maps for output in outputs]),
        np.stack([output.features for output in outputs]),
    )
    path = directory / "tiny.tflite"
    gate = wide_open(golden.features.shape[1])
    bundle.write(path, tflite, info, golden=golden, parity={"flips": 0}, calibration={"images": []}, gate=gate)
    return path


def example_pixels(rng: np.random.Generator, n: int) -> NDArray[np.uint8]:
    """Noise from dark to bright: ``uint8`` of shape ``(n, 224, 224, 1)``."""
    levels = np.linspace(40, 215, n)[:, np.newaxis, np.newaxis, np.newaxis]
    return np.clip(rng.normal(levels, 30, (n, SIZE, SIZE, 1)), 0, 255).astype(np.uint8)


def make_tiny_tflite() -> bytes:
    """The model alone; needs TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    inputs = keras.Input((SIZE, SIZE, 1))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    feature = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="feature")
    x = keras.layers.AveragePooling2D(SIZE // CELLS)(feature(x))
    head = keras.layers.Conv2D(3, 1, name="map")
    maps = head(x)
    scores, features = keras.layers.GlobalAveragePooling2D()(maps), keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, [scores, maps, features])
    identity = np.zeros((3, 3, 1, 4), np.float32)
    identity[1, 1] = 1.0
    feature.set_weights([identity, np.zeros(4, np.float32)])
    slopes = np.array([-8.0, 8.0, 4.0], np.float32)  # of normal, bacterial, viral over brightness 0 to 1
    # Two equal logits of pneumonia outweigh one of normal; its share of log 2 puts the boundary at the middle grey.
    offsets = -slopes / 2 + np.array([np.log(2.0), 0.0, 0.0], np.float32)
    head.set_weights([np.tile(slopes / 4, (1, 1, 4, 1)), offsets])

    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = _representative
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _representative() -> Any:
    for level in (0, 64, 128, 192, 255):
        yield [np.full((1, SIZE, SIZE, 1), level, np.float32)]
    ramp = np.linspace(0, 255, SIZE, dtype=np.float32)
    yield [np.tile(ramp, (SIZE, 1))[np.newaxis, :, :, np.newaxis]]
