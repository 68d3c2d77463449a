"""The whole command, as a person runs it, on a drawn data set and a narrow network."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import make_data_set
from train import cli, prune, vgg16

RECIPE = """
width = 0.125
average = 0.5
stages = [{ size = 48, epochs = 1, learning_rate = 1e-3, batch = 8 }]
"""
MERGED = """
width = 0.25
average = 0.5
members = [{ recipe = "narrow.toml", seed = 1 }, { recipe = "narrow.toml", seed = 2 }]
stages = [{ size = 48, epochs = 1, learning_rate = 1e-4, batch = 8 }]
"""

PRUNED = """
width = 0.125
average = 0.5
members = [{ recipe = "wide.toml", seed = 1 }]
stages = [{ size = 48, epochs = 1, learning_rate = 1e-4, batch = 8 }]

[prune]
keep = { cortex-a72 = 0.7, x86-avx512vnni = 0.9 }
rounds = 2
batches = 1
size = 48
batch = 8
stages = [{ size = 48, epochs = 1, learning_rate = 1e-4, batch = 8 }]
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_set(tmp_path_factory.mktemp("data"), train=36)


def _recipe(folder: Path, text: str, name: str = "recipe.toml") -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_run_leaves_a_model_and_a_report(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"

    status = cli.main([str(data), "--out", str(out), "--recipe", _recipe(tmp_path, RECIPE), "--test"])

    assert status == 0
    assert str(out / "report.html") in capsys.readouterr().out
    metrics = json.loads((out / "metrics.json").read_text())
    assert metrics["test"]["images"] == 12
    assert (
        metrics["test"]["accuracy"]["low"]
        <= metrics["test"]["accuracy"]["value"]
        <= metrics["test"]["accuracy"]["high"]
    )
    assert {row["split"] for row in json.loads((out / "manifest.json").read_text())["images"]} == {
        "train",
        "validation",
        "test",
    }
    points = {name: point["threshold"] for name, point in metrics["operating_points"].items()}
    assert points["screening"] <= points["balanced"] == 0.5 <= points["confirm"]
    assert (metrics["uncertain"]["low"], metrics["uncertain"]["high"]) == (points["screening"], points["confirm"])
    assert metrics["operating_points"]["screening"]["test"]["sensitivity"]["of"] == metrics["test"]["sensitivity"]["of"]
    page = (out / "report.html").read_text()
    assert "not a medical device" in page
    for linked in (
        "learning-curves.png",
        "roc.png",
        "confusion.png",
        "reliability.png",
        "metrics.json",
        "manifest.json",
    ):
        assert linked in page
        assert (out / linked).stat().st_size > 100


def test_a_member_is_trained_pruned_and_tuned(data: Path, tmp_path: Path) -> None:
    _recipe(tmp_path, "width = 0.25\nstride = 2" + RECIPE.replace("width = 0.125", ""), "wide.toml")
    command = [str(data), "--out", str(tmp_path / "run"), "--recipe", _recipe(tmp_path, PRUNED)]

    assert cli.main(command) == 0

    folder = tmp_path / "run"
    member, between, final = (
        vgg16.load(folder / place / "vgg16.keras") for place in ("member-1", "pruned-1", "")
    )  # fmt: skip
    times = prune.predictor(["cortex-a72", "x86-avx512vnni"], 48, 2)
    assert (times(prune.filters(final)) <= times(prune.filters(member)) * [0.7, 0.9]).all()
    assert (times(prune.filters(final)) < times(prune.filters(between))).all()
    assert prune.stride(final) == 2
    assert json.loads((folder / "metrics.json").read_text())["validation"]["images"] > 0
    assert cli.main([*command, "--resume"]) == 0
    again = vgg16.load(folder / "vgg16.keras")
    for ours, theirs in zip(again.get_weights(), final.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_pruning_needs_one_member_and_stages(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    text = PRUNED.replace('members = [{ recipe = "wide.toml", seed = 1 }]', "")

    status = cli.main([str(data), "--out", str(tmp_path / "run"), "--recipe", _recipe(tmp_path, text)])

    assert status == 2
    assert "the one member to prune" in capsys.readouterr().err


def test_a_member_that_wants_a_teacher_is_not_trained_without_one(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _recipe(tmp_path, "teacher_temperature = 2.0" + RECIPE, "wide.toml")

    status = cli.main([str(data), "--out", str(tmp_path / "run"), "--recipe", _recipe(tmp_path, PRUNED)])

    assert status == 2
    assert "learns from a teacher" in capsys.readouterr().err


def test_members_are_trained_merged_and_tuned(data: Path, tmp_path: Path) -> None:
    _recipe(tmp_path, RECIPE, "narrow.toml")

    status = cli.main([str(data), "--out", str(tmp_path / "run"), "--recipe", _recipe(tmp_path, MERGED)])

    assert status == 0
    members = [vgg16.load(tmp_path / "run" / f"member-{place}" / "vgg16.keras") for place in (1, 2)]
    assert [member.get_layer("block5_conv3").filters for member in members] == [64, 64]
    assert vgg16.load(tmp_path / "run" / "vgg16.keras").get_layer("block5_conv3").filters == 128


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nowhere"], "has no folder train/NORMAL"),
        (["DATA", "--resume"], "holds no run to resume"),
        (["DATA", "--recipe", "missing.toml"], "missing.toml cannot be read"),
        (["DATA", "--weights", "imagenet", "--recipe", "RECIPE"], "Pretrained weights need a recipe of width 1"),
    ],
)
def test_wrong_usage_is_one_sentence(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    names = {"DATA": str(data), "RECIPE": _recipe(tmp_path, RECIPE)}

    status = cli.main([*(names.get(word, word) for word in arguments), "--out", str(tmp_path / "run")])

    error = capsys.readouterr().err
    assert status == 2
    assert sentence in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_second_run_in_the_same_folder_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(data), "--out", str(tmp_path / "run"), "--recipe", _recipe(tmp_path, RECIPE)]
    assert cli.main(command) == 0
    model = (tmp_path / "run" / "vgg16.keras").read_bytes()

    assert cli.main(command) == 2

    assert "holds a run already" in capsys.readouterr().err
    assert (tmp_path / "run" / "vgg16.keras").read_bytes() == model


def test_a_student_learns_from_a_finished_run(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    teacher, out = tmp_path / "teacher", tmp_path / "run"
    student = _recipe(tmp_path, RECIPE + "teacher_temperature = 2.0\nstride = 2\n", "student.toml")
    labels = _recipe(tmp_path, RECIPE)

    assert cli.main([str(data), "--out", str(out), "--recipe", student]) == 2
    assert "name the folder of a finished run by --teacher" in capsys.readouterr().err
    assert cli.main([str(data), "--out", str(teacher), "--recipe", labels]) == 0
    assert cli.main([str(data), "--out", str(out), "--recipe", labels, "--teacher", str(teacher)]) == 2
    assert "leave --teacher out" in capsys.readouterr().err
    assert cli.main([str(data), "--out", str(out), "--recipe", student, "--teacher", str(teacher)]) == 0
    assert vgg16.load(out / "vgg16.keras").get_layer("block1_conv1").strides == 2
