"""The command on a real bundle that calls bright pictures pneumonia, and on a data set to go with it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from convert.card import card, cli, render
from convert.card.card import Card, Seed
from edge_runtime.model import bundle
from tests.packaging.places import ROOT


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark normals and bright pneumonias, one of each the other way round, and one file that is no picture."""
    root = tmp_path_factory.mktemp("data") / "chest_xray"
    rng = np.random.default_rng(5)
    levels = {
        "test/NORMAL/IM-0001-0001.png": 60,
        "test/NORMAL/IM-0002-0001.png": 90,
        "test/NORMAL/IM-0003-0001.png": 170,
        "test/PNEUMONIA/person1_bacteria_1.png": 180,
        "test/PNEUMONIA/person2_bacteria_2.png": 200,
        "test/PNEUMONIA/person3_virus_3.png": 160,
        "test/PNEUMONIA/person4_virus_4.png": 80,
        "train/NORMAL/IM-0004-0001.png": 70,
        "train/PNEUMONIA/person1_bacteria_5.png": 190,
        "val/PNEUMONIA/person9_virus_9.png": 190,
    }
    for name, level in levels.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.clip(rng.normal(level, 25, (100, 120)), 0, 255).astype(np.uint8))
    (root / "test" / "NORMAL" / "IM-0009-0001.png").write_bytes(b"no picture")
    return root


