"""What stands in a ``.tflite``: its operators and tensors, read from the file and not from an interpreter's plan."""

from dataclasses import dataclass

from ai_edge_litert import schema_py_generated as schema

_OPERATOR_NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items() if not name.startswith("_")}
_TYPE_NAMES = {code: name.lower() for name, code in vars(schema.TensorType).items() if not name.startswith("_")}


@dataclass(frozen=True)
class Tensor:
    """A tensor: its place in the file, type (``int8``), shape, and the scales and zero points of its integers."""

    index: int
    name: str
    dtype: str
    shape: tuple[int, ...]
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]


@dataclass(frozen=True)
class Operator:
    """An operator by its TFLite name (``CONV_2D``), and its tensors; a missing optional input is left out."""

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]


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
    tensors = [_tensor(index, tensor) for index, tensor in enumerate(graph.tensors)]

    def named(indices: list[int]) -> tuple[Tensor, ...]:
        return tuple(tensors[index] for index in indices if index >= 0)

    operators = []
    for operator in graph.operators:
        code = root.operatorCodes[operator.opcodeIndex]
        # Codes above 126 stand in the newer field alone.
        name = _OPERATOR_NAMES[max(code.builtinCode, code.deprecatedBuiltinCode)]
        operators.append(Operator(name, named(operator.inputs), named(operator.outputs)))
    return Contents(named(graph.inputs), named(graph.outputs), tuple(operators))


def _tensor(index: int, tensor: schema.TensorT) -> Tensor:
    quantization = tensor.quantization
    scales = () if quantization is None or quantization.scale is None else tuple(map(float, quantization.scale))
    zeros = () if quantization is None or quantization.zeroPoint is None else tuple(map(int, quantization.zeroPoint))
    shape = () if tensor.shape is None else tuple(map(int, tensor.shape))
    return Tensor(index, tensor.name.decode(), _TYPE_NAMES[tensor.type], shape, scales, zeros)
