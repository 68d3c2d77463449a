"""What goes into a ``.tflite`` and comes out of it, read from the file: for engines that do not tell the scales.

A FlatBuffer is tables whose fields are found through a table of offsets (https://flatbuffers.dev/internals); the
numbers of the fields are those of TFLite's ``schema.fbs``, which only ever grows.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, Final

_SUBGRAPHS, _TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 2, 0, 1, 2, 3
_SHAPE, _TYPE, _QUANTIZATION, _SCALE, _ZERO_POINT = 0, 1, 4, 2, 3
_OPERATOR_CODES, _OLD_CODE, _CODE, _CODE_OF_OPERATOR = 1, 0, 3, 0
# CONV_2D, DEPTHWISE_CONV_2D, FULLY_CONNECTED; their second input is the weights.
_MULTIPLYING: Final = frozenset({3, 4, 9})
_TYPES: Final = {0: "float32", 1: "float16", 2: "int32", 3: "uint8", 4: "int64", 9: "int8"}


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output: its type (``int8``), shape, and the scale and zero point of its integers, or 0."""

    dtype: str
    shape: tuple[int, ...]
    scale: float
    zero: int


def read_ports(model: bytes) -> tuple[list[Port], list[Port]]:
    """The inputs and the outputs of a model of one graph, each in the file's order.

    Raises:
        ValueError: It is none.
    """
    try:
        root = _Table(model, struct.unpack_from("<I", model)[0])
        graph = next(root.tables(_SUBGRAPHS))
        ports = [_port(tensor) for tensor in graph.tables(_TENSORS)]
        inputs, outputs = ([ports[index] for index in graph.numbers(field, "i")] for field in (_INPUTS, _OUTPUTS))
    except (struct.error, IndexError, StopIteration) as error:
        raise ValueError("not a .tflite model") from error
    return inputs, outputs


def multiply_adds(model: bytes) -> int:
    """How many multiply-adds one inference takes, by its convolutions and dense layers; 0 where it has none of ours.

    Raises:
        ValueError: It is no model.
    """
    try:
        root = _Table(model, struct.unpack_from("<I", model)[0])
        # A code above 127 stands in the newer field, and the older one has its largest number.
        codes = [max(code.byte(_OLD_CODE), code.integer(_CODE)) for code in root.tables(_OPERATOR_CODES)]
        graph = next(root.tables(_SUBGRAPHS))
        shapes = [_port(tensor).shape for tensor in graph.tables(_TENSORS)]
        total = 0
        for operator in graph.tables(_OPERATORS):
            if codes[operator.integer(_CODE_OF_OPERATOR)] in _MULTIPLYING:
                weights = shapes[operator.numbers(_INPUTS, "i")[1]]
                output = shapes[operator.numbers(_OUTPUTS, "i")[0]]
                # Each weight is used once a pixel of the output.
                total += prod(weights) * prod(output[1:-1])
    except (struct.error, IndexError, StopIteration) as error:
        raise ValueError("not a .tflite model") from error
    return total


@dataclass(frozen=True, slots=True)
class _Table:
    data: bytes
    at: int

    def place(self, field: int) -> int | None:
        """Where the field's value lies; ``None`` where it is left out."""
        start = self.at - self._number("i", self.at)
        length, entry = self._number("H", start), 4 + 2 * field
        offset = self._number("H", start + entry) if entry < length else 0
        return self.at + offset if offset else None

    def byte(self, field: int) -> int:
        place = self.place(field)
        return 0 if place is None else int(self._number("b", place))

    def integer(self, field: int) -> int:
        place = self.place(field)
        return 0 if place is None else int(self._number("i", place))

    def table(self, field: int) -> "_Table | None":
        place = self.place(field)
        return None if place is None else _Table(self.data, place + self._number("I", place))

    def tables(self, field: int) -> Iterator["_Table"]:
        first, count = self._vector(field)
        for place in range(first, first + 4 * count, 4):
            yield _Table(self.data, place + self._number("I", place))

    def numbers(self, field: int, code: str) -> tuple[Any, ...]:
        first, count = self._vector(field)
        return struct.unpack_from(f"<{count}{code}", self.data, first)

    def _vector(self, field: int) -> tuple[int, int]:
        place = self.place(field)
        if place is None:
            return 0, 0
        place += self._number("I", place)
        return place + 4, self._number("I", place)

    def _number(self, code: str, place: int) -> Any:
        return struct.unpack_from(f"<{code}", self.data, place)[0]


def _port(tensor: _Table) -> Port:
    quantization = tensor.table(_QUANTIZATION)
    scales = () if quantization is None else quantization.numbers(_SCALE, "f")
    zeros = () if quantization is None else quantization.numbers(_ZERO_POINT, "q")
    kind = tensor.byte(_TYPE)
    return Port(
        _TYPES.get(kind, f"type {kind}"),
        tuple(tensor.numbers(_SHAPE, "i")),
        float(scales[0]) if scales else 0.0,
        int(zeros[0]) if zeros else 0,
    )
