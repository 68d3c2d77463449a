from pathlib import Path

import keras
import numpy as np
import pytest

from edge_runtime.errors import UsageError
from train import vgg16
from train.layers import StandardizedConv2D


def test_convolutions_are_configuration_d() -> None:
    model = vgg16.build()

    filters = [layer.filters for layer in model.layers if isinstance(layer, StandardizedConv2D)]
    assert filters == [64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512]
    assert model.count_params() == pytest.approx(14.7e6, rel=0.01)


@pytest.mark.parametrize("standardize", [True, False])
def test_filters_and_stride_can_be_chosen(standardize: bool) -> None:
    filters = (8, 16, 8, 16, 8, 16, 8, 16, 8, 16, 8, 16, 24)

    model = vgg16.build(filters=filters, stride=2, standardize=standardize)

    convolutions = [layer for layer in model.layers if "_conv" in layer.name]
    assert tuple(layer.filters for layer in convolutions) == filters
    assert convolutions[0].output.shape == (None, 112, 112, 8)
    assert model.get_layer("map").output.shape == (None, 7, 7, 3)


def test_logits_are_the_mean_of_the_map() -> None:
    model = vgg16.build(width=0.125)
    model.get_layer("map").set_weights([np.ones((1, 1, 64, 3)), np.array([0.1, 0.2, 0.3])])
    both = keras.Model(model.inputs, [model.get_layer("map").output, model.output])

    maps, logits = both.predict_on_batch(np.full((1, 224, 224, 1), 99.0, np.float32))

    assert maps.shape == (1, 14, 14, 3)
    np.testing.assert_allclose(maps.mean(axis=(1, 2)), logits, rtol=1e-5)


def test_pretrained_weights_answer_as_they_did_away_from_the_border(tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    donor = keras.applications.VGG16(include_top=False, weights=None)
    donor.save_weights(tmp_path / "vgg16.weights.h5")
    model = vgg16.build(None, standardize=False)
    grey = np.random.default_rng(0).integers(0, 256, (1, 48, 48, 1)).astype(np.float32)
    colour = keras.applications.vgg16.preprocess_input(np.repeat(grey, 3, axis=3))

    vgg16.load_pretrained(model, tmp_path / "vgg16.weights.h5")

    name = "block1_conv2"
    ours = keras.Model(model.inputs, model.get_layer(name).output).predict_on_batch(grey)
    theirs = keras.Model(donor.inputs, donor.get_layer(name).output).predict_on_batch(colour)
    # Two convolutions reach two pixels in from the border, where the padding differs.
    np.testing.assert_allclose(ours[:, 2:-2, 2:-2], theirs[:, 2:-2, 2:-2], atol=2e-3)
    assert np.abs(theirs).max() > 1.0


def test_file_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vgg16.weights.h5").write_bytes(b"nothing of the kind")

    with pytest.raises(UsageError, match=r"vgg16\.weights\.h5 cannot be used"):
        vgg16.load_pretrained(vgg16.build(None, standardize=False), tmp_path / "vgg16.weights.h5")
