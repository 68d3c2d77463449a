from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from convert import graph
from convert.fold import Conv, FoldError, fold, load
from edge_runtime.errors import UsageError
from tests.convert.models import SIZE, noise, random_vgg
from train import vgg16
from train.layers import StandardizedConv2D


@pytest.mark.parametrize("standardize", [True, False])
def test_a_saved_network_folds_to_the_same_function(tmp_path: Path, standardize: bool) -> None:
    model, pixels = random_vgg(standardize=standardize), noise(4)
    model.save(tmp_path / "vgg16.keras")

    folded = fold(load(tmp_path / "vgg16.keras"), default_size=(224, 224))

    expected = np.asarray(model(pixels.astype(np.float32)))
    scores, maps = graph.predict(folded, pixels)
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), scores, atol=1e-5)
    assert maps.shape == (4, SIZE // 16, SIZE // 16, 3)
    assert len(folded.convolutions) == 14
    assert (folded.height, folded.width) == (SIZE, SIZE)


def test_a_strided_network_of_chosen_filters_folds_to_the_same_function(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    model, pixels = vgg16.build(SIZE, filters=[8, 16] * 6 + [24], stride=2), noise(4)
    model.get_layer("map").set_weights([np.random.default_rng(0).normal(size=(1, 1, 24, 3)), np.zeros(3)])
    model.save(tmp_path / "vgg16.keras")

    scores, maps = graph.predict(fold(load(tmp_path / "vgg16.keras"), default_size=(224, 224)), pixels)

    np.testing.assert_allclose(scores, np.asarray(model(pixels.astype(np.float32))), atol=1e-4)
    assert maps.shape == (4, SIZE // 32, SIZE // 32, 3)


def test_batch_normalization_activations_and_a_dense_head_fold() -> None:
    rng = np.random.default_rng(0)
    normalization = layers.BatchNormalization()
    after_relu = layers.BatchNormalization(center=False, scale=False)
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Rescaling(1 / 64),
            layers.Conv2D(5, 3, padding="same", use_bias=False),
            normalization,
            layers.ReLU(),
            layers.MaxPooling2D(),
            layers.Dropout(0.5),
            layers.Conv2D(6, 3, strides=2, padding="valid", activation="relu"),
            after_relu,
            layers.Conv2D(7, 3, padding="valid"),
            layers.Activation("relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(3),
        ]
    )
    normalization.set_weights([rng.uniform(0.5, 2, 5), rng.normal(size=5), rng.normal(size=5), rng.uniform(0.5, 2, 5)])
    after_relu.set_weights([rng.normal(size=6), rng.uniform(0.5, 2, 6)])
    pixels = noise(4)

    folded = fold(model, default_size=(224, 224))

    np.testing.assert_allclose(
        graph.predict(folded, pixels)[0], np.asarray(model(pixels.astype(np.float32))), atol=1e-4
    )
    assert all(isinstance(layer, Conv) or layer.name.startswith("max_pooling") for layer in folded.layers)


def test_a_network_trained_in_half_precision_is_read_in_single(tmp_path: Path) -> None:
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        model = random_vgg()
    finally:
        keras.mixed_precision.set_global_policy("float32")
    model.save(tmp_path / "vgg16.keras")

    loaded = load(tmp_path / "vgg16.keras")

    assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
    pixels = noise(2)
    scores, _ = graph.predict(fold(loaded, default_size=(SIZE, SIZE)), pixels)
    np.testing.assert_allclose(scores, np.asarray(loaded(pixels.astype(np.float32))), atol=1e-4)


def test_a_network_for_any_size_takes_the_default_one() -> None:
    folded = fold(random_vgg(None), default_size=(48, 64))

    assert (folded.height, folded.width) == (48, 64)


def _chain(*middle: layers.Layer) -> keras.Model:
    head = [layers.Conv2D(3, 1), layers.GlobalAveragePooling2D()]
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), *middle, *head])


@pytest.mark.parametrize(
    ("middle", "words"),
    [
        ([layers.LayerNormalization(name="odd")], ["odd", "LayerNormalization"]),
        ([layers.Conv2D(4, 3, activation="tanh", name="odd")], ["odd", "tanh"]),
        ([layers.Conv2D(4, 3, dilation_rate=2, name="odd")], ["odd", "dilated"]),
        ([layers.Conv2D(4, 3), layers.ReLU(max_value=6, name="odd")], ["odd", "ReLU"]),
        ([layers.Rescaling(1.0, offset=-1.0), layers.Conv2D(4, 3, padding="same", name="odd")], ["odd", "padding"]),
        ([layers.MaxPooling2D((1, 2), name="odd")], ["odd", "square"]),
    ],
)
def test_what_has_no_exact_counterpart_is_refused_by_name(middle: list[layers.Layer], words: list[str]) -> None:
    with pytest.raises(FoldError) as refusal:
        fold(_chain(*middle), default_size=(SIZE, SIZE))

    assert all(word in str(refusal.value) for word in words)


def test_a_branch_is_refused() -> None:
    inputs = keras.Input((SIZE, SIZE, 1))
    x = StandardizedConv2D(4, name="one")(inputs)
    both = layers.Add(name="sum")([x, layers.Conv2D(4, 1, name="two")(inputs)])
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(layers.Conv2D(3, 1)(both)))

    with pytest.raises(FoldError, match="chain"):
        fold(model, default_size=(SIZE, SIZE))


def test_another_head_is_refused() -> None:
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), layers.Conv2D(3, 3), layers.GlobalAveragePooling2D()])

    with pytest.raises(FoldError, match="1x1 convolution"):
        fold(model, default_size=(SIZE, SIZE))


def test_a_colour_model_is_refused() -> None:
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), layers.Conv2D(3, 1), layers.GlobalAveragePooling2D()])

    with pytest.raises(FoldError, match="3 channels"):
        fold(model, default_size=(SIZE, SIZE))


def test_a_missing_and_a_foreign_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model at"):
        load(tmp_path / "vgg16.keras")
    (tmp_path / "foreign.keras").write_bytes(b"not a zip")
    with pytest.raises(UsageError, match="not a Keras model"):
        load(tmp_path / "foreign.keras")
