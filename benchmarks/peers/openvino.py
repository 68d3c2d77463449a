"""OpenVINO on the same ``.tflite``: the engine as the device runs it, with the settings it is fastest with."""

from benchmarks.peers import Opened, litert
from edge_runtime.model.bundle import Bundle


def open_peer(bundle: Bundle, threads: int) -> Opened:
    return litert.open_peer(bundle, threads, "openvino")
