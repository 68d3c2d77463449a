from pathlib import Path

import keras
import numpy as np

from train import vgg16
from train.layers import StandardizedConv2D


def _model(seed: int = 0) -> keras.Model:
    keras.utils.set_random_seed(seed)
    model = vgg16.build(None, width=0.125)
    rng = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))
    return model


def test_saved_model_reloads_to_equal_outputs(tmp_path: Path) -> None:
    model = _model()
    pixels = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 1)).astype(np.float32)

    model.save(tmp_path / "vgg16.keras")
    reloaded = vgg16.load(tmp_path / "vgg16.keras")

    np.testing.assert_array_equal(reloaded.predict_on_batch(pixels), model.predict_on_batch(pixels))


def test_model_saved_in_bfloat16_loads_in_float32(tmp_path: Path) -> None:
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    try:
        model = _model()
        model.save(tmp_path / "vgg16.keras")
    finally:
        keras.mixed_precision.set_dtype_policy("float32")

    reloaded = vgg16.load(tmp_path / "vgg16.keras")

    assert {layer.compute_dtype for layer in reloaded.layers} == {"float32"}
    for ours, theirs in zip(reloaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_effective_kernel_is_what_the_layer_applies() -> None:
    layer = StandardizedConv2D(5)
    inputs = np.random.default_rng(0).normal(size=(1, 9, 9, 4)).astype(np.float32)
    outputs = layer(inputs)
    layer.bias.assign([0.3, -0.2, 0.0, 0.1, 0.5])

    plain = keras.ops.relu(keras.ops.conv(inputs, layer.effective_kernel(), padding="same") + layer.bias)

    assert outputs.shape == plain.shape
    np.testing.assert_allclose(plain, layer(inputs), atol=1e-5)


def test_effective_kernel_is_centred_and_scaled_by_the_gain() -> None:
    layer = StandardizedConv2D(3)
    layer.build((None, 8, 8, 16))
    layer.gain.assign([1.0, 2.0, 0.5])

    kernel = layer.effective_kernel()

    np.testing.assert_allclose(kernel.mean(axis=(0, 1, 2)), 0.0, atol=1e-7)
    np.testing.assert_allclose(kernel.std(axis=(0, 1, 2)) * np.sqrt(9 * 16), [1.0, 2.0, 0.5], rtol=1e-3)


def test_layer_takes_over_an_effective_kernel() -> None:
    donor, layer = StandardizedConv2D(3), StandardizedConv2D(3)
    donor.build((None, 8, 8, 4))
    layer.build((None, 8, 8, 4))

    layer.set_effective_kernel(donor.effective_kernel())

    np.testing.assert_allclose(layer.effective_kernel(), donor.effective_kernel(), atol=1e-6)
