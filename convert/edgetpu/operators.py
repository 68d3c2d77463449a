"""Whether the Edge TPU's compiler can map a model, by its documentation alone.

The rules are those of "TensorFlow models on the Edge TPU" (https://coral.ai/docs/edgetpu/models-intro): the model
requirements, and table 1, the supported operations with their known limitations, for runtime 14. Every tensor is of 8
bits and of a size known at compile time, parameters are constants, and only the three innermost dimensions of a
feature map may be larger than 1. Two things are beyond that page: a kernel has four dimensions in every convolution
that the compiler maps, so that the rule is read as one on feature maps; and an ``int32`` is taken where TFLite's 8-bit
scheme has it, in biases and in the axes and shapes of an operator.

The compiler may still refuse what the page allows ("not mapped due to some unspecified limitation"), so its own report
has the last word (``convert.edgetpu.compiler``).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from convert.flatbuffer import Contents, Operator, Tensor

# "The Edge TPU has roughly 8 MB of SRAM that can cache the model's parameter data" (coral.ai/docs/edgetpu/compiler,
# "Parameter data caching"), less what the executable needs for itself.
ON_CHIP: Final = 8 * 2**20
_LONGEST_SOFTMAX: Final = 16_000


@dataclass(frozen=True)
class Readiness:
    """What the documentation says of a model.

    Attributes:
        operators: How many there are.
        faults: For each that is not mapped, its name and why, as ``MEAN: it averages over the batch``.
        weights: Bytes of the parameters: kernels and biases.
        activations: Bytes of the feature maps that one operator reads and writes, where they are most.
    """

    operators: int
    faults: tuple[str, ...]
    weights: int
    activations: int

    @property
    def mapped(self) -> bool:
        """Whether every operator can be mapped."""
        return not self.faults

    @property
    def fits(self) -> bool:
        """Whether the weights stay on the chip beside the largest activations, so that none is streamed anew."""
        return self.weights + self.activations <= ON_CHIP


def examine(graph: Contents) -> Readiness:
    """Check a model's graph, from ``flatbuffer.read``, against the documented rules."""
    faults = []
    for operator in graph.operators:
        rule = _RULES.get(operator.name)
        reasons = ["it is not in the list of supported operations"] if rule is None else [*rule(operator)]
        reasons += _of_tensors(operator)
        faults += [f"{operator.name}: {reasons[0]}"] if reasons else []
    constants = {tensor.index: tensor for operator in graph.operators for tensor in operator.inputs if tensor.content}
    activations = [
        sum(_size(tensor) for tensor in (*operator.inputs, *operator.outputs) if not tensor.content)
        for operator in graph.operators
    ]
    weights = sum(len(tensor.content) for tensor in constants.values())
    return Readiness(len(graph.operators), tuple(faults), weights, max(activations, default=0))


def _size(tensor: Tensor) -> int:
    return int(np.prod(tensor.shape, dtype=np.int64))


def _of_tensors(operator: Operator) -> list[str]:
    """What holds for the tensors of every operator."""
    tensors = (*operator.inputs, *operator.outputs)
    maps = [tensor for tensor in tensors if not tensor.content]
    parameters = [tensor for tensor in operator.inputs if tensor.content]
    faults = []
    if any(tensor.dtype not in ("int8", "uint8") for tensor in maps):
        faults.append("a feature map is not of 8 bits")
    if any(tensor.dtype not in ("int8", "uint8", "int32") for tensor in parameters):
        faults.append("a parameter is not of 8 bits, nor the int32 of a bias, axis or shape")
    if any(tensor.dynamic or not all(tensor.shape) for tensor in tensors):
        faults.append("a size is not known at compile time")
    if any(side > 1 for tensor in maps for side in tensor.shape[:-3]):
        faults.append("a dimension outside the three innermost is larger than 1")
    return faults


def _any(_: Operator) -> Sequence[str]:
    return ()


def _no_activation(operator: Operator) -> Sequence[str]:
    return ["it has a fused activation function"] if operator.options.get("fusedActivationFunction") else []


def _convolution(operator: Operator) -> Sequence[str]:
    options = operator.options
    faults = []
    if options.get("dilationHFactor") != options.get("dilationWFactor"):
        faults.append("it is not dilated alike in x and y")
    if not all(tensor.content for tensor in operator.inputs[1:]):
        faults.append("its kernel or bias is not constant")
    return faults


def _constant_parameters(operator: Operator) -> Sequence[str]:
    return [] if all(tensor.content for tensor in operator.inputs[1:]) else ["a parameter is not constant"]


