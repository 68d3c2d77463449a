"""LiteRT with its XNNPACK kernels: the engine as the device runs it."""

import numpy as np

from benchmarks.peers import Opened
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines import Engine, EngineName, open_engine


def open_peer(bundle: Bundle, threads: int, engine: EngineName = "litert") -> Opened:
    return of(open_engine(bundle, threads, engine))


def of(engine: Engine) -> Opened:
    """An engine of the runtime as a peer."""
    scale, zero = engine.quantization.scores_scale, engine.quantization.scores_zero
    library = engine.name.partition(",")[0]
    return Opened(
        f"{library}, int8", lambda pixels: np.asarray((engine.invoke(pixels).scores - float(zero)) * scale, np.float32)
    )
