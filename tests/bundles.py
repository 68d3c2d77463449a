"""A real bundle, small enough to make anew in each test session: it calls bright pictures pneumonia."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.model import bundle
from edge_runtime.model.engines import litert
from tests.gates import wide_open

SIZE, CELLS = 224, 14
PASSED: Mapping[str, Any] = {"passed": True, "flips": 0, "broken": []}


def make_tiny_bundle(directory: Path, size: int = SIZE, name: str = "tiny") -> Path:
    """Write a bundle into ``directory``: an int8 model with golden vectors.

    It takes pictures of ``size`` x ``size`` pixels; the usual size is that of the real models.

    Its logits are linear in the mean brightness of the picture, and its maps in that of each of the 14 x 14 cells: a
    picture darker than grey level 127 is NORMAL, a brighter one PNEUMONIA, more likely bacterial than viral. Its gate
    refuses nothing.
    """
    tflite = make_tiny_tflite(size)
    info = bundle.BundleInfo(
        name=name,
        created="2024-01-01T00:00:00Z",
        operating_points={
            "balanced": bundle.OperatingPoint(threshold=0.5),
            "screening": bundle.OperatingPoint(threshold=0.1),
        },
        input=bundle.InputGeometry(height=size, width=size),
        source_sha256="0" * 64,
        route="tf-lite-converter",
        versions={"made": "by hand"},
    )
    engine = litert.LiteRtEngine(tflite, info, litert.find_library(), threads=1)
    pixels = example_pixels(np.random.default_rng(1), 3, size)
    outputs = [engine.invoke(one[np.newaxis]) for one in pixels]
    golden = bundle.Golden(
        pixels,
        np.stack([output.scores for output in outputs]),
        np.stack([output.maps for output in outputs]),
        np.stack([output.features for output in outputs]),
    )
    path = directory / f"{name}.tflite"
    gate = wide_open(golden.features.shape[1])
    bundle.write(path, tflite, info, golden=golden, parity=PASSED, calibration={"images": []}, gate=gate)
    return path


def remake(
    source: Path, path: Path, *, name: str | None = None, parity: Mapping[str, Any] = PASSED, golden_off: int = 0
) -> Path:
    """Write a bundle again: under another name, with another parity report, with scores that no engine gives."""
    old = bundle.read(source)
    golden = bundle.Golden(old.golden.pixels, old.golden.scores + golden_off, old.golden.maps, old.golden.features)
    info = msgspec.structs.replace(old.info, name=name or old.info.name)
    bundle.write(path, old.tflite, info, golden=golden, parity=parity, calibration=old.calibration, gate=old.gate)
    return path


def example_pixels(rng: np.random.Generator, n: int, size: int = SIZE) -> NDArray[np.uint8]:
    """Noise from dark to bright: ``uint8`` of shape ``(n, size, size, 1)``."""
    levels = np.linspace(40, 215, n)[:, np.newaxis, np.newaxis, np.newaxis]
    return np.clip(rng.normal(levels, 30, (n, size, size, 1)), 0, 255).astype(np.uint8)


def make_tiny_tflite(size: int = SIZE) -> bytes:
    """The model alone; needs TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    inputs = keras.Input((size, size, 1))
    x = keras.layers.Rescaling(1 / 255)(inputs)
    feature = keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="feature")
    x = keras.layers.AveragePooling2D(size // CELLS)(feature(x))
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
    converter.representative_dataset = partial(_representative, size)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _representative(size: int) -> Any:
    for level in (0, 64, 128, 192, 255):
        yield [np.full((1, size, size, 1), level, np.float32)]
    ramp = np.linspace(0, 255, size, dtype=np.float32)
    yield [np.tile(ramp, (size, 1))[np.newaxis, :, :, np.newaxis]]
