"""VGG-16 for grey radiographs: thirteen 3x3 convolutions in five blocks, a class activation map, its mean."""

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from keras import layers

from edge_runtime.errors import UsageError
from edge_runtime.radiograph.prepare import MODEL_HEIGHT
from train.layers import StandardizedConv2D

LABELS = ("normal", "bacterial", "viral")

# Configuration D of Simonyan and Zisserman 2015 (arXiv:1409.1556): (convolutions, channels) of each block.
BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))

# Pixels of chest radiographs have a standard deviation of about a quarter of the range. Only a scale, no offset: it
# folds into the first kernel, and a zero of the padding stays a black pixel.
INPUT_SCALE = 4.0 / 255.0


def build(
    size: int | None = MODEL_HEIGHT,
    *,
    width: float = 1.0,
    filters: Sequence[int] = (),
    stride: int = 1,
    standardize: bool = True,
    dropout: float = 0.0,
    seed: int = 0,
) -> keras.Model:
    """A VGG-16 that answers with the logits of normal, bacterial and viral.

    The three dense layers are replaced by a 1x1 convolution on the last feature maps, the class activation map, and its
    mean over the cells: global average pooling and a dense layer in the other order (Zhou et al. 2016,
    arXiv:1512.04150). As there, the last pooling is left out, so the map has 14 x 14 cells at 224 pixels.

    Args:
        size: Height and width of the input in pixels; ``None`` for any.
        width: Share of the channels of configuration D.
        filters: Of each of the thirteen convolutions, in place of a width.
        stride: Of the first convolution; 2 lets all that follow see a quarter of the cells.
        standardize: Weight standardization, for training from scratch; without it plain convolutions, which hold
            pretrained weights.
        dropout: Share of the last feature maps' channels dropped in training.
        seed: For the dropout.

    Returns:
        A model from grey pixels ``(n, size, size, 1)``, 0 to 255, to ``float32`` logits ``(n, 3)``.
    """
    inputs = keras.Input((size, size, 1), name="radiograph")
    x = layers.Rescaling(INPUT_SCALE, name="scale")(inputs)
    widths = iter(filters or scaled(width))
    for block, (convolutions, _) in enumerate(BLOCKS, start=1):
        if block > 1:
            x = layers.MaxPooling2D(name=f"block{block - 1}_pool")(x)
        for index in range(1, convolutions + 1):
            name = f"block{block}_conv{index}"
            strides = stride if name == "block1_conv1" else 1
            if standardize:
                x = StandardizedConv2D(next(widths), strides, name=name)(x)
            else:
                x = layers.Conv2D(next(widths), 3, strides, padding="same", activation="relu", name=name)(x)
    if dropout:
        x = layers.SpatialDropout2D(dropout, seed=seed, name="dropout")(x)
    x = layers.Conv2D(len(LABELS), 1, kernel_initializer="zeros", dtype="float32", name="map")(x)
    outputs = layers.GlobalAveragePooling2D(dtype="float32", name="logits")(x)
    return keras.Model(inputs, outputs, name="vgg16")


def scaled(width: float) -> tuple[int, ...]:
    """The filters of each convolution at a share of configuration D's channels; at least 8."""
    return tuple(max(8, round(channels * width)) for convolutions, channels in BLOCKS for _ in range(convolutions))


def load(path: Path, dtype: str = "float32") -> keras.Model:
    """A saved VGG-16 in this Keras dtype policy, whatever precision it was trained in; its logits stay ``float32``."""
    saved = keras.saving.load_model(path, compile=False)
    config = saved.get_config()
    for layer in config["layers"]:
        layer["config"]["dtype"] = "float32" if layer["config"]["name"] in ("radiograph", "map", "logits") else dtype
    model = keras.Model.from_config(config)
    model.set_weights(saved.get_weights())
    return model


def load_pretrained(model: keras.Model, weights: str | Path) -> None:
    """Fill the convolutions of a plain, full-width model with pretrained colour weights.

    Grey input is a colour input whose three channels are equal, so the first kernel is summed over them. The published
    weights expect raw pixels less the mean colour, in the order blue, green, red; the mean moves into the first bias.
    The padding is then black instead of the mean colour, which is what surrounds a radiograph anyway.

    Args:
        model: From ``build(standardize=False, width=1)``.
        weights: ``"imagenet"`` to download the published weights, or a Keras weights file of VGG-16 without its top.

    Raises:
        UsageError: The weights cannot be fetched or read.
    """
    try:
        donor = keras.applications.VGG16(include_top=False, weights="imagenet" if weights == "imagenet" else None)
        if weights != "imagenet":
            donor.load_weights(str(weights))
    except Exception as error:  # Keras raises a bare Exception where a download fails, and many kinds for a wrong file
        raise UsageError(
            f"The weights {weights} cannot be used ({error}): name a Keras weights file of VGG-16 without its top, "
            "or 'imagenet' where the network is open."
        ) from error
    mean_colour = np.array([103.939, 116.779, 123.68], np.float32)
    for layer in donor.layers:
        if not isinstance(layer, layers.Conv2D):
            continue
        kernel, bias = (np.asarray(array) for array in layer.get_weights())
        if layer.name == "block1_conv1":
            bias = bias - np.einsum("hwcf,c->f", kernel, mean_colour)
            kernel = kernel.sum(axis=2, keepdims=True) / INPUT_SCALE
        model.get_layer(layer.name).set_weights([kernel, bias])
