"""Options that the subcommands share, and the classifier they describe."""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

from edge_runtime import config
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier


def positive_integer(text: str) -> int:
    """An ``argparse`` type."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle`` and ``--config``."""
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="NAME|FILE",
        help=f"the model: {', '.join(installed.names())} or a bundle's file (default: {installed.DEFAULT})",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"settings (default: {config.DEFAULT_FILE}, if it exists)"
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle``, ``--config``, ``--engine`` and ``--threads``."""
    add_bundle_arguments(parser)
    parser.add_argument(
        "--engine",
        choices=get_args(config.EngineChoice),
        help="what runs the model; auto: openvino where it is installed and computes the same (default: litert)",
    )
    parser.add_argument(
        "--threads", type=positive_integer, metavar="N", help="threads for inference (default: one a CPU, at most 4)"
    )


def add_operating_point_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--operating-point``."""
    parser.add_argument(
        "--operating-point",
        metavar="NAME",
        help="decision threshold, by its name in the bundle: balanced, screening, confirm (default: the bundle's)",
    )


def open_bundle(
    arguments: argparse.Namespace,
    environment: Mapping[str, str] = os.environ,
    *,
    default_file: Path = config.DEFAULT_FILE,
) -> Bundle:
    """Open the bundle that the arguments, else the environment, else the settings file name.

    Raises:
        EdgePneumoError: A setting or the bundle cannot be used; the message says why and what to do.
    """
    return _open_bundle(_configuration(arguments, environment, default_file))


def open_classifier(
    arguments: argparse.Namespace,
    environment: Mapping[str, str] = os.environ,
    *,
    default_file: Path = config.DEFAULT_FILE,
    proven: bool = True,
) -> Classifier:
    """Open the bundle and the engine that the arguments, else the environment, else the settings file name.

    A subcommand without ``--operating-point`` gets the bundle's default, whatever is set. ``proven`` is said to
    ``choice.choose_engine``.

    Raises:
        EdgePneumoError: A setting, the bundle or the engine cannot be used; the message says why and what to do.
    """
    from edge_runtime.model.choice import choose_engine

    chosen = _configuration(arguments, environment, default_file)
    opened = _open_bundle(chosen)
    with _blaming(chosen.origins.get("engine")):
        engine = choose_engine(opened, chosen.settings.threads, chosen.settings.engine, warn=_warn, proven=proven)
    if not hasattr(arguments, "operating_point"):
        return Classifier(opened, engine)
    with _blaming(chosen.origins.get("operating_point")):
        return Classifier(opened, engine, chosen.settings.operating_point)


def _configuration(
    arguments: argparse.Namespace, environment: Mapping[str, str], default_file: Path
) -> config.Configuration:
    flags = config.Settings(
        operating_point=getattr(arguments, "operating_point", None),
        bundle=arguments.bundle,
        engine=getattr(arguments, "engine", None),
        threads=getattr(arguments, "threads", None),
    )
    return config.resolve(flags, arguments.config, environment, default_file=default_file)


def _open_bundle(chosen: config.Configuration) -> Bundle:
    with _blaming(chosen.origins.get("bundle")):
        return bundle.read(installed.find(chosen.settings.bundle))


def _warn(sentence: str) -> None:
    print(f"warning: {sentence}", file=sys.stderr)


@contextmanager
def _blaming(origin: str | None) -> Iterator[None]:
    """Name the file or variable that a setting came from, where it is not before the person's eyes."""
    try:
        yield
    except EdgePneumoError as error:
        if origin is None:
            raise
        raise type(error)(f"{error} (it is named by {origin})") from error
