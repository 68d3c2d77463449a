"""PyTorch in bfloat16, channels last: what its CPU kernels are fastest with outside of integers.

``torch.compile`` with frozen weights and oneDNN's own layout were within 5% of this, and the first takes half a minute.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import network
from benchmarks.network import Conv, MaxPool
from benchmarks.peers import Opened
from benchmarks.peers.torch_int8 import load, lopsided, own_pads, pad
from edge_runtime.model.bundle import Bundle


def open_peer(bundle: Bundle, threads: int) -> Opened:
    torch = load(threads)
    read = network.read(bundle.tflite)
    first = read.layers[0]
    assert isinstance(first, Conv)
    model = torch.nn.Sequential(*(module for layer in read.layers for module in _modules(torch, layer))).eval()
    model = model.to(torch.bfloat16).to(memory_format=torch.channels_last)

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            grey = torch.from_numpy(pad(pixels, first.pads)).permute(0, 3, 1, 2).to(torch.bfloat16)
            maps = model(grey.contiguous(memory_format=torch.channels_last))
            return np.asarray(maps.float().mean(dim=(2, 3))[0].numpy(), np.float32)

    return Opened(f"torch {torch.__version__.partition('+')[0]}, bfloat16", answer)


def _modules(torch: Any, layer: Conv | MaxPool) -> list[Any]:
    if isinstance(layer, MaxPool):
        return [torch.nn.MaxPool2d(layer.size, layer.stride)]
    if lopsided(layer.pads) and layer.weights.shape[1] != 1:
        raise ValueError("a border that differs from side to side behind the first convolution")
    out, into, height, width = layer.weights.shape
    conv = torch.nn.Conv2d(into, out, (height, width), stride=layer.stride, padding=own_pads(layer))
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(layer.real_weights()))
        conv.bias.copy_(torch.from_numpy(layer.real_bias()))
    return [conv, torch.nn.ReLU()] if layer.relu else [conv]
