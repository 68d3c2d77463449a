"""The command, from a trained model to a bundle that the device's own code reads and verifies."""

import io
import json
import subprocess
import sys
import zipfile
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import pytest

from convert import calibration, cli, interpreter, refit
from edge_runtime.model import bundle
from edge_runtime.model.classifier import verify_golden
from edge_runtime.model.engines import open_engine
from tests.convert.models import taught_vgg
from tests.datasets import make_data_set

SIZE = 48
LABELS = ("normal", "bacterial", "viral")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_data_set(tmp_path_factory.mktemp("data"), train=120, test=12)


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as training leaves it: the model, the manifest, the operating point."""
    folder = tmp_path_factory.mktemp("run")
    images = calibration.scan(data / "train")
    classes = np.array([LABELS.index(image.label) for image in images])
    taught_vgg(calibration.load(images, SIZE, SIZE), classes).save(folder / "vgg16.keras")
    rows = [
        {
            "file": image.name,
            "sha256": image.sha256,
            "label": image.label,
            "patient": image.name,
            "split": "validation" if index % 5 == 0 else "train",
        }
        for index, image in enumerate(images)
    ]
    (folder / "manifest.json").write_text(json.dumps({"images": rows}))
    (folder / "metrics.json").write_text(json.dumps({"temperature": 1.25, "threshold": 0.5}))
    return folder


@pytest.fixture(scope="module")
def converted(run: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes, with everything asked for."""
    out = tmp_path_factory.mktemp("out")
    command = [str(run / "vgg16.keras"), "--calibration", str(data / "train"), "--out", str(out / "model.tflite")]
    options = ["--name", "drawn", "--images", "40", "--second-set", "--reference", str(out / "reference.tflite")]
    # Random features round worse than trained ones.
    with redirect_stdout(io.StringIO()) as said:
        assert cli.main([*command, *options, "--edgetpu", "--limit", "mean-probability-change=0.03"]) == 0
    (out / "said.txt").write_text(said.getvalue())
    return out


def test_the_device_reads_the_bundle_and_reproduces_its_golden_vectors(converted: Path) -> None:
    opened = bundle.read(converted / "model.tflite")

    verified = verify_golden(open_engine(opened, threads=1), opened.golden)

    assert verified.identical == verified.n == 6
    assert (opened.info.name, opened.info.route) == ("drawn", "tf-lite-converter")
    assert (opened.info.temperature, opened.info.input.height) == (1.25, SIZE)
    assert opened.info.operating_points["balanced"].threshold == 0.5
    assert opened.info.versions["tensorflow"]


def test_the_bundle_holds_a_gate_and_what_drift_is_measured_against(converted: Path) -> None:
    opened = bundle.read(converted / "model.tflite")

    assert opened.gate.features.mean.shape == opened.golden.features.shape[1:]
    assert opened.info.reference is not None
    assert sum(opened.info.reference.distance.counts) == 24
    assert opened.parity["validation_refused"] <= 2


def test_the_bundle_is_checked_for_the_edge_tpu(converted: Path) -> None:
    said = (converted / "said.txt").read_text()

    assert "All 21 operators are in the Edge TPU compiler's list." in said
    assert "both fit the chip's 8 MiB" in said


