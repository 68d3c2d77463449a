"""What a training's folder tells: the recipe, the images, which of them validate. It must be the bundle's own."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from convert.calibration import read_manifest
from convert.card.card import Recipe
from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import BundleInfo


@dataclass(frozen=True)
class Training:
    """The recipe, and the paths of the validation images below the data set's root."""

    recipe: Recipe | None
    validation: tuple[str, ...]


def read_run(folder: Path, info: BundleInfo) -> Training:
    """Read ``manifest.json``, ``recipe.toml`` and ``run.json``.

    Raises:
        UsageError: There is no manifest, or it is not of the training that made the bundle; or one is damaged.
    """
    manifest = read_manifest(folder / "manifest.json")
    if manifest is None:
        raise UsageError(f"There is no manifest.json in {folder}: give the folder that python -m train --out wrote.")
    if manifest.sha256 != info.data_manifest_sha256:
        raise UsageError(
            f"{folder} is not the training that made this bundle, its manifest.json has another hash: give --run the "
            "folder that held the vgg16.keras which was converted."
        )
    # Read from the file once more: files with the same content share a row there.
    rows = msgspec.json.decode((folder / "manifest.json").read_bytes())["images"]
    return Training(_recipe(folder), tuple(sorted(str(row["file"]) for row in rows if row["split"] == "validation")))


def _recipe(folder: Path) -> Recipe | None:
    try:
        text = (folder / "recipe.toml").read_text(encoding="utf-8")
        tomllib.loads(text)
        run: dict[str, Any] = msgspec.json.decode((folder / "run.json").read_bytes())
        return Recipe(text, run["seed"], run["backend"], run["precision"], run["counts"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{folder} holds no recipe that can be read ({error}): train again, or restore it.") from error
