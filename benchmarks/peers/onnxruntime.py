"""ONNX Runtime with the same integers: a ``QLinearConv`` for each convolution.

Activations are ``uint8`` (the ``int8`` ones plus 128) and weights ``int8``, which is what its x86 kernels are made for.
"""

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import network
from benchmarks.network import Conv, Grid, MaxPool, Network
from benchmarks.peers import Opened
from edge_runtime.model.bundle import Bundle

_OPSET, _IR_VERSION = 17, 10


def open_peer(bundle: Bundle, threads: int) -> Opened:
    runtime = importlib.import_module("onnxruntime")
    read = network.read(bundle.tflite)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = runtime.InferenceSession(_model(read), options, providers=["CPUExecutionProvider"])

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        (logits,) = session.run(None, {"pixels": pixels.reshape(1, 1, read.height, read.width)})
        return np.asarray(logits, np.float32).reshape(-1)

    return Opened(f"onnxruntime {runtime.__version__}, int8", answer)


def _model(read: Network) -> bytes:
    onnx = importlib.import_module("onnx")
    helper, numbers = onnx.helper, onnx.numpy_helper
    nodes: list[Any] = []
    constants: list[Any] = []

    def constant(name: str, value: Any) -> str:
        constants.append(numbers.from_array(np.asarray(value), name))
        return name

    def grid(name: str, grid: Grid) -> list[str]:
        return [constant(f"{name}.scale", np.float32(grid.scale)), constant(f"{name}.zero", np.uint8(grid.zero + 128))]

    last = "pixels"
    for number, layer in enumerate(read.layers):
        name = f"layer{number}"
        if isinstance(layer, MaxPool):
            sizes = {"kernel_shape": [layer.size] * 2, "strides": [layer.stride] * 2}
            nodes.append(helper.make_node("MaxPool", [last], [name], **sizes))
        else:
            nodes.append(_conv(helper, constant, grid, layer, last, name))
        last = name
    map_ = read.layers[-1]
    assert isinstance(map_, Conv)
    nodes.append(helper.make_node("DequantizeLinear", [last, *grid("map", map_.result)], ["real"]))
    nodes.append(helper.make_node("GlobalAveragePool", ["real"], ["logits"]))
    types = onnx.TensorProto
    graph = helper.make_graph(
        nodes,
        "vgg16",
        [helper.make_tensor_value_info("pixels", types.UINT8, [1, 1, read.height, read.width])],
        [helper.make_tensor_value_info("logits", types.FLOAT, [1, 3, 1, 1])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION)
    return bytes(model.SerializeToString())


def _conv(helper: Any, constant: Any, grid: Any, layer: Conv, source: str, name: str) -> Any:
    if layer.relu and layer.result.zero != -128:
        raise ValueError("a ReLU whose zero is not the lowest integer")
    inputs = [
        source,
        *grid(f"{name}.source", layer.source),
        constant(f"{name}.weights", layer.weights),
        constant(f"{name}.scales", layer.scales),
        constant(f"{name}.zeros", np.zeros(len(layer.scales), np.int8)),
        *grid(f"{name}.result", layer.result),
        constant(f"{name}.bias", layer.bias),
    ]
    (top, bottom), (left, right) = layer.pads
    return helper.make_node("QLinearConv", inputs, [name], pads=[top, left, bottom, right], strides=[layer.stride] * 2)
