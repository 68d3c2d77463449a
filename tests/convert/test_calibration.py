import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert import calibration
from convert.calibration import Image, Manifest
from edge_runtime.errors import UsageError


def _images(counts: dict[str, int]) -> list[Image]:
    return [
        Image(Path(f"{label}/{i}.png"), f"{label}/{i}.png", f"{label}{i:04d}", label)
        for label, count in counts.items()
        for i in range(count)
    ]


def _write(path: Path, level: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((40, 40), level, np.uint8))
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of the published layout: 12 normal, 12 bacterial, 12 viral images, and one of them twice."""
    for i in range(12):
        _write(tmp_path / "data" / "train" / "NORMAL" / f"IM-{i:04d}-0001.png", 10 + i)
        _write(tmp_path / "data" / "train" / "PNEUMONIA" / f"person{i}_bacteria_1.png", 60 + i)
        _write(tmp_path / "data" / "train" / "PNEUMONIA" / f"person{i}_virus_2.png", 120 + i)
    _write(tmp_path / "data" / "train" / "NORMAL" / "IM-0099-0001.png", 10)
    return tmp_path / "data"


def _manifest(data: Path, splits: dict[str, str]) -> Manifest:
    rows = {}
    for image in calibration.scan(data / "train"):
        split = next((split for part, split in splits.items() if part in image.name), "train")
        rows[image.sha256] = {"file": image.name, "label": image.label, "split": split}
    return Manifest(rows, "0" * 64)


def test_every_label_has_its_share() -> None:
    images = _images({"normal": 250, "bacterial": 500, "viral": 250})

    chosen = calibration.choose(images, count=100, seed=0)

    assert Counter(image.label for image in chosen) == {"normal": 25, "bacterial": 50, "viral": 25}
    assert len({image.sha256 for image in chosen}) == 100


def test_the_seed_decides_and_nothing_else_does() -> None:
    images = _images({"normal": 100, "viral": 100})

    assert calibration.choose(images, count=40, seed=1) == calibration.choose(images[::-1], count=40, seed=1)
    assert calibration.choose(images, count=40, seed=1) != calibration.choose(images, count=40, seed=2)


def test_a_second_set_shares_nothing_with_the_first() -> None:
    images = _images({"normal": 101, "bacterial": 203, "viral": 97})

    first = calibration.choose(images, count=150, seed=0)
    second = calibration.choose(images, count=150, seed=0, skip=150)

    assert not {image.sha256 for image in first} & {image.sha256 for image in second}
    assert Counter(image.label for image in first) == Counter(image.label for image in second)


def test_too_few_images_for_a_second_set_are_refused() -> None:
    images = _images({"normal": 30, "viral": 30})

    with pytest.raises(UsageError, match="--images"):
        calibration.choose(images, count=60, seed=0, skip=60)


def test_labels_come_from_folders_and_names(data: Path) -> None:
    images = calibration.scan(data / "train")

    assert Counter(image.label for image in images) == {"normal": 13, "bacterial": 12, "viral": 12}
    assert images[0].name == "train/NORMAL/IM-0000-0001.png"


def test_what_validates_or_tests_the_model_does_not_calibrate_it(data: Path) -> None:
    manifest = _manifest(data, {"person3_": "validation", "person4_": "test"})
    images = calibration.scan(data / "train", manifest)

    free = calibration.without(images, [], manifest)

    assert len(free) == 36 - 4
    assert not any("person3_" in image.name or "person4_" in image.name for image in free)


def test_identical_files_count_once_wherever_they_lie(data: Path) -> None:
    images = calibration.scan(data / "train")
    chosen_to_validate = [image for image in images if image.name.endswith("IM-0099-0001.png")]

    free = calibration.without(images, chosen_to_validate, None)

    assert len(free) == 35


def test_too_few_images_are_refused(data: Path) -> None:
    images = calibration.scan(data / "train")

    with pytest.raises(UsageError, match="at least 20"):
        calibration.without(images, images[:18], None)


def test_the_validation_set_is_found_above_the_calibration_folder(data: Path) -> None:
    manifest = _manifest(data, {"person3_": "validation"})

    images = calibration.validation_set(manifest, data / "train" / "NORMAL")

    assert sorted(image.name for image in images) == [
        "train/PNEUMONIA/person3_bacteria_1.png",
        "train/PNEUMONIA/person3_virus_2.png",
    ]
    assert calibration.load(images, 32, 32).shape == (2, 32, 32, 1)


def test_no_validation_set_is_one_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--validation"):
        calibration.validation_set(None, data / "train")
    with pytest.raises(UsageError, match="--validation"):
        calibration.validation_set(_manifest(data, {"person3_": "validation"}), tmp_path)


def test_a_file_that_changed_since_training_is_refused(data: Path) -> None:
    images = calibration.scan(data / "train")
    _write(images[0].path, 255)

    with pytest.raises(UsageError, match="not the file the model was trained with"):
        calibration.load(images[:1], 32, 32)


def test_an_unreadable_file_is_named(data: Path) -> None:
    broken = data / "train" / "NORMAL" / "IM-0500-0001.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n and nothing more")

    with pytest.raises(UsageError, match="IM-0500-0001"):
        calibration.load(calibration.scan(data / "train"), 32, 32)


def test_a_folder_without_images_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no JPEG or PNG"):
        calibration.scan(tmp_path)
    with pytest.raises(UsageError, match="no folder"):
        calibration.scan(tmp_path / "absent")


def test_a_manifest_is_read_and_a_damaged_one_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    assert calibration.read_manifest(path) is None
    row = {"file": "a.png", "sha256": "ab", "label": "normal", "patient": "p", "split": "test"}
    path.write_text(json.dumps({"images": [row]}))

    manifest = calibration.read_manifest(path)

    assert manifest is not None
    assert (manifest.split_of("ab"), manifest.split_of("cd")) == ("test", None)
    path.write_text('{"images": [1]}')
    with pytest.raises(UsageError, match="no manifest"):
        calibration.read_manifest(path)


def test_the_bundle_learns_which_images_calibrated() -> None:
    images = _images({"normal": 1, "viral": 2})

    record = calibration.as_json(images, seed=7)

    assert record["counts"] == {"normal": 1, "viral": 2}
    assert record["seed"] == 7
    assert record["images"][0] == {"file": "normal/0.png", "sha256": "normal0000", "label": "normal"}
