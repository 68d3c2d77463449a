import hashlib
import json
from pathlib import Path

import msgspec
import pytest

from convert.card import provenance
from edge_runtime.errors import UsageError
from edge_runtime.model.bundle import BundleInfo
from tests.engines import bundle_without_model

ROWS = [
    {"file": f"train/NORMAL/IM-{index}.jpeg", "sha256": digest * 64, "label": "normal", "patient": "p", "split": split}
    for index, (digest, split) in enumerate([("a", "train"), ("b", "validation"), ("b", "validation"), ("c", "test")])
]
RUN = {"seed": 4, "backend": "tensorflow", "precision": "float32", "counts": {"train": {"normal": 1}}, "command": "x"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A training's folder."""
    (tmp_path / "manifest.json").write_text(json.dumps({"images": ROWS}))
    (tmp_path / "recipe.toml").write_text("width = 0.25\n")
    (tmp_path / "run.json").write_text(json.dumps(RUN))
    return tmp_path


@pytest.fixture
def info(folder: Path) -> BundleInfo:
    """What the bundle says that was made from it."""
    digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    return msgspec.structs.replace(bundle_without_model().info, data_manifest_sha256=digest)


def test_the_recipe_and_the_validation_images_are_the_folders(folder: Path, info: BundleInfo) -> None:
    found = provenance.read_run(folder, info)

    assert found.validation == ("train/NORMAL/IM-1.jpeg", "train/NORMAL/IM-2.jpeg"), "files of one content too"
    assert found.recipe is not None
    assert (found.recipe.text, found.recipe.seed) == ("width = 0.25\n", 4)
    assert found.recipe.images == {"train": {"normal": 1}}


def test_the_folder_of_another_training_is_refused(folder: Path, info: BundleInfo) -> None:
    other = msgspec.structs.replace(info, data_manifest_sha256="f" * 64)

    with pytest.raises(UsageError, match="is not the training that made this bundle"):
        provenance.read_run(folder, other)


def test_a_damaged_recipe_is_one_sentence(folder: Path, info: BundleInfo) -> None:
    (folder / "recipe.toml").write_text("width = \n")

    with pytest.raises(UsageError, match="no recipe that can be read"):
        provenance.read_run(folder, info)
