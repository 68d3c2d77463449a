from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.errors import UsageError
from tests.datasets import draw
from train import distil, fit, vgg16
from train.recipe import Recipe, Stage

RECIPE = Recipe(
    width=0.125, average=0.5, teacher_temperature=2.0, stages=(Stage(size=48, epochs=15, learning_rate=3e-3, batch=4),)
)


def _constant(logits: list[float]) -> keras.Model:
    """Answers every radiograph alike."""
    model = vgg16.build(None, width=0.125)
    model.get_layer("map").set_weights([np.zeros((1, 1, 64, 3)), np.array(logits)])
    return model


def _batches(count: int) -> list[distil.Batch]:
    labels: NDArray[np.float32] = np.eye(3, dtype=np.float32)[[0, 1]]
    return [(np.full((2, 32, 32, 1), 9.0 * i, np.float32), labels) for i in range(count)]


def test_teachers_answer_in_turn_softened_and_images_stay_as_they_are() -> None:
    teachers = [_constant([2.0, 0.0, -2.0]), _constant([0.0, 0.0, 4.0])]
    batches = _batches(3)

    found = list(distil.answered(iter(batches), teachers, 2.0))

    for (images, targets), (given, _), logits in zip(
        found, batches, ([1.0, 0.0, -1.0], [0.0, 0.0, 2.0], [1.0, 0.0, -1.0]), strict=True
    ):
        np.testing.assert_array_equal(images, given)
        np.testing.assert_allclose(targets, [np.exp(logits) / np.exp(logits).sum()] * 2, rtol=1e-5)


def test_the_loss_is_least_where_the_student_answers_as_its_teacher() -> None:
    logits = np.array([[2.0, -1.0, 0.5]], np.float32)
    targets = np.asarray(keras.ops.softmax(logits / 2.0))
    loss = distil.cross_entropy(2.0)

    same, other = (float(loss(targets, answer)[0]) for answer in (logits, logits * 2.0))

    entropy = -float((targets * np.log(targets)).sum())
    assert same == pytest.approx(entropy, rel=1e-5)
    assert other > same


def test_a_student_learns_its_teacher_s_answers_and_not_the_labels(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 3
    pixels = np.stack([draw(rng, int(3 * label))[..., None] for label in labels])
    labelled = fit.Labelled(pixels, np.eye(3, dtype=np.float32)[labels])
    fit.prepare_backend("float32", seed=0)

    student = fit.fit(
        vgg16.build(None, width=0.125), labelled, labelled, RECIPE, tmp_path, teachers=[_constant([3.0, 0.0, 0.0])],
        say=lambda _: None,
    )  # fmt: skip

    assert (fit.predict_logits(student, pixels).argmax(axis=1) == 0).all()


def test_teachers_are_a_run_s_members_or_its_one_model(tmp_path: Path) -> None:
    _constant([1.0, 2.0, 3.0]).save(tmp_path / "vgg16.keras")
    alone = distil.load_teachers(tmp_path, "float32")
    for place in (1, 2):
        (tmp_path / f"member-{place}").mkdir()
        _constant([place, 0.0, 0.0]).save(tmp_path / f"member-{place}" / "vgg16.keras")

    members = distil.load_teachers(tmp_path, "mixed_bfloat16")

    pixels = np.zeros((1, 32, 32, 1), np.float32)
    np.testing.assert_allclose([model(pixels) for model in alone], [[[1, 2, 3]]])
    np.testing.assert_allclose([model(pixels) for model in members], [[[1, 0, 0]], [[2, 0, 0]]])
    assert members[0].get_layer("block1_conv1").compute_dtype == "bfloat16"


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name the folder of a finished run"):
        distil.load_teachers(tmp_path, "float32")
