"""Options that the subcommands share, and the classifier they describe."""

import argparse
from pathlib import Path

from edge_runtime.model.classifier import Classifier


def positive_integer(text: str) -> int:
    """An ``argparse`` type."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--bundle`` and ``--threads``."""
    parser.add_argument("--bundle", type=Path, metavar="FILE", help="model bundle (default: the installed one)")
    parser.add_argument(
        "--threads", type=positive_integer, metavar="N", help="threads for inference (default: one a CPU, at most 4)"
    )


def add_operating_point_argument(parser: argparse.ArgumentParser) -> None:
    """Add ``--operating-point``."""
    parser.add_argument(
        "--operating-point",
        metavar="NAME",
        help="decision threshold, by its name in the bundle (default: the bundle's)",
    )


def open_classifier(arguments: argparse.Namespace) -> Classifier:
    """Open the bundle and the engine that the arguments name; without ``operating_point`` the bundle's default.

    Raises:
        EdgePneumoError: One of them cannot be used; the message says why and what to do.
    """
    from edge_runtime.model import bundle
    from edge_runtime.model.engines import open_engine

    opened = bundle.read(arguments.bundle or bundle.default_path())
    operating_point: str | None = getattr(arguments, "operating_point", None)
    return Classifier(opened, open_engine(opened, arguments.threads), operating_point)
