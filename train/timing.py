"""How long LiteRT takes for int8 layers of given shapes, on this machine or an emulated one.

Needs what a device installs and no more, so that it runs on a small board and under an emulator. The graphs are what
convert writes, a QUANTIZE, 3x3 convolutions with ReLU and 2x2 poolings, with random weights: an int8 kernel takes the
same time whatever the numbers are.
"""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import flatbuffers
import msgspec
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

_SCALE: Final = 0.05
_LEAST_SECONDS: Final = 0.01


# Convolutions of each block, as in vgg16.BLOCKS, which needs Keras.
_BLOCKS: Final = (2, 2, 3, 3, 3)


class Layer(msgspec.Struct, frozen=True, array_like=True):
    """A 3x3 convolution with zero padding, or a 2x2 maximum.

    Attributes:
        kind: ``conv`` or ``pool``.
        size: Cells a side of what it reads.
        channels: Of what it reads.
        filters: Of what it writes; a pooling has as many as channels.
        stride: Cells, both ways.
    """

    kind: str
    size: int
    channels: int
    filters: int
    stride: int = 1

    @property
    def cells(self) -> int:
        """Cells a side of what it writes."""
        return -(-self.size // self.stride) if self.kind == "conv" else self.size // self.stride


Network = tuple[Layer, ...]


def vgg(filters: Sequence[int], size: int, stride: int = 1) -> Network:
    """VGG-16's convolutions and poolings.

    Args:
        filters: Of each of the thirteen convolutions.
        size: Pixels a side of the input.
        stride: Of the first convolution.
    """
    layers, cells, channels, widths = [], size, 1, iter(filters)
    for block, convolutions in enumerate(_BLOCKS):
        if block:
            layers.append(Layer("pool", cells, channels, channels, 2))
            cells = layers[-1].cells
        for _ in range(convolutions):
            layers.append(Layer("conv", cells, channels, next(widths), 1 if layers else stride))
            cells, channels = layers[-1].cells, layers[-1].filters
    return tuple(layers)


def graph(network: Network) -> bytes:
    """An int8 ``.tflite`` of these layers: ``uint8`` pixels in where it reads one channel, else ``int8``."""
    write = _Writer(seed=0)
    first = network[0]
    x = write.feature_map(first.size, first.channels, raw=first.channels == 1)
    entrance = x
    if first.channels == 1:
        x = write.operator("QUANTIZE", [x], write.feature_map(first.size, 1))
    for layer in network:
        options: Any
        if layer.kind == "conv":
            options = schema.Conv2DOptionsT()
            options.padding, options.fusedActivationFunction = schema.Padding.SAME, schema.ActivationFunctionType.RELU
            inputs = [x, *write.kernel(layer.channels, layer.filters)]
        else:
            options = schema.Pool2DOptionsT()
            options.padding, options.filterHeight, options.filterWidth = schema.Padding.VALID, 2, 2
            inputs = [x]
        options.strideH = options.strideW = layer.stride
        name = "CONV_2D" if layer.kind == "conv" else "MAX_POOL_2D"
        x = write.operator(name, inputs, write.feature_map(layer.cells, layer.filters), options)
    return write.finish(entrance, x)


def measure(
    networks: Sequence[Network], *, rounds: int = 9, advance: Callable[[int], None] = lambda _: None
) -> list[float]:
    """The time of one inference on one thread, in milliseconds, for each network.

    The networks take turns, so that a disturbance of the machine falls on all alike. What is counted is the thread's
    own time on the processor, and of each network's rounds the median.

    Args:
        networks: What to time.
        rounds: How many turns each gets; a turn is at least 10 ms of inferences.
        advance: Called with 1 after each turn of each network.
    """
    runs = [_prepare(network) for network in networks]
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(rounds):
        for (invoke, count), found in zip(runs, times, strict=True):
            if count > 1:
                invoke()  # brings back what the others drove out of the caches
            started = time.thread_time()
            for _ in range(count):
                invoke()
            found.append((time.thread_time() - started) / count * 1000.0)
            advance(1)
    return [statistics.median(found) for found in times]


def _prepare(network: Network) -> tuple[Callable[[], None], int]:
    """A warm interpreter, and how often to run it a turn."""
    interpreter = Interpreter(model_content=graph(network), num_threads=1)
    interpreter.allocate_tensors()
    (entrance,) = interpreter.get_input_details()
    limits = np.iinfo(entrance["dtype"])
    values = np.random.default_rng(0).integers(limits.min, limits.max + 1, entrance["shape"])
    interpreter.set_tensor(entrance["index"], values.astype(entrance["dtype"]))
    interpreter.invoke()
    started = time.thread_time()
    interpreter.invoke()
    seconds = max(time.thread_time() - started, 1e-6)
    return interpreter.invoke, max(1, math.ceil(_LEAST_SECONDS / seconds))


class _Writer:
    """A model under construction, in the objects of TFLite's schema."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._model, self._graph = schema.ModelT(), schema.SubGraphT()
        self._model.version = 3
        self._model.buffers = [schema.BufferT()]  # the first is the empty one, by convention
        self._model.operatorCodes, self._model.subgraphs = [], [self._graph]
        self._graph.tensors, self._graph.operators = [], []

    def feature_map(self, size: int, channels: int, *, raw: bool = False) -> int:
        kind = schema.TensorType.UINT8 if raw else schema.TensorType.INT8
        return self._tensor([1, size, size, channels], kind, [_SCALE], 0 if raw else -128)

    def kernel(self, channels: int, filters: int) -> tuple[int, int]:
        shape = [filters, 3, 3, channels]
        weights = self._random.integers(-127, 128, shape).astype(np.int8)
        scales = [0.01 / math.sqrt(channels)] * filters
        return (
            self._tensor(shape, schema.TensorType.INT8, scales, 0, weights.tobytes()),
            self._tensor(
                [filters], schema.TensorType.INT32, [_SCALE * s for s in scales], 0, bytes(4 * filters)
            ),
        )  # fmt: skip

    def operator(self, name: str, inputs: list[int], output: int, options: Any = None) -> int:
        number = getattr(schema.BuiltinOperator, name)
        codes = [code.builtinCode for code in self._model.operatorCodes]
        if number not in codes:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = number
            # Version 3 of a convolution has one scale per filter, version 2 of the others int8.
            code.version = {"CONV_2D": 3, "MAX_POOL_2D": 2}.get(name, 1)
            self._model.operatorCodes.append(code)
            codes.append(number)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = codes.index(number), inputs, [output]
        if options is not None:
            made.builtinOptions = options
            made.builtinOptionsType = getattr(schema.BuiltinOptions, type(options).__name__.removesuffix("T"))
        self._graph.operators.append(made)
        return output

    def finish(self, entrance: int, output: int) -> bytes:
        self._graph.inputs, self._graph.outputs = [entrance], [output]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self._model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def _tensor(self, shape: list[int], kind: int, scales: list[float], zero: int, data: bytes = b"") -> int:
        tensor, buffer, steps = schema.TensorT(), schema.BufferT(), schema.QuantizationParametersT()
        steps.scale, steps.zeroPoint, steps.quantizedDimension = scales, [zero] * len(scales), 0
        tensor.name, tensor.shape, tensor.type, tensor.quantization = f"t{len(self._graph.tensors)}", shape, kind, steps
        if data:
            buffer.data = np.frombuffer(data, np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1
