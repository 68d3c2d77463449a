"""Options that the subcommands share, the settings they say, and the classifier these describe.

An option that is a setting has the setting's key as its ``dest``, with an underscore for the dot: ``watch_order``.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from edge_runtime.config import config
from edge_runtime.config.config import Configuration, Origin
from edge_runtime.config.settings import AcceleratorChoice, InputChoice, Order
from edge_runtime.errors import BundleError, EdgePneumoError
from edge_runtime.model import bundle, installed, store
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import Engine

if TYPE_CHECKING:
    from edge_runtime.model.accelerated import Tell


def positive_integer(text: str) -> int:
    """An ``argparse`` type."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def seconds(text: str) -> float:
    """An ``argparse`` type."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0.0 <= found <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return found


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--config``."""
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help=f"settings (default: {config.DEFAULT_FILE}, if it exists)"
    )


def add_bundle_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle`` and ``--config``."""
    parser.add_argument(
        "--bundle",
        type=Path,
        metavar="NAME|FILE",
        help=f"the model: {', '.join(installed.names())}, {store.CURRENT} or a bundle's file (default: the one "
        f"that 'edge-pneumo model install' made current, else {installed.DEFAULT})",
    )
    add_config_argument(parser)


def add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--engine``, ``--threads`` and ``--accelerator``."""
    parser.add_argument(
        "--engine",
        choices=get_args(config.EngineChoice),
        help="what runs the model; auto: openvino where it is installed and computes the same (default: litert)",
    )
    parser.add_argument(
        "--threads", type=positive_integer, metavar="N", help="threads for inference (default: one a CPU, at most 4)"
    )
    parser.add_argument(
        "--accelerator",
        choices=get_args(AcceleratorChoice),
        help="an Edge TPU where one is plugged in and computes the same (auto, the default), one that is missed where "
        "none is (edgetpu), or none",
    )


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle``, ``--config``, ``--engine``, ``--threads`` and ``--accelerator``."""
    add_bundle_arguments(parser)
    add_engine_arguments(parser)


def add_operating_point_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--operating-point``."""
    parser.add_argument(
        "--operating-point",
        metavar="NAME",
        help="decision threshold, by its name in the bundle: balanced, screening, confirm (default: the bundle's)",
    )


def add_watch_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that are settings of the section ``[watch]``; they have no defaults, those are the settings'."""
    said = config.WatchSettings()
    parser.add_argument(
        "watch_folder",
        nargs="?",
        type=Path,
        metavar="DIR",
        help="folder to watch (default: the one that is configured)",
    )
    parser.add_argument(
        "--results",
        dest="watch_results",
        type=Path,
        metavar="DIR",
        help="where findings go (default: beside DIR, its name with -results)",
    )
    parser.add_argument(
        "--order",
        dest="watch_order",
        choices=get_args(Order),
        help=f"which of the files found together comes first (default: {said.order})",
    )
    parser.add_argument(
        "--settle",
        dest="watch_settle",
        type=seconds,
        metavar="SECONDS",
        help=f"a file must lie unchanged for so long (default: {said.settle})",
    )
    parser.add_argument(
        "--heatmap",
        dest="watch_heatmaps",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="write heat maps, or none (default: write them)",
    )
    parser.add_argument(
        "--camera",
        dest="camera_device",
        metavar="DEVICE",
        help="photograph films into DIR: picamera2, a number, /dev/videoN, rtsp://... or a video file",
    )
    parser.add_argument(
        "--input",
        dest="watch_input",
        choices=get_args(InputChoice),
        help=f"what happens to answered files; move: into the folders done and refused (default: {said.input})",
    )


