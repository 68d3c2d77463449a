"""``edge-pneumo verify``: does this machine compute what the model's converter computed?"""

import argparse
import json
import statistics
from collections.abc import Iterator
from typing import Any

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.model.accelerated import AcceleratedEngine
from edge_runtime.model.bundle import Golden
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.model.engines.interface import Engine
from edge_runtime.options import add_model_arguments, classifier_of, configuration

# Inferences are timed until there are this many of them or this much time has passed.
_TIMED_INFERENCES, _TIMED_MILLISECONDS = 30, 3000.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``verify``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    add_model_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Replay the golden vectors; 0 when they are reproduced, by the Edge TPU if that was asked for, else 1.

    Raises:
        EdgePneumoError: The bundle or the engine cannot be used.
    """
    chosen = configuration(arguments)
    classifier = classifier_of(chosen, proven=False, decides=False)  # the report tells what is not
    bundle, engine = classifier.bundle, classifier.engine
    report = verify_golden(engine, bundle.golden)
    times = list(inference_milliseconds(engine, bundle.golden, SYSTEM_CLOCK))
    result = {
        "model": {"name": bundle.info.name, "sha256": bundle.sha256},
        "engine": engine.name,
        "vectors": report.n,
        "identical": report.identical,
        "largest_difference": report.largest_difference,
        "tolerance": engine.tolerance,
        "reproduced": is_reproduced(report, engine),
        "accelerator": chosen.settings.accelerator,
        "accelerator_trouble": engine.trouble if isinstance(engine, AcceleratedEngine) else None,
        "inference_milliseconds": round(statistics.median(times), 3),
        "timed_inferences": len(times),
    }
    print(json.dumps(result) if arguments.json else _describe(result))
    is_missed = chosen.settings.accelerator == "edgetpu" and result["accelerator_trouble"] is not None
    return 0 if result["reproduced"] and not is_missed else 1


def inference_milliseconds(engine: Engine, golden: Golden, clock: Clock) -> Iterator[float]:
    """Time inferences on the golden inputs: 30, or as many as fit into 3 seconds, at least one."""
    begin = clock.seconds()
    for number in range(_TIMED_INFERENCES):
        pixels = golden.pixels[number % len(golden.pixels)]
        start = clock.seconds()
        engine.invoke(pixels[None])
        yield clock.milliseconds_since(start)
        if clock.milliseconds_since(begin) > _TIMED_MILLISECONDS:
            break


def _describe(result: dict[str, Any]) -> str:
    step = "step" if result["tolerance"] == 1 else "steps"
    verdict = (
        "This machine computes what the converter computed."
        if result["reproduced"]
        else "This machine does NOT compute what the converter computed: do not use its answers; "
        "install another version of the engine and verify again."
    )
    return (
        f"model       {result['model']['name']}, sha256 {result['model']['sha256']}\n"
        f"engine      {result['engine']}\n"
        f"outputs     {result['identical']} of {result['vectors']} golden vectors identical, "
        f"largest difference {result['largest_difference']} (allowed: {result['tolerance']} {step})\n"
        f"inference   {result['inference_milliseconds']:.1f} ms (median of {result['timed_inferences']})\n"
        f"{verdict}"
    )
