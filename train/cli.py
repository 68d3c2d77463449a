"""``python -m train``: arguments, and errors as one sentence."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from edge_runtime.errors import EdgePneumoError

_RECIPES = Path(__file__).parent / "recipes"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        # TensorFlow takes seconds to load; --help and wrong usage should not wait for it.
        from train.run import Options, run
    except ModuleNotFoundError as error:
        print(f'error: {error.name} is not installed: pip install "edge-pneumo[train]".', file=sys.stderr)
        return 2
    try:
        page = run(Options(**vars(options)))
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            f"Stopped. {options.out} keeps the model of the last whole epoch; the same command with --resume goes on.",
            file=sys.stderr,
        )
        return 130
    print(f"The model is {options.out / 'vgg16.keras'}, its report {page}.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train", description="Train a VGG-16 to tell normal radiographs from pneumonia."
    )
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with {train,val,test}/{NORMAL,PNEUMONIA}")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="folder for the model and its report")
    parser.add_argument(
        "--recipe", type=Path, default=_RECIPES / "full.toml", help="how to train (default: %(default)s)"
    )
    parser.add_argument("--weights", default="none", metavar="imagenet|FILE|none", help="where to start from")
    parser.add_argument(
        "--teacher", type=Path, metavar="RUN", help="the finished run that a recipe with a teacher learns from"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on with the run that RUN holds")
    parser.add_argument("--precision", default="auto", choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"))
    parser.add_argument("--limit", type=int, metavar="N", help="take about N images of each split, for a trial")
    parser.add_argument(
        "--test", action="store_true", help="judge on the official test split too, once the recipe is final"
    )
    return parser
