"""A trained Keras model as a plain list of convolutions and poolings over raw grey pixels.

Whatever exists for training only is folded into the kernels: input scaling, weight standardization, batch
normalization, dropout. Each Keras layer type has one rule here; a type without a rule is refused by name.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from train.layers import StandardizedConv2D

Float64 = NDArray[np.float64]
Float32 = NDArray[np.float32]


@dataclass(frozen=True)
class Conv:
    """An ordinary convolution.

    Attributes:
        name: The trained layer's name.
        kernel: ``float32`` of shape ``(rows, columns, channels in, channels out)``.
        bias: ``float32`` of shape ``(channels out,)``.
        relu: Whether a ReLU follows.
        stride: Cells, both ways.
        padding: ``"SAME"`` (with zeros) or ``"VALID"``.
    """

    name: str
    kernel: Float32
    bias: Float32
    relu: bool
    stride: int = 1
    padding: str = "SAME"


@dataclass(frozen=True)
class MaxPool:
    """A maximum over ``size x size`` cells."""

    name: str
    size: int
    stride: int
    padding: str = "VALID"


@dataclass(frozen=True)
class Folded:
    """The folded network: grey pixels 0..255 of shape ``(n, height, width, 1)`` to a class activation map.

    The last layer is a linear 1x1 convolution, the head; its output is the map, and the mean of the map over its cells
    is the vector of logits.
    """

    height: int
    width: int
    layers: tuple[Conv | MaxPool, ...]

    @property
    def convolutions(self) -> tuple[Conv, ...]:
        """The convolutions in order, the head last."""
        return tuple(layer for layer in self.layers if isinstance(layer, Conv))

    @property
    def classes(self) -> int:
        """How many classes the head tells apart."""
        return int(self.convolutions[-1].bias.size)

    def with_convolutions(self, convolutions: tuple[Conv, ...]) -> "Folded":
        """The same network with other convolutions in the places of its own."""
        rest = iter(convolutions)
        layers = tuple(next(rest) if isinstance(layer, Conv) else layer for layer in self.layers)
        return replace(self, layers=layers)


class FoldError(UsageError):
    """The saved model holds something that has no exact counterpart in the deployed graph."""


def load(path: Path) -> keras.Model:
    """A saved Keras model in ``float32``, whatever precision it was trained in.

    Raises:
        UsageError: There is no such file, or it is no Keras model.
    """
    if not path.is_file():
        raise UsageError(f"There is no model at {path}: give the vgg16.keras that python -m train wrote.")
    try:
        saved = keras.saving.load_model(path, compile=False)
        config = saved.get_config()
        for layer in config["layers"]:
            layer["config"]["dtype"] = "float32"
        model = type(saved).from_config(config)
        model.set_weights(saved.get_weights())
    except (ValueError, TypeError, KeyError, OSError) as error:
        cause = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise UsageError(f"{path} is not a Keras model that can be read ({cause}): give a .keras file.") from error
    return model


def fold(model: keras.Model, *, default_size: tuple[int, int]) -> Folded:
    """Fold a trained chain of layers.

    Args:
        model: A chain that ends in global average pooling over a 1x1 convolution, or in a dense layer over global
            average pooling, which is the same function. Its input is grey pixels, 0 to 255.
        default_size: Height and width for a model that takes any.

    Raises:
        FoldError: A layer type without a rule, layers that are no chain, or an offset that zero padding makes inexact.
    """
    _, height, width, channels = model.input_shape
    if channels != 1:
        raise FoldError(f"The model takes {channels} channels, but a radiograph has one: train it on grey pixels.")
    walk = _Walk(channels)
    for layer in _chain(model):
        rule = next((rule for kind, rule in _RULES if type(layer) is kind), None)
        if rule is None:
            raise FoldError(
                f"The layer {layer.name} is a {type(layer).__name__}, which convert cannot fold: "
                "use layers it knows (see docs/converting.md) or add a rule for it to convert/fold.py."
            )
        rule(walk, layer)
    return Folded(height or default_size[0], width or default_size[1], walk.finish())


def _chain(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """The layers in order, nested models unrolled; refuses anything that branches."""
    previous = None
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            raise FoldError(
                f"The layer {layer.name} is a model of its own: save the network as one flat chain of layers."
            )
        if previous is not None and layer.input is not previous.output:
            raise FoldError(
                f"The layer {layer.name} does not follow {previous.name}: convert folds chains, not branches."
            )
        yield layer
        previous = layer


class _Walk:
    """What has been folded so far, and a per-channel affine map that waits for the next convolution."""

    def __init__(self, channels: int) -> None:
        self.layers: list[Conv | MaxPool] = []
        self.scale: Float64 = np.ones(channels)
        self.offset: Float64 = np.zeros(channels)
        self.averaged = False

    @property
    def waiting(self) -> bool:
        return bool(np.any(self.scale != 1) or np.any(self.offset != 0))

    def last_linear(self) -> Conv | None:
        last = self.layers[-1] if self.layers else None
        return last if isinstance(last, Conv) and not last.relu and not self.waiting else None

    def affine(self, scale: Float64, offset: Float64) -> None:
        """Apply ``x * scale + offset``: to the convolution before it where that is linear, else to the one after."""
        last = self.last_linear()
        if last is not None:
            kernel = (last.kernel.astype(np.float64) * scale).astype(np.float32)
            bias = (last.bias.astype(np.float64) * scale + offset).astype(np.float32)
            self.layers[-1] = replace(last, kernel=kernel, bias=bias)
        else:
            self.offset = self.offset * scale + offset
            self.scale = self.scale * scale

    def conv(self, name: str, kernel: Float64, bias: Float64, *, relu: bool, stride: int, padding: str) -> None:
        if self.averaged:
            raise FoldError(f"The convolution {name} follows the global average pooling: the head must come last.")
        if np.any(self.offset != 0) and padding == "SAME" and kernel.shape[:2] != (1, 1):
            raise FoldError(
                f"An offset before {name} cannot be folded, because its zero padding would no longer be zero: "
                "train with a scale only, or normalize after the convolution."
            )
        bias = bias + np.einsum("hwio,i->o", kernel, self.offset)
        kernel = kernel * self.scale[:, None]
        self.layers.append(
            Conv(name, kernel.astype(np.float32), bias.astype(np.float32), relu=relu, stride=stride, padding=padding)
        )
        self.scale, self.offset = np.ones(kernel.shape[-1]), np.zeros(kernel.shape[-1])

    def finish(self) -> tuple[Conv | MaxPool, ...]:
        head = self.last_linear()
        if not self.averaged or head is None or head.kernel.shape[:2] != (1, 1):
            raise FoldError(
                "The model does not end in a 1x1 convolution and its global average: "
                "convert needs that head, because its map is the heat map."
            )
        return tuple(self.layers)


def _nothing(_walk: _Walk, _layer: Any) -> None:
    """Active in training only, or not at all."""


def _rescaling(walk: _Walk, layer: Any) -> None:
    walk.affine(np.float64(layer.scale) * np.ones_like(walk.scale), np.float64(layer.offset) * np.ones_like(walk.scale))


def _standardized(walk: _Walk, layer: Any) -> None:
    kernel, bias = layer.effective_kernel(), keras.ops.convert_to_numpy(layer.bias)
    walk.conv(
        layer.name, kernel.astype(np.float64), bias.astype(np.float64), relu=True, stride=layer.strides, padding="SAME"
    )


def _conv2d(walk: _Walk, layer: Any) -> None:
    strides, dilation = set(layer.strides), set(layer.dilation_rate)
    if layer.groups != 1 or dilation != {1} or len(strides) != 1 or layer.data_format != "channels_last":
        raise FoldError(
            f"The convolution {layer.name} is grouped, dilated, unevenly strided or channels-first: use a plain one."
        )
    kernel = keras.ops.convert_to_numpy(layer.kernel).astype(np.float64)
    bias = keras.ops.convert_to_numpy(layer.bias).astype(np.float64) if layer.use_bias else np.zeros(layer.filters)
    relu = _is_relu(layer)
    walk.conv(layer.name, kernel, bias, relu=relu, stride=strides.pop(), padding=layer.padding.upper())


def _batch_norm(walk: _Walk, layer: Any) -> None:
    mean, variance = (
        keras.ops.convert_to_numpy(w).astype(np.float64) for w in (layer.moving_mean, layer.moving_variance)
    )
    scale = 1.0 / np.sqrt(variance + layer.epsilon)
    if layer.scale:
        scale = scale * keras.ops.convert_to_numpy(layer.gamma)
    beta = keras.ops.convert_to_numpy(layer.beta) if layer.center else 0.0
    walk.affine(scale, beta - mean * scale)


def _activation(walk: _Walk, layer: Any) -> None:
    if isinstance(layer, keras.layers.ReLU):
        relu = layer.max_value is None and not layer.negative_slope and not layer.threshold
        if not relu:
            raise FoldError(f"The layer {layer.name} is a bounded or leaky ReLU: convert knows the plain ReLU only.")
    else:
        relu = _is_relu(layer)
    if not relu:
        return
    last = walk.last_linear()
    if last is None or walk.averaged:
        raise FoldError(f"The ReLU {layer.name} does not follow a convolution: convert cannot fold it.")
    walk.layers[-1] = replace(last, relu=True)


def _is_relu(layer: Any) -> bool:
    if layer.activation is keras.activations.relu:
        return True
    if layer.activation is keras.activations.linear:
        return False
    name = getattr(layer.activation, "__name__", str(layer.activation))
    raise FoldError(f"The layer {layer.name} has the activation {name}: convert knows ReLU and none.")


def _max_pool(walk: _Walk, layer: Any) -> None:
    if len({*layer.pool_size}) != 1 or len({*layer.strides}) != 1:
        raise FoldError(f"The pooling {layer.name} is not square: use equal sides.")
    if np.any(walk.scale <= 0):
        raise FoldError(f"A negative factor before {layer.name} cannot be folded: normalize before the activation.")
    walk.layers.append(MaxPool(layer.name, layer.pool_size[0], layer.strides[0], layer.padding.upper()))


def _global_average(walk: _Walk, layer: Any) -> None:
    if walk.averaged:
        raise FoldError(f"The model averages twice, again in {layer.name}: one global average pooling is the head.")
    walk.averaged = True


def _dense(walk: _Walk, layer: Any) -> None:
    # A dense layer on the average of the features is the average of a 1x1 convolution on them.
    if not walk.averaged or _is_relu(layer):
        raise FoldError(f"The dense layer {layer.name} is not the linear layer behind a global average pooling.")
    walk.averaged = False
    kernel = keras.ops.convert_to_numpy(layer.kernel).astype(np.float64)[None, None]
    bias = keras.ops.convert_to_numpy(layer.bias).astype(np.float64) if layer.use_bias else np.zeros(layer.units)
    walk.conv(layer.name, kernel, bias, relu=False, stride=1, padding="VALID")
    walk.averaged = True


_RULES: tuple[tuple[type, Callable[[_Walk, Any], None]], ...] = (
    (keras.layers.InputLayer, _nothing),
    (keras.layers.Rescaling, _rescaling),
    (StandardizedConv2D, _standardized),
    (keras.layers.Conv2D, _conv2d),
    (keras.layers.BatchNormalization, _batch_norm),
    (keras.layers.ReLU, _activation),
    (keras.layers.Activation, _activation),
    (keras.layers.Dropout, _nothing),
    (keras.layers.SpatialDropout2D, _nothing),
    (keras.layers.GaussianDropout, _nothing),
    (keras.layers.GaussianNoise, _nothing),
    (keras.layers.MaxPooling2D, _max_pool),
    (keras.layers.GlobalAveragePooling2D, _global_average),
    (keras.layers.Dense, _dense),
)