def configuration(
    arguments: argparse.Namespace,
    environment: Mapping[str, str] = os.environ,
    *,
    default_file: Path = config.DEFAULT_FILE,
) -> Configuration:
    """What the arguments, else the environment, else the settings file say.

    Raises:
        UsageError: Something in the environment or the file is wrong; the sentence says what and where.
    """
    said = vars(arguments)
    flags = {key: said.get(key.replace(".", "_")) for key in config.TYPES}
    return config.resolve(flags, said.get("config"), environment, default_file=default_file)


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
    return bundle_of(configuration(arguments, environment, default_file=default_file), environment)


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
    chosen = configuration(arguments, environment, default_file=default_file)
    decides = hasattr(arguments, "operating_point")
    return classifier_of(chosen, environment, proven=proven, decides=decides)


def bundle_of(chosen: Configuration, environment: Mapping[str, str] = os.environ) -> Bundle:
    """Open the configured bundle.

    Raises:
        EdgePneumoError: It cannot be used; the message says why, and where it is named.
    """
    with _blaming(chosen.origins.get("bundle")):
        file = store.find(chosen.settings.bundle, environment)
        try:
            return bundle.read(file)
        except BundleError as error:
            if file.parent != store.folder(environment):
                raise
            raise BundleError(f"{error}; 'edge-pneumo model rollback' goes back to the one before") from error


def classifier_of(
    chosen: Configuration,
    environment: Mapping[str, str] = os.environ,
    *,
    proven: bool = True,
    decides: bool = True,
    tell: "Tell | None" = None,
) -> Classifier:
    """Open the configured bundle and engine, at the configured operating point if it ``decides``, else the default one.

    ``proven`` and ``tell`` are said to ``engine_of``.

    Raises:
        EdgePneumoError: A setting, the bundle or the engine cannot be used; the message says why and what to do.
    """
    opened = bundle_of(chosen, environment)
    engine = engine_of(chosen, opened, proven=proven, tell=tell)
    return classifier_with(chosen, opened, engine) if decides else Classifier(opened, engine)


def engine_of(
    chosen: Configuration, opened: Bundle, *, proven: bool = True, tell: "Tell | None" = None, bare: bool = False
) -> Engine:
    """Open the bundle's model in the configured engine, with the configured accelerator.

    Args:
        chosen: The settings.
        opened: The bundle.
        proven: Is said to ``choice.choose_engine``.
        tell: Told what becomes of the accelerator, which is left alone until ``accelerator.hand_over``; ``None`` to
            take it here, and to warn on standard error where it does not answer.
        bare: Whether to do without an accelerator.

    Raises:
        EdgePneumoError: The engine cannot be used; the message says why, and where it is named.
    """
    from edge_runtime.model.choice import choose_engine

    settings = chosen.settings
    with _blaming(chosen.origins.get("engine")):
        engine = choose_engine(opened, settings.threads, settings.engine, warn=warn, proven=proven)
    if bare or settings.accelerator == "cpu":
        return engine
    from edge_runtime.model.engines.edgetpu_devices import find_devices

    if settings.accelerator == "auto" and not find_devices():
        return engine
    from edge_runtime.model import accelerator

    engine = accelerator.accelerate(engine, opened, settings.accelerator, tell or accelerator.TellWarning(warn))
    if tell is None:
        accelerator.hand_over(None, engine)
    return engine


def classifier_with(chosen: Configuration, opened: Bundle, engine: Engine) -> Classifier:
    """Join them at the configured operating point.

    Raises:
        UsageError: The bundle has no such point; the message says where it is named.
    """
    with _blaming(chosen.origins.get("operating_point")):
        return Classifier(opened, engine, chosen.settings.operating_point)


def warn(sentence: str) -> None:
    """Tell whoever started the program."""
    print(f"warning: {sentence}", file=sys.stderr)


@contextmanager
def _blaming(origin: Origin | None) -> Iterator[None]:
    """Name the file or variable that a setting came from, where it is not before the person's eyes."""
    try:
        yield
    except EdgePneumoError as error:
        if origin is None or origin.kind == "flag":
            raise
        raise type(error)(f"{error} (it is named by {origin})") from error