def _fully_connected(operator: Operator) -> Sequence[str]:
    faults = [*_constant_parameters(operator)]
    if operator.options.get("weightsFormat"):
        faults.append("its weights are not in the default format")
    if sum(side > 1 for side in operator.outputs[0].shape) > 1:
        faults.append("its output has more than one dimension")
    return faults


def _concatenation(operator: Operator) -> Sequence[str]:
    constants = [tensor for tensor in operator.inputs if tensor.content]
    if constants and (len(operator.inputs) != 2 or any(any(tensor.content) for tensor in constants)):
        return ["it joins a constant other than zeros, or more than two inputs with one"]
    return _no_activation(operator)


def _mean(operator: Operator) -> Sequence[str]:
    read = operator.inputs[0].shape
    axes = _axes(operator)
    if axes is None:
        return ["its axes are not constant"]
    if 0 in axes:
        return ["it averages over the batch"]
    if len(read) - 1 in axes and read[-1] % 4:
        return [f"it averages over {read[-1]} channels, not a multiple of 4"]
    return []


def _not_the_batch(operator: Operator) -> Sequence[str]:
    axes = _axes(operator)
    return ["it reduces the batch, or its axes are not constant"] if axes is None or 0 in axes else []


def _axes(operator: Operator) -> set[int] | None:
    if len(operator.inputs) < 2 or not operator.inputs[1].content:
        return None
    dimensions = len(operator.inputs[0].shape)
    return {int(axis) % dimensions for axis in np.frombuffer(operator.inputs[1].content, np.int32)}


def _pad(operator: Operator) -> Sequence[str]:
    if not operator.inputs[1].content:
        return ["its padding is not constant"]
    padding = np.frombuffer(operator.inputs[1].content, np.int32).reshape(-1, 2)
    return ["it pads the batch"] if len(padding) > 3 and padding[0].any() else []


def _pack(operator: Operator) -> Sequence[str]:
    return ["it packs along the batch"] if operator.options.get("axis") == 0 else []


def _softmax(operator: Operator) -> Sequence[str]:
    sizes = [side for side in operator.inputs[0].shape if side > 1]
    return (
        [] if len(sizes) <= 1 and sum(sizes) <= _LONGEST_SOFTMAX else ["it is not over one dimension of 16000 at most"]
    )


def _strided_slice(operator: Operator) -> Sequence[str]:
    steps = operator.inputs[3] if len(operator.inputs) > 3 else None
    if steps is None or not steps.content or np.any(np.frombuffer(steps.content, np.int32) != 1):
        return ["a stride is not 1"]
    return []


def _prelu(operator: Operator) -> Sequence[str]:
    slopes = operator.inputs[1]
    return (
        []
        if slopes.content and all(side == 1 for side in slopes.shape[:-1])
        else ["it has more than a slope a channel"]
    )


def _split(operator: Operator) -> Sequence[str]:
    axis = operator.inputs[0].content
    return [] if axis and int(np.frombuffer(axis, np.int32)[0]) != 0 else ["it splits the batch"]


_RULES: Final[dict[str, Callable[[Operator], Sequence[str]]]] = {
    "ADD": _any,
    "AVERAGE_POOL_2D": _no_activation,
    "CONCATENATION": _concatenation,
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _convolution,
    "EXPAND_DIMS": _any,
    "FULLY_CONNECTED": _fully_connected,
    "L2_NORMALIZATION": _any,
    "LOGISTIC": _any,
    "MAXIMUM": _any,
    "MAX_POOL_2D": _no_activation,
    "MEAN": _mean,
    "MINIMUM": _any,
    "MUL": _any,
    "PACK": _pack,
    "PAD": _pad,
    "PRELU": _prelu,
    "QUANTIZE": _any,
    "REDUCE_MAX": _not_the_batch,
    "REDUCE_MIN": _not_the_batch,
    "RELU": _any,
    "RELU6": _any,
    "RELU_N1_TO_1": _any,
    "RESHAPE": _any,
    "RESIZE_BILINEAR": _any,
    "RESIZE_NEAREST_NEIGHBOR": _any,
    "RSQRT": _any,
    "SLICE": _any,
    "SOFTMAX": _softmax,
    "SPACE_TO_DEPTH": _any,
    "SPLIT": _split,
    "SQUARED_DIFFERENCE": _any,
    "SQUEEZE": _any,
    "STRIDED_SLICE": _strided_slice,
    "SUB": _any,
    "SUM": _not_the_batch,
    "TANH": _any,
    "TRANSPOSE": _any,
    "TRANSPOSE_CONV": _constant_parameters,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _any,
}
