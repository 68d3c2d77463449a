"""Engines, and the choice between those that are installed."""

import importlib
import os
from typing import Final, Literal, get_args

from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines.interface import Engine, Quantization, RawOutputs, Runner

__all__ = [
    "DEFAULT_ENGINE",
    "ENGINES",
    "Engine",
    "EngineName",
    "Quantization",
    "RawOutputs",
    "Runner",
    "default_threads",
    "open_engine",
    "usable_cpus",
]

EngineName = Literal["litert", "openvino"]
# Each is a module of this package with ``open_engine(bundle, threads)``.
ENGINES: Final[tuple[EngineName, ...]] = get_args(EngineName)
DEFAULT_ENGINE: Final[EngineName] = "litert"
# More threads than this gain little on the boards this is made for, and take the cores from decoding.
_MOST_THREADS = 4


def default_threads() -> int:
    """The CPUs this process may use, at most 4."""
    return min(usable_cpus(), _MOST_THREADS)


def usable_cpus() -> int:
    """The CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def open_engine(bundle: Bundle, threads: int | None = None, name: EngineName = DEFAULT_ENGINE) -> Engine:
    """Open the bundle's model in an engine; whether it computes what the converter did is not looked at here.

    Args:
        bundle: From ``bundle.read``.
        threads: ``None`` for ``default_threads()``.
        name: ``litert`` is ai-edge-litert, else tflite-runtime, its older name.

    Raises:
        EngineError: The engine is not installed or does not load.
        BundleError: The engine cannot run the model.
        UsageError: Fewer than one thread.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"{threads} threads cannot run a model; use at least 1")
    # Imported when it is asked for: the other engine may not be installed.
    module = importlib.import_module(f"edge_runtime.model.engines.{name}")
    engine: Engine = module.open_engine(bundle, threads or default_threads())
    return engine
