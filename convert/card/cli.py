"""The command ``python -m convert.card``, which ``make card`` calls."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from convert.card import card, gallery, measure, provenance, render
from convert.card.provenance import Training
from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.finding import NOTICE
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle
from edge_runtime.options import add_model_arguments, open_classifier

_ROOT = Path(__file__).parents[2]
_WRONG_USAGE, _INTERRUPTED = 2, 130
_DATA = "EDGE_PNEUMO_DATA"
_OFFICIAL = 624  # 234 normal, 390 pneumonia


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: Without the program's name; ``None`` for those of this process.

    Returns:
        The exit status: 0 when the card is written, 2 when something cannot be used.
    """
    arguments = _parser().parse_args(args)
    arguments.card = arguments.card or card_of(arguments.bundle)
    try:
        return _run(arguments)
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return _WRONG_USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED


def _run(arguments: argparse.Namespace) -> int:
    # One file for all that follows, also where a model was installed on this machine.
    arguments.bundle = installed.find(arguments.bundle)
    opened = bundle.read(arguments.bundle)
    known = card.read(arguments.card)
    page = arguments.card.with_suffix(".md")
    seeds = card.read_seeds(arguments.seeds)
    if arguments.data is None:
        _write(page, render.page(_known(known, opened, arguments.card), seeds))
        print(f"{page} written from {arguments.card}; nothing was measured, because {_DATA} names no data set.")
        return 0
    if known is not None and known.model.sha256 != opened.sha256:
        known = None
    training = _training(arguments.run, known, opened)
    classifier = open_classifier(arguments)
    with _bars() as bars:

        def step(name: str, total: int) -> measure.Advance:
            task = bars.add_task(name, total=total)
            return lambda done: bars.advance(task, done)

        found, cases = measure.measure(arguments.data, classifier, training, step)
    if known is not None and known.test.files_sha256 != found.test.files_sha256:
        print("note: the test radiographs are not byte for byte those of the card before.", file=sys.stderr)
    if len(cases) != _OFFICIAL:
        print(f"note: the official test split has {_OFFICIAL} radiographs, this one {len(cases)}.", file=sys.stderr)
    text = card.encode(found)
    _write(arguments.card, text)
    # Rendered from what was written, so that the page never says more than the file.
    _write(page, render.page(_known(card.read(arguments.card), opened, arguments.card), seeds))
    print(f"{arguments.card} and {page} written.")
    if training is None:
        print("Without --run, and with no card of this bundle before, there are no validation figures and no recipe.")
    failures = gallery.write(arguments.failures, cases, classifier)
    print(f"{arguments.failures}: {failures} test radiographs answered wrongly or refused; keep it to yourself.")
    print(NOTICE)
    return 0


def card_of(model: Path | None) -> Path:
    """Where a card goes: that of an installed bundle into the documentation, another's beside it."""
    if model is None or str(model) == installed.DEFAULT:
        return _ROOT / "docs" / "model-card.json"
    if installed.is_name(model):
        return _ROOT / "docs" / f"model-card-{model}.json"
    return model.with_name(f"{model.stem}.model-card.json")


def _known(known: card.Card | None, opened: Bundle, path: Path) -> card.Card:
    """The card, if it is this bundle's."""
    if known is None:
        raise UsageError(f"There is no {path} to write the page from: set {_DATA} to the folder chest_xray to measure.")
    if known.model.sha256 != opened.sha256:
        raise UsageError(
            f"{path} was measured with another bundle than {opened.path}: set {_DATA} to the folder chest_xray to "
            "measure this one."
        )
    return known


def _training(run: Path | None, known: card.Card | None, opened: Bundle) -> Training | None:
    """From the run's folder; else as the last card of the same bundle has it."""
    if run is not None:
        return provenance.read_run(run, opened.info)
    return None if known is None else Training(known.recipe, known.validation_files)


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror}): name another with --card.") from error


def _bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m convert.card",
        description="Measures a bundle on the official test split and writes its model card; without the data set it "
        "writes the page anew from the figures that are there.",
        epilog=NOTICE,
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        default=Path(os.environ[_DATA]) if os.environ.get(_DATA) else None,
        help=f"the folder chest_xray (default: {_DATA})",
    )
    parser.add_argument(
        "--run", type=Path, metavar="DIR", help="the training's folder: its recipe and its validation images"
    )
    parser.add_argument(
        "--card",
        type=Path,
        metavar="FILE",
        help="the figures, the page beside them (default: docs/model-card.json; with --bundle, beside the bundle)",
    )
    parser.add_argument(
        "--seeds",
        type=Path,
        metavar="FILE",
        default=_ROOT / "train" / "seeds.json",
        help="other trainings of the recipe (default: %(default)s)",
    )
    parser.add_argument(
        "--failures",
        type=Path,
        metavar="FILE",
        default=_ROOT / "card" / "failures.png",
        help="the contact sheet (default: %(default)s)",
    )
    add_model_arguments(parser)
    return parser
