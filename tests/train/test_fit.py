"""Stopping and resuming, on a narrow network and drawn radiographs."""

import json
from pathlib import Path

import keras
import msgspec
import numpy as np
import pytest

from tests.datasets import draw
from train import fit, vgg16
from train.recipe import Recipe, Stage

RECIPE = Recipe(
    width=0.125,
    average=0.5,
    dropout=0.2,
    stages=tuple(Stage(size=size, epochs=2, learning_rate=1e-3, batch=6) for size in (48, 64)),
)


class StopError(Exception):
    """Stands for Ctrl-C, at a moment the test chooses."""


@pytest.fixture(scope="module")
def labelled() -> fit.Labelled:
    rng = np.random.default_rng(0)
    labels = np.arange(24) % 3
    pixels = np.stack([draw(rng, int(3 * label))[..., None] for label in labels])
    return fit.Labelled(pixels, np.eye(3, dtype=np.float32)[labels])


def _train(labelled: fit.Labelled, folder: Path, *, resume: bool = False, stop_after: int | None = None) -> keras.Model:
    folder.mkdir(exist_ok=True)
    fit.prepare_backend("float32", seed=1)
    lines = 0

    def say(_: str) -> None:
        nonlocal lines
        lines += 1
        if lines == stop_after:
            raise StopError

    model = vgg16.build(None, width=RECIPE.width, dropout=RECIPE.dropout, seed=1)
    return fit.fit(model, labelled, labelled, RECIPE, folder, seed=1, resume=resume, say=say)


@pytest.fixture(scope="module")
def uninterrupted(labelled: fit.Labelled, tmp_path_factory: pytest.TempPathFactory) -> keras.Model:
    return _train(labelled, tmp_path_factory.mktemp("whole") / "run")


@pytest.mark.parametrize("stop_after", [1, 2, 3])
def test_stopped_training_resumes_to_the_same_result(
    labelled: fit.Labelled, uninterrupted: keras.Model, tmp_path: Path, stop_after: int
) -> None:
    with pytest.raises(StopError):
        _train(labelled, tmp_path / "run", stop_after=stop_after)
    assert vgg16.load(tmp_path / "run" / "vgg16.keras").count_params() == uninterrupted.count_params()

    resumed = _train(labelled, tmp_path / "run", resume=True)

    for ours, theirs in zip(resumed.get_weights(), uninterrupted.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    history = (tmp_path / "run" / "history.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in history] == [1, 2, 3, 4]


def test_finished_training_resumes_to_itself(labelled: fit.Labelled, tmp_path: Path) -> None:
    finished = _train(labelled, tmp_path / "run")

    again = _train(labelled, tmp_path / "run", resume=True)

    for ours, theirs in zip(again.get_weights(), finished.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_training_moves_every_weight_and_lowers_the_loss(labelled: fit.Labelled, tmp_path: Path) -> None:
    start = vgg16.build(None, width=RECIPE.width, dropout=RECIPE.dropout, seed=1)
    long = msgspec.structs.replace(RECIPE, stages=(Stage(size=48, epochs=6, learning_rate=2e-3, batch=6),), mixup=0.0)

    before = start.get_weights()
    model = fit.fit(start, labelled, labelled, long, tmp_path, seed=1, say=lambda _: None)

    assert all((a != b).any() for a, b in zip(model.get_weights(), before, strict=True))
    losses = [json.loads(line)["loss"] for line in (tmp_path / "history.jsonl").read_text().splitlines()]
    assert losses[-1] < losses[0]


def test_head_stage_leaves_the_convolutions_alone(labelled: fit.Labelled, tmp_path: Path) -> None:
    head = msgspec.structs.replace(
        RECIPE, stages=(Stage(size=48, epochs=1, learning_rate=1e-3, batch=6, train="head"),)
    )
    start = vgg16.build(None, width=RECIPE.width, standardize=False, seed=1)
    before = {layer.name: layer.get_weights() for layer in start.layers}

    model = fit.fit(start, labelled, labelled, head, tmp_path, seed=1, say=lambda _: None)

    moved = {
        layer.name
        for layer in model.layers
        if any((a != b).any() for a, b in zip(layer.get_weights(), before[layer.name], strict=True))
    }
    assert moved == {"map"}
