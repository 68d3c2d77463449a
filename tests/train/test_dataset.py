from pathlib import Path

import numpy as np
import pytest

from edge_runtime.errors import UsageError
from tests.datasets import make_data_set
from train import dataset


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("NORMAL/IM-0115-0001.jpeg", ("normal", "IM-0115")),
        ("NORMAL/NORMAL2-IM-0095-0001.jpeg", ("normal", "IM-0095")),
        ("PNEUMONIA/person1000_bacteria_2931.jpeg", ("bacterial", "person1000")),
        ("PNEUMONIA/person1000_virus_1681.jpeg", ("viral", "person1000")),
        ("PNEUMONIA/case-7.png", ("pneumonia", "case-7")),
    ],
)
def test_describe_reads_label_and_patient_from_the_name(file: str, expected: tuple[str, str]) -> None:
    assert dataset.describe(Path(file)) == expected


def test_read_folds_val_into_train_and_keeps_test_apart(tmp_path: Path) -> None:
    data = make_data_set(tmp_path, train=30, test=12)

    manifest = dataset.read(data)

    fitting = [*manifest.of("train"), *manifest.of("validation")]
    assert len(fitting) == 33
    assert {image.file.split("/")[0] for image in fitting} == {"train", "val"}
    assert {image.file.split("/")[0] for image in manifest.of("test")} == {"test"}


def test_read_cuts_no_patient_in_two(tmp_path: Path) -> None:
    data = make_data_set(tmp_path, train=60)
    for second in data.glob("train/NORMAL/IM-00*-0001.jpeg"):
        second.with_name(second.name.replace("-0001", "-0002")).write_bytes(second.read_bytes() + b" ")

    manifest = dataset.read(data, validation_share=0.3)

    patients = {split: {image.patient for image in manifest.of(split)} for split in ("train", "validation")}
    assert patients["validation"]
    assert patients["train"].isdisjoint(patients["validation"])


def test_read_keeps_identical_pictures_of_two_patients_together(tmp_path: Path) -> None:
    data = make_data_set(tmp_path, train=60)
    for i in range(0, 20, 2):
        (data / f"train/NORMAL/IM-{i:04d}-0001.jpeg").write_bytes(
            (data / f"train/NORMAL/IM-{i + 1:04d}-0001.jpeg").read_bytes()
        )

    manifest = dataset.read(data, validation_share=0.3)

    hashes = {split: {image.sha256 for image in manifest.of(split)} for split in ("train", "validation")}
    assert hashes["train"].isdisjoint(hashes["validation"])


def test_read_validates_with_each_label_in_its_share(tmp_path: Path) -> None:
    data = make_data_set(tmp_path, train=90)

    manifest = dataset.read(data, validation_share=0.2)

    labels = [image.label for image in manifest.of("validation")]
    assert {label: labels.count(label) for label in set(labels)} == {"normal": 6, "bacterial": 6, "viral": 6}


def test_read_cuts_the_same_set_for_the_same_seed_alone(tmp_path: Path) -> None:
    data = make_data_set(tmp_path, train=60)

    again, other = dataset.read(data, seed=0), dataset.read(data, seed=1)

    assert dataset.read(data, seed=0) == again
    assert other.of("validation") != again.of("validation")


def test_read_refuses_a_folder_that_is_something_else(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no folder train/NORMAL"):
        dataset.read(tmp_path)


def test_read_refuses_an_empty_class(tmp_path: Path) -> None:
    data = make_data_set(tmp_path)
    for file in (data / "test/NORMAL").iterdir():
        file.unlink()

    with pytest.raises(UsageError, match=r"test/NORMAL holds no image"):
        dataset.read(data)


def test_load_pixels_names_an_unreadable_file(tmp_path: Path) -> None:
    data = make_data_set(tmp_path)
    broken = data / "train/NORMAL/IM-0003-0001.jpeg"
    broken.write_bytes(broken.read_bytes()[:200])

    with pytest.raises(UsageError, match=r"IM-0003-0001\.jpeg cannot be read"):
        dataset.load_pixels(data, dataset.read(data).images)


def test_load_pixels_gives_the_models_input(tmp_path: Path) -> None:
    data = make_data_set(tmp_path)
    images = dataset.read(data).of("test")

    pixels = dataset.load_pixels(data, images)

    assert pixels.shape == (len(images), 224, 224, 1)
    assert pixels.dtype == np.uint8


def test_targets_of_an_unknown_type_teach_the_sum_alone() -> None:
    image = dataset.Image("a", "", "pneumonia", "a", "train")

    np.testing.assert_array_equal(dataset.targets([image]), [[0.0, 0.5, 0.5]])


def test_limit_keeps_a_part_of_every_label(tmp_path: Path) -> None:
    data = make_data_set(tmp_path, train=60)

    manifest = dataset.read(data, limit=12)

    assert len(manifest.images) < 30
    assert {image.label for image in manifest.of("train")} == {"normal", "bacterial", "viral"}


def test_published_data_set_has_its_published_counts(chest_xray: Path) -> None:
    manifest = dataset.read(chest_xray)

    fitting, test = [*manifest.of("train"), *manifest.of("validation")], manifest.of("test")
    assert (len(fitting), len(test)) == (5232, 624)
    assert int(dataset.is_pneumonia(test).sum()) == 390
    assert {image.label for image in manifest.images} == {"normal", "bacterial", "viral"}
