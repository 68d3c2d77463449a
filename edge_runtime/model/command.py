"""``edge-pneumo model``: install a model, go back to the one before, list and remove them; a watcher need not stop."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.config.config import Configuration
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model import bundle, installed, installing, store
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.installing import Prove
from edge_runtime.model.store import Record
from edge_runtime.options import add_config_argument, add_engine_arguments, configuration, engine_of

_SHORT: Final = 12  # characters of a hash that a person reads
_SHIPPED: Final = f"{installed.DEFAULT}, which comes with the program"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of ``model``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, purpose: str, *, proves: bool) -> argparse.ArgumentParser:
        command = actions.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")
        add_config_argument(command)
        if proves:
            add_engine_arguments(command)
        return command

    command = action("install", "prove a model on this machine, keep it and make it the current one", proves=True)
    command.add_argument("file", type=Path, metavar="FILE", help="a bundle, as 'python -m convert' makes it")
    action("rollback", "make current what was current before", proves=True)
    command = action("list", "say which models are kept, and which one is current", proves=False)
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command = action("remove", "delete a model that is neither current nor the one before", proves=False)
    command.add_argument("model", metavar="HASH|NAME", help="the beginning of its hash, or its name")


def run(arguments: argparse.Namespace) -> int:
    """Do it and say so; 0.

    Raises:
        EdgePneumoError: It cannot be done, and nothing has changed; the message says why and what to do.
    """
    place = store.folder(os.environ)
    chosen = configuration(arguments)
    if arguments.action == "install":
        record = installing.install(place, arguments.file, _prover(chosen), SYSTEM_CLOCK.now())
        print(f"installed and current: {_named(record, record.current)}, proven on {_proven_on(record)}")
        print(f"'edge-pneumo model rollback' goes back to: {_named(record, record.before[0])}")
        _say_who_goes_before(chosen)
    elif arguments.action == "rollback":
        record = installing.rollback(place, _prover(chosen))
        print(f"current again: {_named(record, record.current)}")
        _say_who_goes_before(chosen)
    elif arguments.action == "remove":
        model = installing.remove(place, arguments.model)
        print(f"removed: {model.name} ({model.sha256[:_SHORT]})")
    else:
        record = store.read(place)
        print(json.dumps(_as_json(place, record, chosen)) if arguments.json else _as_text(place, record, chosen))
    return 0


def _prover(chosen: Configuration) -> Prove:
    """Opens a bundle in the configured engine, as a watcher would, and names the engine."""
    from edge_runtime.model import pace

    def prove(opened: Bundle) -> str:
        # A watcher may be using the accelerator, which proves itself whenever it is taken.
        engine = engine_of(chosen, opened, proven=False, bare=True)
        # How fast it is says little while a watcher answers on the same machine.
        pace.prove(Classifier(opened, engine), allow_slow=True)
        return engine.name

    return prove


def _say_who_goes_before(chosen: Configuration) -> None:
    origin, named = chosen.origins.get("bundle"), chosen.settings.bundle
    if named is not None and str(named) != store.CURRENT:
        print(
            f"warning: {origin} names another model, {named}, which goes before this one; take it out", file=sys.stderr
        )
    else:
        print("A watcher on this machine takes it over by itself, between two radiographs.")


def _named(record: Record, sha256: str | None) -> str:
    model = record.kept(sha256)
    return _SHIPPED if model is None else f"{model.name} ({model.sha256[:_SHORT]})"


def _proven_on(record: Record) -> str:
    model = record.kept(record.current)
    return "" if model is None else model.proven_on


def _as_text(place: Path, record: Record, chosen: Configuration) -> str:
    lines = [f"models in {place}"]
    width = max((len(model.name) for model in record.models), default=0)
    for model in record.models:
        mark = "*" if model.sha256 == record.current else "<" if record.before[:1] == (model.sha256,) else " "
        moment = model.installed[:16].replace("T", " ")
        lines.append(
            f"{mark} {model.name:{width}}  {model.sha256[:_SHORT]}  {moment} UTC  {model.bytes / 1e6:.1f} MB  "
            f"proven on {model.proven_on}"
        )
    if not record.models:
        lines.append("  none has been installed")
    lines.append(f"current: {_named(record, record.current)}")
    if record.before:
        lines.append(f"'edge-pneumo model rollback' goes back to: {_named(record, record.before[0])}")
    used = _in_use(chosen)
    lines.append(f"in use: {used['name'] or used['error']}" + (f", named by {used['from']}" if used["from"] else ""))
    return "\n".join(lines)


def _as_json(place: Path, record: Record, chosen: Configuration) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(record)
    return {"folder": str(place), **found, "in_use": _in_use(chosen)}


def _in_use(chosen: Configuration) -> dict[str, str | None]:
    """What a program that starts now answers with."""
    origin = chosen.origins.get("bundle")
    said = {"from": None if origin is None else str(origin)}
    try:
        file = store.find(chosen.settings.bundle, os.environ)
        opened = bundle.read(file)
    except EdgePneumoError as error:
        return {"name": None, "sha256": None, "file": None, "error": str(error), **said}
    return {"name": opened.info.name, "sha256": opened.sha256, "file": str(file), "error": None, **said}