def test_the_gate_can_be_fitted_anew(
    converted: Path, run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = converted / "model.tflite", tmp_path / "again.tflite"
    options = ["--calibration", str(data / "train"), "--manifest", str(run / "manifest.json"), "--out", str(out)]

    status = refit.main([str(model), *options])

    before, after = bundle.read(model), bundle.read(out)
    assert status == 0
    assert "of 24 validation radiographs" in capsys.readouterr().out
    assert after.tflite == before.tflite
    assert after.info == before.info
    np.testing.assert_allclose(after.gate.atlas.weights, before.gate.atlas.weights, atol=1e-4)


def test_a_gate_needs_the_manifest(converted: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--calibration", str(data / "train"), "--manifest", str(converted / "absent.json")]

    assert refit.main([str(converted / "model.tflite"), *options]) == 2
    assert capsys.readouterr().err.startswith("error: There are no validation images")


def test_the_bundle_names_what_calibrated_it_and_nothing_that_validates(converted: Path, run: Path) -> None:
    opened = bundle.read(converted / "model.tflite")
    rows = {row["sha256"]: row for row in json.loads((run / "manifest.json").read_text())["images"]}

    images = opened.calibration["images"]

    assert 38 <= len(images) <= 42
    assert {rows[image["sha256"]]["split"] for image in images} == {"train"}
    counts = opened.calibration["counts"].values()
    assert max(counts) - min(counts) <= 2


def test_the_report_lies_beside_the_bundle_and_in_it(converted: Path) -> None:
    beside = json.loads((converted / "model.parity.json").read_text())
    with zipfile.ZipFile(converted / "model.tflite") as archive:
        within = json.loads(archive.read("parity.json"))

    assert beside["passed"]
    assert within["flips"] == beside["flips"]
    assert within["images"] == len(beside["cases"]) == 24
    assert beside["float_right"] > 20
    assert beside["about"]["with a second, disjoint calibration set"]["flips against the first set"] <= 2
    assert "<svg" in (converted / "model.parity.html").read_text()


def test_the_reference_answers_as_the_bundle_nearly_does(converted: Path, data: Path) -> None:
    pixels = calibration.load(calibration.scan(data / "test"), SIZE, SIZE)

    exact = interpreter.run((converted / "reference.tflite").read_bytes(), pixels, threads=1)
    rounded = interpreter.run(bundle.read(converted / "model.tflite").tflite, pixels, threads=1)

    assert np.abs(exact.logits - rounded.logits).max() < 0.2 * np.abs(exact.logits).max()
    assert exact.maps.shape == rounded.maps.shape == (12, 3, 3, 3)


def test_a_model_past_a_limit_gets_a_report_and_no_bundle(
    run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(run / "vgg16.keras"), "--calibration", str(data / "train"), "--out", str(tmp_path / "model.tflite")]
    options = ["--images", "20", "--validation", str(data / "test"), "--limit", "layer-sqnr=90", "--no-equalize"]

    status = cli.main(command + options)

    assert status == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: The int8 model is too far from the float model")
    assert "at least 90" in error
    assert "worst layer is block" in error or "worst layer is map" in error
    assert not (tmp_path / "model.tflite").exists()
    assert json.loads((tmp_path / "model.parity.json").read_text())["passed"] is False
    assert len(json.loads((tmp_path / "model.parity.json").read_text())["cases"]) == 12


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "absent.keras"}, "no model at"),
        ({"--calibration": "absent"}, "no folder"),
        ({"--validation": "absent"}, "no folder"),
        ({"--out": "."}, "is a folder"),
        ({"--limit": "speed=3"}, "no limit"),
        ({"--limit": "flips=few"}, "no limit"),
        ({"--calibration": "empty"}, "holds no JPEG or PNG"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    run: Path,
    tmp_path: Path,
    changes: dict[str, str],
    words: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    options = {"model": str(run / "vgg16.keras"), "--calibration": "empty", "--out": "model.tflite"} | changes
    model = options.pop("model")

    status = cli.main([model, *(word for pair in options.items() for word in pair)])

    lines = capsys.readouterr().err.strip().splitlines()
    assert status == 2
    assert lines[-1].startswith("error: ")
    assert words in lines[-1]
    assert not any("Traceback" in line for line in lines)


def test_without_tensorflow_it_says_what_to_install(run: Path, tmp_path: Path) -> None:
    program = "import sys; sys.modules['tensorflow'] = None; from convert.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        program,
        str(run / "vgg16.keras"),
        "--calibration",
        str(tmp_path),
        "--out",
        "x.tflite",
    ]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.strip() == 'error: TensorFlow is not installed: pip install "edge-pneumo[convert]".'
