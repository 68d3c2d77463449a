"""``python -m train.seeds RUN...``: what several trainings of one recipe came to on test, for the model card.

Each run has been judged on the official test split (``python -m train ... --resume --test``). Their rows are put into
``train/seeds.json``, in place of those that the recipe had there.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from edge_runtime.errors import EdgePneumoError, UsageError

TABLE = Path(__file__).with_name("seeds.json")


class Row(msgspec.Struct, frozen=True):
    """One training, judged on test in float at the default threshold."""

    recipe: str
    seed: int
    right: int
    images: int
    auc: float
    sensitivity: float
    specificity: float


def row(recipe: str, run: Path) -> Row:
    """Read a run's figures.

    Args:
        recipe: Its name.
        run: The run's folder.

    Raises:
        UsageError: The run is not finished, or was not judged on test.
    """
    try:
        seed = msgspec.json.decode((run / "run.json").read_bytes())["seed"]
        test: dict[str, Any] | None = msgspec.json.decode((run / "metrics.json").read_bytes()).get("test")
    except (OSError, msgspec.DecodeError, KeyError) as error:
        raise UsageError(f"{run} holds no finished run ({error}): name the folder of one.") from error
    if test is None:
        raise UsageError(f"{run} was not judged on test: run python -m train with --resume --test.")
    return Row(
        recipe,
        seed,
        test["right"],
        test["images"],
        round(test["auc"], 4),
        round(test["sensitivity"]["value"], 4),
        round(test["specificity"]["value"], 4),
    )


def put(rows: Sequence[Row], table: Path) -> None:
    """Write the rows in place of those of the same recipes.

    Raises:
        UsageError: The table that is there is damaged.
    """
    try:
        old = msgspec.json.decode(table.read_bytes(), type=list[Row]) if table.exists() else []
    except msgspec.DecodeError as error:
        raise UsageError(f"{table} holds no table of seeds ({error}): restore it, or remove it.") from error
    kept = [known for known in old if known.recipe not in {new.recipe for new in rows}]
    table.write_bytes(msgspec.json.format(msgspec.json.encode([*kept, *rows]), indent=2) + b"\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m train.seeds", description="Enter trainings into the seeds' table.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run that was judged on test")
    parser.add_argument("--recipe", required=True, metavar="NAME", help="the name of their recipe")
    parser.add_argument("--table", type=Path, default=TABLE, metavar="FILE", help="default: %(default)s")
    options = parser.parse_args(arguments)
    try:
        rows = [row(options.recipe, run) for run in options.runs]
        put(rows, options.table)
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    for entered in rows:
        print(f"{entered.recipe}, seed {entered.seed}: {entered.right} of {entered.images}, AUC {entered.auc:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
