from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from train import recipe

RECIPES = sorted((Path(recipe.__file__).parent / "recipes").glob("*.toml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_committed_recipes_are_valid_and_their_members_are_there(path: Path) -> None:
    plan = recipe.read(path)

    assert plan.stages or plan.members
    for member in plan.members:
        assert recipe.read(path.parent / member.recipe).stages


def test_wrong_key_is_named(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text("stages = []\nwidht = 0.5\n")

    with pytest.raises(UsageError, match="widht"):
        recipe.read(tmp_path / "r.toml")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"missing\.toml cannot be read"):
        recipe.read(tmp_path / "missing.toml")
