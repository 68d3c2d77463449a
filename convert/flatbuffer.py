"""What stands in a ``.tflite``: its operators and tensors, read from the file and not from an interpreter's plan."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ai_edge_litert import schema_py_generated as schema

_OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPE_NAMES = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}


@dataclass(frozen=True)
class Tensor:
    """A tensor: its place in the file, type (``int8``), shape, and the scales and zero points of its integers.

    ``content`` are the bytes that stand in the file; none for one that is computed. ``dynamic`` where a size is only
    known at run time.
    """

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    content: bytes = field(default=b"", repr=False)
    dynamic: bool = False


@dataclass(frozen=True)
class Operator:
    """An operator by its TFLite name (``CONV_2D``), and its tensors; a missing optional input is left out.

    ``options`` are the fields of its table in TFLite's schema, such as ``strideH``.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Contents:
    """The one graph of a model."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    operators: tuple[Operator, ...]


def read(model: bytes) -> Contents:
    """Read a model of one graph."""
    root = schema.ModelT.InitFromPackedBuf(model, 0)
    graph = root.subgraphs[0]
    tensors = [_tensor(index, tensor, root.buffers) for index, tensor in enumerate(graph.tensors)]

    def named(indices: list[int]) -> tuple[Tensor, ...]:
        return tuple(tensors[index] for index in indices if index >= 0)

    operators = []
    for operator in graph.operators:
        code = root.operatorCodes[operator.opcodeIndex]
        # Codes above 126 stand in the newer field alone.
        name = _OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        options = {} if operator.builtinOptions is None else vars(operator.builtinOptions)
        operators.append(Operator(name, named(operator.inputs), named(operator.outputs), options))
    return Contents(named(graph.inputs), named(graph.outputs), tuple(operators))


def _tensor(index: int, tensor: schema.TensorT, buffers: list[schema.BufferT]) -> Tensor:
    quantization = tensor.quantization
    scales = () if quantization is None or quantization.scale is None else tuple(map(float, quantization.scale))
    zeros = () if quantization is None or quantization.zeroPoint is None else tuple(map(int, quantization.zeroPoint))
    shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
    data = buffers[tensor.buffer].data
    content = b"" if data is None else bytes(data)
    dynamic = tensor.shapeSignature is not None and -1 in tensor.shapeSignature
    return Tensor(index, tensor.name.decode(), _TYPE_NAMES[tensor.type], shape, scales, zeros, content, dynamic)
