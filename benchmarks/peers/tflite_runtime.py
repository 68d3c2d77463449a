"""tflite-runtime, LiteRT's older name, whose last version is of 2023: it needs an environment with numpy 1."""

import importlib
from importlib.metadata import version

from benchmarks.peers import Opened, litert
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines.litert import Library, LiteRtEngine


def open_peer(bundle: Bundle, threads: int) -> Opened:
    module = importlib.import_module("tflite_runtime.interpreter")
    library = Library(f"tflite-runtime {version('tflite-runtime')}", module.Interpreter)
    return litert.of(LiteRtEngine(bundle.tflite, bundle.info, library, threads))
