"""PyTorch with the same integers: its quantized convolutions (oneDNN on x86), channels last.

Activations are ``quint8`` (the ``int8`` ones plus 128), the only type these convolutions take.
"""

import importlib
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import network
from benchmarks.network import Conv, MaxPool, Pads
from benchmarks.peers import Opened
from edge_runtime.model.bundle import Bundle


def open_peer(bundle: Bundle, threads: int) -> Opened:
    torch = load(threads)
    read = network.read(bundle.tflite)
    steps = [_step(torch, layer) for layer in read.layers]
    first, last = read.layers[0], read.layers[-1]
    assert isinstance(first, Conv)
    assert isinstance(last, Conv)

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            grey = torch.from_numpy(pad(pixels, first.pads)).permute(0, 3, 1, 2)
            x = torch._make_per_tensor_quantized_tensor(
                grey.contiguous(memory_format=torch.channels_last), first.source.scale, first.source.zero + 128
            )
            for step in steps:
                x = step(x)
            return np.asarray(torch.mean(torch.dequantize(x), dim=(2, 3))[0].numpy(), np.float32)

    return Opened(f"torch {torch.__version__.partition('+')[0]}, int8", answer)


def load(threads: int) -> Any:
    """PyTorch, with its fastest integer kernels."""
    warnings.filterwarnings("ignore", category=UserWarning)  # that they will go one day
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    engines = torch.backends.quantized.supported_engines
    torch.backends.quantized.engine = "onednn" if "onednn" in engines else "qnnpack"
    return torch


def pad(pixels: NDArray[np.uint8], pads: Pads) -> NDArray[np.uint8]:
    """The border of the first convolution: PyTorch's own is equal on opposite sides."""
    if lopsided(pads):
        return np.pad(pixels, ((0, 0), *pads, (0, 0)))
    return pixels


def lopsided(pads: Pads) -> bool:
    return any(before != after for before, after in pads)


def own_pads(layer: Conv) -> list[int]:
    """What is left for PyTorch to pad."""
    return [0, 0] if lopsided(layer.pads) else [layer.pads[0][0], layer.pads[1][0]]


def _step(torch: Any, layer: Conv | MaxPool) -> Any:
    if isinstance(layer, MaxPool):
        return lambda x: torch.max_pool2d(x, layer.size, layer.stride)
    if lopsided(layer.pads) and layer.weights.shape[1] != 1:
        raise ValueError("a border that differs from side to side behind the first convolution")
    if layer.relu and layer.result.zero != -128:
        raise ValueError("a ReLU whose zero is not the lowest integer")
    zeros = torch.zeros(len(layer.scales), dtype=torch.long)
    weights = torch._make_per_channel_quantized_tensor(
        torch.from_numpy(layer.weights), torch.from_numpy(layer.scales.astype(np.float64)), zeros, 0
    )
    packed = torch.ops.quantized.conv2d_prepack(
        weights, torch.from_numpy(layer.real_bias()), [layer.stride] * 2, own_pads(layer), [1, 1], 1
    )
    run = torch.ops.quantized.conv2d_relu if layer.relu else torch.ops.quantized.conv2d
    scale, zero = layer.result.scale, layer.result.zero + 128
    return lambda x: run(x, packed, scale, zero)
