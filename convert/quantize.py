"""The folded network as a full int8 ``.tflite``, by either of two quantizers.

Both get the ranges from ``convert.ranges`` instead of finding their own, so they build the same integers from the same
numbers; docs/converting.md tells why.
"""

from typing import Any, Final, Literal

import numpy as np
import tensorflow as tf

from convert import flatbuffer
from convert.fold import Conv, Folded
from convert.graph import apply, float_tflite, pooled
from convert.ranges import FEATURES, INPUT, SCORES, Range
from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.model.bundle import LABELS
from edge_runtime.model.engines.interface import tell_apart

Route = Literal["tf-lite-converter", "litert-quantizer"]
ROUTES: Final[tuple[Route, ...]] = ("tf-lite-converter", "litert-quantizer")
# The QUANTIZE turns the uint8 pixels into int8 ones, 128 less each, and nothing else.
OPERATORS: Final = frozenset({"QUANTIZE", "CONV_2D", "MAX_POOL_2D", "MEAN"})


class GraphError(EdgePneumoError):
    """A quantizer built something else than the integer graph."""


def quantize(folded: Folded, ranges: dict[str, Range], route: Route) -> bytes:
    """An int8 model: ``uint8`` pixels in, ``int8`` scores, map and pooled features out, weights per channel.

    Args:
        folded: The network to round.
        ranges: For ``input``, each convolution's name, ``scores`` and ``features``.
        route: Which quantizer.
    """
    return _tf_lite_converter(folded, ranges) if route == "tf-lite-converter" else _litert_quantizer(folded, ranges)


def check(model: bytes) -> None:
    """Refuse a model that is not the integer graph a device expects.

    Raises:
        GraphError: It holds another operator, a float tensor, an input other than raw pixels, or a kernel without a
            scale per channel.
    """
    graph = flatbuffer.read(model)
    foreign = {operator.name for operator in graph.operators} - OPERATORS
    tensors = {t for operator in graph.operators for t in (*operator.inputs, *operator.outputs)}
    kernels = [operator.inputs[1] for operator in graph.operators if operator.name == "CONV_2D"]
    (entrance,) = graph.inputs
    faults = {
        f"it holds {', '.join(sorted(foreign))}": foreign,
        "a tensor is not an integer": any(tensor.dtype not in ("int8", "uint8", "int32") for tensor in tensors),
        "its input is not uint8 with scale 1 and zero point 0": (entrance.dtype, entrance.scales, entrance.zero_points)
        != ("uint8", (1.0,), (0,)),
        "its outputs are not int8 scores, map and features": any(t.dtype != "int8" for t in graph.outputs)
        or tell_apart([t.shape for t in graph.outputs], len(LABELS)) is None,
        "a kernel has one scale for all its channels": any(len(k.scales) != k.shape[0] for k in kernels),
    }
    found = [fault for fault, present in faults.items() if present]
    if found:
        raise GraphError(f"The int8 model cannot be used, because {found[0]}: try the other --route, or report this.")


class _Ranged(tf.Module):
    """The float graph with a fake quantization, which carries the range, behind every feature map."""

    def __init__(self, folded: Folded, ranges: dict[str, Range]) -> None:
        super().__init__()
        self.folded, self.ranges = folded, ranges

    def __call__(self, pixels: Any) -> dict[str, Any]:
        x = self._ranged(pixels, INPUT)
        for layer in self.folded.layers:
            last, x = x, apply(layer, x)
            if isinstance(layer, Conv):
                x = self._ranged(x, layer.name)
        return {
            "scores": self._ranged(pooled(x), SCORES),
            "map": x,
            "features": self._ranged(pooled(last), FEATURES),
        }

    def _ranged(self, x: Any, name: str) -> Any:
        return tf.quantization.fake_quant_with_min_max_args(x, *self.ranges[name])


def _tf_lite_converter(folded: Folded, ranges: dict[str, Range]) -> bytes:
    shape = (1, folded.height, folded.width, 1)
    graph = _Ranged(folded, ranges)
    function = tf.function(graph.__call__).get_concrete_function(tf.TensorSpec(shape, tf.float32, name="radiograph"))
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], graph)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    # Every range is in the graph, so this one image decides nothing; without it the converter quantizes weights alone.
    converter.representative_dataset = lambda: iter([[np.zeros(shape, np.float32)]])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = tf.uint8
    converter.inference_output_type = tf.int8
    return bytes(converter.convert())


def _litert_quantizer(folded: Folded, ranges: dict[str, Range]) -> bytes:
    try:
        from litert_quantizer import qtyping, quantizer, recipe
    except ModuleNotFoundError as error:
        raise UsageError('litert-quantizer is not installed: pip install "edge-pneumo[convert]".') from error

    model = float_tflite(folded)
    tool = quantizer.Quantizer(bytearray(model))
    tool.load_quantization_recipe(recipe.static_wi8_ai8())
    tool.update_quantization_recipe(
        ".*",
        qtyping.TFLOperationName.INPUT,
        qtyping.OpQuantizationConfig(
            activation_tensor_config=qtyping.TensorQuantizationConfig(
                num_bits=8,
                symmetric=False,
                granularity=qtyping.QuantGranularity.TENSORWISE,
                dtype=qtyping.TensorDataType.UINT,
            ),
            compute_precision=qtyping.ComputePrecision.INTEGER,
        ),
    )
    statistics = {
        name: {"min": np.array([low]), "max": np.array([high])}
        for name, (low, high) in _by_tensor(model, folded, ranges).items()
    }
    return bytes(tool.quantize(statistics, enable_progress_report=False, enable_progress_bar=False).quantized_model)


def _by_tensor(model: bytes, folded: Folded, ranges: dict[str, Range]) -> dict[str, Range]:
    """The ranges by the names of the float model's tensors; a pooled map has the range of what it pools."""
    graph = flatbuffer.read(model)
    found = {graph.inputs[0].name: ranges[INPUT]}
    convolutions = iter(folded.convolutions)
    head = folded.convolutions[-1].name
    of_head = None
    for operator in graph.operators:
        output = operator.outputs[0].name
        if operator.name == "CONV_2D":
            layer = next(convolutions).name
            found[output] = ranges[layer]
            of_head = output if layer == head else of_head
        elif operator.name == "MEAN":
            found[output] = ranges[SCORES if operator.inputs[0].name == of_head else FEATURES]
        else:
            found[output] = found[operator.inputs[0].name]
    return found
