"""``edge-pneumo bench``: which engine and how many threads answer fastest on this machine?"""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from edge_runtime.bench.engines import Measurement, edge_tpus, measure, recommend, settings, thread_counts
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.config import config
from edge_runtime.config import saving as settings_file
from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines import usable_cpus
from edge_runtime.options import add_bundle_arguments, open_bundle, positive_integer, warn

_SECONDS: Final = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``bench``."""
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--save", action="store_true", help="write the fastest that passes into the settings file")
    parser.add_argument(
        "--seconds", type=positive_integer, default=_SECONDS, metavar="N", help=f"about how long (default: {_SECONDS})"
    )
    parser.add_argument(
        "--share",
        action="store_true",
        help="measure each stage of the program's own models instead, and write what others may compare with theirs",
    )
    add_bundle_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure every installed engine; 0 when one computes what the converter computed, else 1.

    Raises:
        EdgePneumoError: The bundle cannot be used, or the settings or the file to share not saved.
    """
    if arguments.share:
        return _share(arguments)
    bundle = open_bundle(arguments)
    measured, missing = measure(
        bundle,
        thread_counts(usable_cpus()),
        SYSTEM_CLOCK,
        seconds=arguments.seconds,
        accelerators=edge_tpus(),
    )
    best = recommend(measured)
    file: Path = arguments.config or config.DEFAULT_FILE
    if best is not None and arguments.save:
        settings_file.save(file, settings(best, measured))
        _warn_of_variables()
    if arguments.json:
        saved = str(file) if best is not None and arguments.save else None
        print(json.dumps(_record(bundle, measured, missing, best) | {"saved": saved}))
    else:
        print(_table(bundle, measured, missing))
        print(_advice(best, measured, file, saved=arguments.save))
    return 0 if best is not None else 1


def _share(arguments: argparse.Namespace) -> int:
    """The rows of this device; 0 when it computes what the converter computed, else 1."""
    # Loaded for this alone: it needs what answers and writes.
    from edge_runtime.bench import share

    if arguments.save or arguments.bundle:
        raise UsageError(
            "--share measures the models that come with the program and saves no setting; leave out the rest"
        )
    row = share.measure_device(
        SYSTEM_CLOCK, seconds=arguments.seconds, note=lambda sentence: print(sentence, file=sys.stderr)
    )
    if arguments.json:
        print(share.to_json(row))
    else:
        print(*share.HEADER, *share.markdown(row), sep="\n")
    file = share.write(row, Path.cwd())  # after they are printed: they took minutes
    print(f"Written to {file.name}, and it names neither you, nor a patient, nor this machine's name.", file=sys.stderr)
    print(share.WHERE, file=sys.stderr)
    if not row.is_good:
        warn("an engine here does not compute what the converter computed: run 'edge-pneumo verify'")
    return 0 if row.is_good else 1


def _warn_of_variables() -> None:
    for variable in (config.VARIABLES[key] for key in ("engine", "threads", "accelerator")):
        if os.environ.get(variable):
            warn(f"{variable} is set and goes before the settings file; unset it")


def _record(
    bundle: Bundle, measured: Sequence[Measurement], missing: Sequence[str], best: Measurement | None
) -> dict[str, Any]:
    return {
        "model": {"name": bundle.info.name, "sha256": bundle.sha256},
        "engines": [
            {
                "engine": m.name,
                "threads": m.threads,
                "accelerator": m.accelerator,
                "library": m.library,
                "median_milliseconds": round(m.median, 3),
                "p95_milliseconds": round(m.p95, 3),
                "times_as_fast": round(measured[0].median / m.median, 3),
                "inferences": len(m.milliseconds),
                "largest_difference": m.golden.largest_difference,
                "tolerance": m.tolerance,
                "reproduced": m.reproduced,
            }
            for m in measured
        ],
        "missing": list(missing),
        "recommended": None if best is None else settings(best, measured),
    }


def _table(bundle: Bundle, measured: Sequence[Measurement], missing: Sequence[str]) -> str:
    lines = [f"model {bundle.info.name}, sha256 {bundle.sha256[:16]}"]
    if measured:
        width = max(len(m.library) for m in measured)
        lines.append(f"{'engine':{width}}  median ms   p95 ms  times as fast  golden vectors")
        lines += [
            f"{m.library:{width}}  {m.median:9.1f}  {m.p95:7.1f}  {measured[0].median / m.median:13.2f}  {_verdict(m)}"
            for m in measured
        ]
    return "\n".join(lines + [f"left out: {sentence}" for sentence in missing])


def _verdict(m: Measurement) -> str:
    difference = f"off by {m.golden.largest_difference} of {m.tolerance} steps"
    if m.golden.largest_difference == 0:
        return "identical"
    return difference if m.reproduced else f"{difference} allowed: NOT to be used"


def _advice(best: Measurement | None, measured: Sequence[Measurement], file: Path, *, saved: bool) -> str:
    if best is None:
        return "No engine here computes what the model's converter computed: install another version of one."
    choice = " ".join(f"--{name} {value}" for name, value in settings(best, measured).items())
    if saved:
        return f"The fastest that passes is {choice}; saved in {file}."
    return f"The fastest that passes is {choice}; --save writes it into {file}."
