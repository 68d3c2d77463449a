"""The engines and libraries that are compared: each opens a bundle's network and answers with its logits."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# ``uint8`` pixels of shape ``(1, height, width, 1)`` to ``float32`` logits of shape ``(3,)``.
Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Opened:
    """A peer with a network in it.

    Attributes:
        name: The library, its version and the numbers it computes with.
        answer: One inference.
        macs: Multiply-adds of one, where they are not those of the bundle's network.
    """

    name: str
    answer: Answer
    macs: int | None = None


@dataclass(frozen=True)
class Peer:
    """How to open one.

    Attributes:
        module: With ``open_peer(bundle, threads) -> Opened``.
        needs: Modules that it imports.
        pip: What to install where they are missing.
    """

    module: str
    needs: tuple[str, ...]
    pip: str


BASELINE = "litert"
PEAK = "peak"
PEERS = {
    BASELINE: Peer("benchmarks.peers.litert", ("ai_edge_litert",), "pip install ai-edge-litert"),
    "litert-float32": Peer("benchmarks.peers.litert_float32", ("ai_edge_litert",), "pip install ai-edge-litert"),
    "tflite-runtime": Peer(
        "benchmarks.peers.tflite_runtime",
        ("tflite_runtime",),
        "an environment of requirements/tflite-runtime.txt, named by --python tflite-runtime=.../bin/python",
    ),
    "openvino": Peer("benchmarks.peers.openvino", ("openvino",), "pip install openvino"),
    "onnxruntime-int8": Peer("benchmarks.peers.onnxruntime", ("onnxruntime", "onnx"), "pip install onnxruntime onnx"),
    "torch-int8": Peer("benchmarks.peers.torch_int8", ("torch",), "pip install torch"),
    "torch-bfloat16": Peer("benchmarks.peers.torch_bfloat16", ("torch",), "pip install torch"),
    PEAK: Peer("benchmarks.peers.peak", ("torch",), "pip install torch"),
}
