"""The machine's int8 peak, as far as a library reaches it: oneDNN's fastest 3x3 convolution, its weights ready packed.

A matrix product would be the usual measure; oneDNN's and OpenVINO's stay behind these convolutions.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers import Opened
from benchmarks.peers.torch_int8 import load
from edge_runtime.model.bundle import Bundle

_CHANNELS_AND_SIDES = ((512, 14), (256, 28), (512, 28), (256, 56))
_TRIALS = 5
_NOTHING = np.zeros(0, np.float32)


def open_peer(_: Bundle, threads: int) -> Opened:
    torch = load(threads)
    probes = [_probe(torch, channels, side) for channels, side in _CHANNELS_AND_SIDES]
    macs, run = max(probes, key=lambda probe: probe[0] / _shortest(probe[1]))
    return Opened("the fastest int8 convolution", lambda _: _run(run), macs)


def _probe(torch: Any, channels: int, side: int) -> tuple[int, Callable[[], Any]]:
    weights = torch.quantize_per_tensor(torch.randn(channels, channels, 3, 3), 0.01, 0, torch.qint8)
    packed = torch.ops.quantized.conv2d_prepack(weights, torch.zeros(channels), [1, 1], [1, 1], [1, 1], 1)
    real = torch.rand(1, channels, side, side).contiguous(memory_format=torch.channels_last)
    x = torch.quantize_per_tensor(real, 1 / 255, 0, torch.quint8)
    return 9 * channels**2 * side**2, lambda: torch.ops.quantized.conv2d_relu(x, packed, 0.02, 0)


def _shortest(run: Callable[[], Any]) -> float:
    times = []
    for _ in range(_TRIALS):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def _run(run: Callable[[], Any]) -> Any:
    run()
    return _NOTHING
