"""Engines, and the choice between those that are installed."""

import os

from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines.interface import Engine, Quantization, RawOutputs

__all__ = ["Engine", "Quantization", "RawOutputs", "default_threads", "open_engine"]

# More threads than this gain little on the boards this is made for, and take the cores from decoding.
_MOST_THREADS = 4


def default_threads() -> int:
    """The CPUs this process may use, at most 4."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, _MOST_THREADS)


def open_engine(bundle: Bundle, threads: int | None = None) -> Engine:
    """Open the bundle's model in the first engine that is installed: ai-edge-litert, else tflite-runtime.

    Args:
        bundle: From ``bundle.read``.
        threads: ``None`` for ``default_threads()``.

    Raises:
        EngineError: No engine is installed.
        BundleError: The engine cannot run the model.
        UsageError: Fewer than one thread.
    """
    from edge_runtime.model.engines import litert

    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads cannot run a model; use at least 1")
    return litert.open_engine(bundle, threads or default_threads())
