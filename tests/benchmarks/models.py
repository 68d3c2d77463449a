"""Small networks of the kind that the benchmarks take to pieces."""

import os

import numpy as np


def strided_tflite() -> bytes:
    """A chain whose first convolution takes every second of 32 x 32 pixels: its border is on two sides alone."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(3)
    inputs = keras.Input((32, 32, 1))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")(inputs)
    x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    maps = keras.layers.Conv2D(3, 1)(x)
    pool = keras.layers.GlobalAveragePooling2D
    converter = tf.lite.TFLiteConverter.from_keras_model(keras.Model(inputs, [pool()(maps), maps, pool()(x)]))
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    rng = np.random.default_rng(1)
    examples = [np.full((1, 32, 32, 1), level, np.float32) for level in (0, 255)]
    examples += [rng.uniform(0, 255, (1, 32, 32, 1)).astype(np.float32) for _ in range(8)]
    converter.representative_dataset = lambda: iter([[example] for example in examples])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())
