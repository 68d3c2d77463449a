"""Which engine answers: one that computes what the converter computed, or none."""

from collections.abc import Callable
from typing import Final

from edge_runtime.config.config import EngineChoice
from edge_runtime.errors import EdgePneumoError, EngineError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.model.engines import DEFAULT_ENGINE, Engine, EngineName, open_engine

# Where OpenVINO is made for the processor. Its outputs elsewhere have not been compared.
_OPENVINO_MACHINES: Final = frozenset({"x86_64", "AMD64"})

Open = Callable[[Bundle, int | None, EngineName], Engine]


def choose_engine(
    bundle: Bundle,
    threads: int | None,
    choice: EngineChoice | None,
    *,
    warn: Callable[[str], None],
    proven: bool = True,
    open_engine: Open = open_engine,
    preferred: Callable[[], EngineName] | None = None,
) -> Engine:
    """Open the engine that is asked for.

    LiteRT is the converter's own engine, and whoever uses it for long replays the golden vectors himself. Any other
    one replays them here, and is not used where it differs.

    Args:
        bundle: From ``bundle.read``.
        threads: ``None`` for the default number.
        choice: ``auto`` for OpenVINO where it is installed, on x86, and gives the golden vectors, else LiteRT; ``None``
            for LiteRT.
        warn: Told in a sentence why ``auto`` does not take what is installed.
        proven: ``False`` where the caller replays the golden vectors of the engine that is named.
        open_engine: Opens a named one.
        preferred: What ``auto`` tries first; ``None`` to look at this machine.

    Raises:
        EngineError: The engine is not installed, or does not give the golden vectors.
        BundleError: The engine cannot run the model.
        UsageError: Fewer than one thread.
    """
    if choice != "auto":
        name: EngineName = choice or DEFAULT_ENGINE
        engine = open_engine(bundle, threads, name)
        if proven and name != DEFAULT_ENGINE:
            _refuse_unproven(engine, bundle)
        return engine
    best = (preferred or preferred_engine)()
    if best != DEFAULT_ENGINE:
        try:
            engine = open_engine(bundle, threads, best)
            _refuse_unproven(engine, bundle)
            return engine
        except EdgePneumoError as error:
            warn(f"{error}; {DEFAULT_ENGINE} is used instead")
    return open_engine(bundle, threads, DEFAULT_ENGINE)


def preferred_engine(machine: str | None = None, *, installed: bool | None = None) -> EngineName:
    """What ``auto`` tries first on this machine.

    Args:
        machine: As ``platform.machine()`` says.
        installed: Whether OpenVINO is.
    """
    # Loaded for ``auto`` alone: the others start sooner.
    import importlib.util
    import platform

    if (machine or platform.machine()) not in _OPENVINO_MACHINES:
        return DEFAULT_ENGINE
    if installed is None:
        installed = importlib.util.find_spec("openvino") is not None
    return "openvino" if installed else DEFAULT_ENGINE


def _refuse_unproven(engine: Engine, bundle: Bundle) -> None:
    report = verify_golden(engine, bundle.golden)
    if not is_reproduced(report, engine):
        raise EngineError(
            f"{engine.name} does not compute what the model's converter computed (it differs by up to "
            f"{report.largest_difference} steps, {engine.tolerance} are allowed); install another version of it, or "
            f"run with --engine {DEFAULT_ENGINE}"
        )
