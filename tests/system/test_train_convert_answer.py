"""From labelled radiographs to an answer: train on 60 images, convert, classify, each by its command."""

import json
import os
from pathlib import Path

import pytest

from convert import cli as convert
from edge_runtime import cli as runtime
from edge_runtime.model import bundle
from tests.datasets import make_data_set
from train import cli as train
from train import recipe

SMOKE = Path(recipe.__file__).parent / "recipes" / "smoke.toml"

# So little training answers near the threshold, where rounding flips labels; what is tested is the way through.
LOOSE = [
    word
    for name, limit in (("flips", 1), ("auc-change", 1), ("mean-probability-change", 0.1), ("layer-sqnr", 3))
    for word in ("--limit", f"{name}={limit}")
]


@pytest.fixture(params=["drawn", "published"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    if request.param == "drawn":
        return make_data_set(tmp_path, train=60)
    published: Path = request.getfixturevalue("chest_xray")
    return published


def test_radiographs_in_answers_out(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, made = tmp_path / "run", tmp_path / "model.tflite"

    trained = train.main([str(data), "--out", str(out), "--recipe", str(SMOKE), "--limit", "60"])
    converted = convert.main(
        [str(out / "vgg16.keras"), "--calibration", str(data / "train"), "--out", str(made), "--images", "20", *LOOSE]
    )
    capsys.readouterr()
    answered = runtime.main(["classify", "--json", "--bundle", str(made), os.fspath(data / "test" / "NORMAL")])

    assert (trained, converted, answered) == (0, 0, 0)
    findings = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(findings) == len(list((data / "test" / "NORMAL").iterdir()))
    assert {finding["status"] for finding in findings} == {"classified"}
    assert {finding["model"]["sha256"] for finding in findings} == {bundle.read(made).sha256}
    temperature = json.loads((out / "metrics.json").read_text())["temperature"]
    assert bundle.read(made).info.temperature == temperature
