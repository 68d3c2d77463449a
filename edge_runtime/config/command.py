"""``edge-pneumo config``: which settings are in force and who said them, and what is wrong in a settings file."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from edge_runtime import options
from edge_runtime.config import config
from edge_runtime.config.config import Configuration
from edge_runtime.config.saving import toml_value
from edge_runtime.errors import EdgePneumoError
from edge_runtime.finding import printable
from edge_runtime.locate import default_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of ``config``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    purpose = "print the settings in force, as a settings file, and where each was said"
    show = actions.add_parser("show", help=purpose, description=f"{purpose.capitalize()}.")
    show.add_argument("--json", action="store_true", help="print one JSON object")
    options.add_model_arguments(show)
    options.add_operating_point_argument(show)
    options.add_watch_arguments(show)
    purpose = "say what is wrong in a settings file, each with its line"
    check = actions.add_parser("check", help=purpose, description=f"{purpose.capitalize()}.")
    check.add_argument(
        "file",
        nargs="?",
        type=Path,
        default=config.DEFAULT_FILE,
        metavar="FILE",
        help="a settings file (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Show or check; 0, or 1 where the file that is checked has something wrong in it.

    Raises:
        EdgePneumoError: Settings that should be shown are wrong, or there is no file to check.
    """
    if arguments.action == "check":
        return _check(arguments.file)
    chosen = options.configuration(arguments)
    derived = _derived(chosen)
    print(json.dumps(_as_json(chosen, derived)) if arguments.json else _as_text(chosen, derived))
    return 0


def _check(file: Path) -> int:
    wrong = config.problems(file)
    if not wrong:
        try:
            # The model, its operating point and the engine that the file names, whatever the environment says.
            said = config.resolve({}, file, {})
            options.classifier_of(said, os.environ)
        except EdgePneumoError as error:
            wrong = [str(error)]
    for sentence in wrong:
        print(f"error: {sentence}", file=sys.stderr)
    if not wrong:
        print(f"{file} is right")
    return 1 if wrong else 0


def _derived(chosen: Configuration) -> dict[str, Any]:
    """What the program decides where nothing is said; the settings about which it says nothing are not there."""
    from edge_runtime.model.engines import DEFAULT_ENGINE, default_threads

    found: dict[str, Any] = {"engine": DEFAULT_ENGINE, "threads": default_threads()}
    try:
        opened = options.bundle_of(chosen, os.environ)
        found |= {"bundle": opened.path, "operating_point": opened.info.default_operating_point}
    except EdgePneumoError as error:
        print(f"warning: {error}", file=sys.stderr)
    if chosen.settings.watch.folder is not None:
        found["watch.results"] = default_results(chosen.settings.watch.folder)
    return found


def _value(chosen: Configuration, derived: dict[str, Any], key: str) -> str | int | float | bool | None:
    value = chosen.value(key)
    found: Any = derived.get(key) if value is None else value
    return printable(found) if isinstance(found, Path) else found


def _as_text(chosen: Configuration, derived: dict[str, Any]) -> str:
    lines = [f"# settings file: {'none' if chosen.file is None else printable(chosen.file)}"]
    rows = []
    section = ""
    for key in config.TYPES:
        home, _, name = key.rpartition(".")
        if home != section:
            rows += [("", ""), (f"[{home}]", "")]
            section = home
        value, origin = _value(chosen, derived, key), chosen.origins.get(key)
        said = f"{name} = {toml_value(value)}" if value is not None else f"# {name} is not set"
        rows.append((said, "default" if origin is None else str(origin)))
    width = max(len(said) for said, origin in rows if origin)
    lines += [f"{said:{width}}  # {origin}" if origin else said for said, origin in rows]
    return "\n".join(lines)


def _as_json(chosen: Configuration, derived: dict[str, Any]) -> dict[str, Any]:
    def source(key: str) -> dict[str, Any]:
        origin = chosen.origins.get(key)
        if origin is None:
            return {"kind": "default"}
        place = {} if origin.line is None else {"line": origin.line}
        return {"kind": origin.kind, "name": origin.name, **place}

    return {
        "file": None if chosen.file is None else printable(chosen.file),
        "settings": {key: {"value": _value(chosen, derived, key), "from": source(key)} for key in config.TYPES},
    }
