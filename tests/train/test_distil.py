from pathlib import Path

import keras
import msgspec
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


def test_maps_are_averaged_to_the_student_s_cells_and_softened() -> None:
    teacher = vgg16.build(None, width=0.125)
    teacher.get_layer("map").set_weights([np.random.default_rng(0).normal(size=(1, 1, 64, 3)), np.zeros(3)])
    batches = [
        (np.random.default_rng(1).uniform(0, 255, (2, 64, 64, 1)).astype(np.float32), np.zeros((2, 3), np.float32))
    ]

    ((images, (probabilities, maps)),) = distil.answered_with_maps(iter(batches), [distil.with_map(teacher)], 2.0, 2)

    logits, fine = distil.with_map(teacher).predict_on_batch(batches[0][0])
    assert fine.shape == (2, 4, 4, 3)
    np.testing.assert_array_equal(images, batches[0][0])
    np.testing.assert_allclose(probabilities, keras.ops.softmax(logits / 2.0), rtol=1e-5)
    np.testing.assert_allclose(maps[0, 0, 1], fine[0, :2, 2:].mean(axis=(0, 1)) / 2.0, rtol=1e-4, atol=1e-5)


def test_maps_that_do_not_divide_are_refused() -> None:
    batches = [(np.zeros((1, 64, 64, 1), np.float32), np.zeros((1, 3), np.float32))]

    with pytest.raises(UsageError, match="4 x 4 cells and the student's 3 x 3"):
        list(distil.answered_with_maps(iter(batches), [distil.with_map(_constant([0.0] * 3))], 2.0, 3))


def test_a_student_learns_its_teacher_s_map(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 3
    pixels = np.stack([draw(rng, int(3 * label))[..., None] for label in labels])
    labelled = fit.Labelled(pixels, np.eye(3, dtype=np.float32)[labels])
    fit.prepare_backend("float32", seed=0)
    plan = msgspec.structs.replace(RECIPE, teacher_map_weight=1.0)

    student = fit.fit(
        vgg16.build(None, width=0.125), labelled, labelled, plan, tmp_path, teachers=[_constant([3.0, 1.0, -2.0])],
        say=lambda _: None,
    )  # fmt: skip

    maps = np.asarray(distil.with_map(student).predict_on_batch(pixels[:, :48, :48].astype(np.float32))[1])
    # Answers fix the differences between classes; their sum, 2 here, only the map tells.
    assert maps.mean(axis=(0, 1, 2)).sum() > 0.5
    assert vgg16.load(tmp_path / fit.MODEL_FILE).output.shape == (None, 3)


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
