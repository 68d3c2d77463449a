"""The layers of a bundle's model with their integers, for building the same network in another library."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from numpy.typing import NDArray

from edge_runtime.errors import UsageError

_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}

Pads = tuple[tuple[int, int], tuple[int, int]]  # (top, bottom), (left, right)


@dataclass(frozen=True)
class Grid:
    """How integers stand for real numbers: ``real = scale * (integer - zero)``."""

    scale: float
    zero: int


@dataclass(frozen=True, eq=False)
class Conv:
    """A convolution, and a ReLU where ``relu``.

    Attributes:
        weights: ``int8`` of shape ``(out, in, height, width)``, with zero point 0.
        scales: ``float32`` of shape ``(out,)``, of the weights.
        bias: ``int32`` of shape ``(out,)``, in units of ``source.scale * scales``.
        source: Of its ``int8`` input.
        result: Of its ``int8`` output.
        stride: Pixels, both ways.
        pads: Pixels of value zero on each side.
        relu: Whether negative results become zero.
        cells: Of its output.
    """

    weights: NDArray[np.int8]
    scales: NDArray[np.float32]
    bias: NDArray[np.int32]
    source: Grid
    result: Grid
    stride: int
    pads: Pads
    relu: bool
    cells: int

    @property
    def macs(self) -> int:
        """Multiply-adds for one image."""
        return self.weights.size * self.cells

    def real_weights(self) -> NDArray[np.float32]:
        return np.asarray(self.weights * self.scales[:, None, None, None], np.float32)

    def real_bias(self) -> NDArray[np.float32]:
        return np.asarray(self.bias * (self.source.scale * self.scales.astype(np.float64)), np.float32)


@dataclass(frozen=True)
class MaxPool:
    """The maximum of ``size`` x ``size`` pixels, at every ``stride``-th."""

    size: int
    stride: int


@dataclass(frozen=True)
class Network:
    """A chain of layers from the pixels to the class activation map, whose mean over the cells are the logits.

    Attributes:
        height: Of the input, in pixels.
        width: Likewise.
        layers: In order; the last one is the convolution that gives the map.
    """

    height: int
    width: int
    layers: tuple[Conv | MaxPool, ...]

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers if isinstance(layer, Conv))


def read(model: bytes) -> Network:
    """Take an edge-pneumo ``.tflite`` to pieces.

    Raises:
        UsageError: It has an operator that is not of this chain, or pixels that are not the integers plus 128.
    """
    root = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = root.subgraphs[0]
    layers: list[Conv | MaxPool] = []
    padded: Pads | None = None
    for operator in graph.operators:
        code = root.operatorCodes[operator.opcodeIndex]
        name = _NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        tensors = [graph.tensors[index] for index in operator.inputs]
        result = graph.tensors[operator.outputs[0]]
        if name == "QUANTIZE":
            _refuse_other_pixels(tensors[0], result)
        elif name == "PAD":
            table = np.frombuffer(bytes(root.buffers[tensors[1].buffer].data), np.int32).reshape(4, 2)
            padded = ((int(table[1, 0]), int(table[1, 1])), (int(table[2, 0]), int(table[2, 1])))
        elif name == "CONV_2D":
            layers.append(_conv(root, operator.builtinOptions, tensors, result, padded))
            padded = None
        elif name == "MAX_POOL_2D":
            layers.append(MaxPool(int(operator.builtinOptions.filterWidth), int(operator.builtinOptions.strideW)))
        elif name != "MEAN":
            raise UsageError(f"the model has an operator {name}, which a VGG-16 has not; name a bundle of one")
    shape = graph.tensors[graph.inputs[0]].shape
    return Network(int(shape[1]), int(shape[2]), tuple(layers))


def _conv(
    root: schema.ModelT, options: object, tensors: Sequence[schema.TensorT], result: schema.TensorT, padded: Pads | None
) -> Conv:
    source, kernel, bias = tensors
    weights = np.frombuffer(bytes(root.buffers[kernel.buffer].data), np.int8).reshape(tuple(map(int, kernel.shape)))
    stride, padding = int(options.strideH), int(options.padding)  # type: ignore[attr-defined]
    sides: Pads = ((0, 0), (0, 0))
    if padding == schema.Padding.SAME:
        height, width = (
            _same(int(source.shape[axis]), int(result.shape[axis]), weights.shape[axis], stride) for axis in (1, 2)
        )
        sides = (height, width)
    if padded is not None:
        sides = padded
    return Conv(
        weights=np.ascontiguousarray(weights.transpose(0, 3, 1, 2)),
        scales=np.asarray(kernel.quantization.scale, np.float32),
        bias=np.frombuffer(bytes(root.buffers[bias.buffer].data), np.int32),
        source=_grid(source),
        result=_grid(result),
        stride=stride,
        pads=sides,
        relu=int(options.fusedActivationFunction) == schema.ActivationFunctionType.RELU,  # type: ignore[attr-defined]
        cells=prod(int(n) for n in result.shape[1:3]),
    )


def _same(source: int, result: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's padding: what is odd goes to the end."""
    total = max((result - 1) * stride + kernel - source, 0)
    return total // 2, total - total // 2


def _grid(tensor: schema.TensorT) -> Grid:
    return Grid(float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0]))


def _refuse_other_pixels(pixels: schema.TensorT, integers: schema.TensorT) -> None:
    before, after = _grid(pixels), _grid(integers)
    if before.scale != after.scale or before.zero != after.zero + 128:
        raise UsageError(
            "the model scales its pixels before the first convolution; convert it with 'python -m convert'"
        )