@pytest.fixture(scope="module")
def folder(data: Path, tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the command wrote its card."""
    out = tmp_path_factory.mktemp("card")
    assert run(out, tiny_bundle, "--data", str(data), "--threads", "2") == 0
    return out


def run(out: Path, model: Path, *options: str) -> int:
    places = [
        "--card",
        str(out / "card.json"),
        "--failures",
        str(out / "failures.png"),
        "--seeds",
        str(out / "seeds.json"),
    ]
    return cli.main(["--bundle", str(model), *places, *options])


@pytest.fixture(autouse=True)
def _no_data_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDGE_PNEUMO_DATA", raising=False)


def read(out: Path) -> Card:
    found = card.read(out / "card.json")
    assert found is not None
    return found


def test_the_card_holds_what_the_device_says(folder: Path, tiny_bundle: Path) -> None:
    found = read(folder)

    assert found.model.sha256 == bundle.read(tiny_bundle).sha256
    assert found.test.images == {"bacterial": 2, "normal": 4, "viral": 2}
    assert (found.test.accuracy.count, found.test.accuracy.of) == (5, 8)
    assert found.test.reasons == {"neither a JPEG nor a PNG file": 1}
    assert set(found.test.points) == {"balanced", "screening"}
    assert found.test.evidence.largest_difference <= found.test.evidence.rounding
    assert found.occlusion is not None
    assert found.occlusion.images == 4
    assert "thread" not in found.engine


def test_the_page_says_what_it_is_and_where_it_must_not_be_used(folder: Path) -> None:
    page = (folder / "card.md").read_text()

    assert "Research software, not a medical device." in page
    assert "| right | 5 of 8 (62.5%" in page
    assert "Adults" in page
    assert "Guangzhou" in page
    assert "CC BY 4.0" in page
    assert "it calls 1 normal ones pneumonia and 1 pneumonias normal (1 viral)" in " ".join(page.split())
    assert "neither a JPEG nor a PNG file (1)" in page
    created = "2024-01-01"
    assert set(re.findall(r"20\d\d-\d\d-\d\d", page)) == {created}, "no date but the bundle's own"


def test_another_bundles_card_goes_beside_it_and_not_over_the_shipped_one(
    data: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    model = tmp_path / "mine.tflite"
    model.write_bytes(tiny_bundle.read_bytes())

    status = cli.main(["--bundle", str(model), "--data", str(data), "--failures", str(tmp_path / "failures.png")])

    assert status == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "failures.png",
        "mine.model-card.json",
        "mine.model-card.md",
        "mine.tflite",
    }


def test_measured_again_no_byte_is_another(folder: Path, data: Path, tiny_bundle: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in ("card.json", "card.md", "failures.png")}

    assert run(folder, tiny_bundle, "--data", str(data), "--threads", "1") == 0

    assert {name: (folder / name).read_bytes() for name in before} == before


def test_without_data_the_page_comes_from_the_figures(
    folder: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "card.json").write_bytes((folder / "card.json").read_bytes())

    assert run(tmp_path, tiny_bundle) == 0

    assert (tmp_path / "card.md").read_bytes() == (folder / "card.md").read_bytes()
    assert "nothing was measured" in capsys.readouterr().out
    assert not (tmp_path / "failures.png").exists()


def test_figures_of_another_bundle_are_refused(
    folder: Path, default_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "card.json").write_bytes((folder / "card.json").read_bytes())

    status = run(tmp_path, default_bundle)

    assert status == 2
    assert "was measured with another bundle" in capsys.readouterr().err
    assert not (tmp_path / "card.md").exists()


def test_the_validation_images_of_the_card_before_are_measured_again(
    folder: Path, data: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    record = json.loads((folder / "card.json").read_bytes())
    names = [
        "train/NORMAL/IM-0004-0001.png",
        "train/PNEUMONIA/person1_bacteria_5.png",
        "val/PNEUMONIA/person9_virus_9.png",
    ]
    record |= {"validation_files": names}
    (tmp_path / "card.json").write_text(json.dumps(record))

    assert run(tmp_path, tiny_bundle, "--data", str(data)) == 0

    found = read(tmp_path)
    assert found.validation is not None
    assert (found.validation.accuracy.count, found.validation.accuracy.of) == (3, 3)
    assert found.validation.images == {"bacterial": 1, "normal": 1, "viral": 1}
    assert found.validation_files == tuple(names)
    assert "| validation |" in (tmp_path / "card.md").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--data", "absent"], "has no folder test/NORMAL"),
        (["--data", "DATA", "--run", "absent"], "no manifest.json in absent"),
        ([], "There is no"),
        (["--bundle", "absent.tflite"], "there is no model bundle"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    options: list[str],
    words: str,
    data: Path,
    tiny_bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    status = run(tmp_path, tiny_bundle, *(str(data) if word == "DATA" else word for word in options))

    lines = capsys.readouterr().err.strip().splitlines()
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert words in lines[0]
    assert not (tmp_path / "card.json").exists()


def test_radiographs_that_are_all_refused_give_no_card(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "data" / "test" / label).mkdir(parents=True)
        (tmp_path / "data" / "test" / label / "a.png").write_bytes(b"no picture")

    assert run(tmp_path, tiny_bundle, "--data", str(tmp_path / "data")) == 2
    assert "All 2 test radiographs are refused" in capsys.readouterr().err
    assert not (tmp_path / "card.json").exists()


def test_a_damaged_card_is_one_sentence(tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "card.json").write_text("{}")

    assert run(tmp_path, tiny_bundle) == 2
    assert "holds no card that can be read" in capsys.readouterr().err


def test_its_seeds_stand_with_their_mean_and_spread(folder: Path) -> None:
    card = read(folder)
    seeds = [Seed(card.model.name, n, 590 + n, 624, 0.98 + n / 1000, 0.97, 0.94) for n in (1, 2, 3)]
    another = Seed("another", 4, 601, 624, 0.99, 0.98, 0.95)

    page = render.page(card, [another, *seeds]).decode()

    assert "| 2 | 592 of 624 | 0.9820 | 0.970 | 0.940 |" in page
    assert "601 of 624" not in page
    assert "| **mean** | 592.0 | 0.9820 | 0.970 | 0.940 |" in page
    assert "| **standard deviation** | 1.0 | 0.0010 | 0.000 | 0.000 |" in page
    assert "seed" not in render.page(read(folder)).decode()


def test_neither_tensorflow_nor_the_training_is_needed() -> None:
    program = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'train', 'scipy', 'sklearn', 'matplotlib'): sys.modules[name] = None\n"
        "from convert.card.cli import main\n"
        "main(['--help'])"
    )

    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr
    assert "not a medical device" in ended.stdout
