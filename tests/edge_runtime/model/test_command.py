import json
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.config import config
from edge_runtime.model import bundle, installed
from edge_runtime.model.store import VARIABLE, file_of, read
from tests.bundles import remake


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A store of the test's own, and no settings of this machine."""
    for variable in config.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "models"))
    monkeypatch.setenv("EDGE_PNEUMO_THREADS", "1")
    return tmp_path / "models"


def model(capsys: pytest.CaptureFixture[str], *words: str | Path) -> list[str]:
    """What ``edge-pneumo model`` says where it succeeds."""
    capsys.readouterr()
    assert main(["model", *map(str, words)]) == 0
    shown = capsys.readouterr()
    return shown.out.splitlines() + shown.err.splitlines()


def refusal(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert main(["model", *map(str, words)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


def short(file: Path) -> str:
    return bundle.read(file).sha256[:12]


def test_a_model_is_installed_and_taken_back(
    place: Path, tiny_bundle: Path, default_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiny = f"tiny ({short(tiny_bundle)})"

    installed_ = model(capsys, "install", tiny_bundle)
    again = model(capsys, "install", tiny_bundle)
    other = model(capsys, "install", default_bundle)
    back = model(capsys, "rollback")
    further_back = model(capsys, "rollback")

    assert installed_[0].startswith(f"installed and current: {tiny}, proven on ai-edge-litert ")
    assert installed_[1:] == [
        "'edge-pneumo model rollback' goes back to: compact, which comes with the program",
        "A watcher on this machine takes it over by itself, between two radiographs.",
    ]
    assert again == installed_
    assert other[1] == f"'edge-pneumo model rollback' goes back to: {tiny}"
    assert back[0] == f"current again: {tiny}"
    assert further_back[0] == "current again: compact, which comes with the program"
    assert read(place).current is None


def test_what_this_engine_does_not_reproduce_is_refused_and_the_old_one_stays(
    place: Path, tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model(capsys, "install", tiny_bundle)
    before = (place / "models.json").read_bytes()

    by_vectors = refusal(capsys, "install", remake(tiny_bundle, tmp_path / "off.tflite", golden_off=3))
    by_report = refusal(capsys, "install", remake(tiny_bundle, tmp_path / "far.tflite", parity={"passed": False}))

    assert "does not compute what the model's converter computed" in by_vectors
    assert "is too far from its float model" in by_report
    assert (place / "models.json").read_bytes() == before
    assert len(list(place.glob("*.tflite"))) == 1


def test_the_list_says_what_is_current_what_was_before_and_what_is_in_use(
    place: Path, tiny_bundle: Path, default_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model(capsys, "install", tiny_bundle)
    model(capsys, "install", default_bundle)

    lines = model(capsys, "list")
    found = json.loads(model(capsys, "list", "--json")[0])

    assert lines[0] == f"models in {place}"
    assert [line[:24] for line in lines[1:3]] == [
        f"< tiny     {short(tiny_bundle)} ",
        f"* compact  {short(default_bundle)} ",
    ]
    assert lines[3:] == [
        f"current: compact ({short(default_bundle)})",
        f"'edge-pneumo model rollback' goes back to: tiny ({short(tiny_bundle)})",
        "in use: compact",
    ]
    assert found["current"] == found["in_use"]["sha256"] == bundle.read(default_bundle).sha256
    assert found["in_use"]["file"] == str(file_of(place, found["current"]))
    assert [one["name"] for one in found["models"]] == ["tiny", "compact"]


def test_before_any_was_installed_the_programs_own_is_in_use(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert model(capsys, "list") == [
        f"models in {place}",
        "  none has been installed",
        "current: compact, which comes with the program",
        "in use: compact",
    ]
    assert not place.exists()
    assert json.loads(model(capsys, "list", "--json")[0])["in_use"]["file"] == str(installed.path())


def test_settings_that_name_another_model_are_warned_of(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.toml"
    file.write_text('bundle = "full"\n')

    said = model(capsys, "install", tiny_bundle, "--config", file)
    listed = model(capsys, "list", "--config", file)

    assert said[-1] == f"warning: {file}, line 1 names another model, full, which goes before this one; take it out"
    assert listed[-1] == f"in use: full, named by {file}, line 1"


def test_the_current_model_answers_where_none_is_named(tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model(capsys, "install", tiny_bundle)
    capsys.readouterr()

    assert main(["verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "tiny"
    assert main(["verify", "--json", "--bundle", "compact"]) == 0
    assert json.loads(capsys.readouterr().out)["model"]["name"] == "compact"


def test_a_current_model_whose_file_is_damaged_is_a_sentence_with_a_way_out(
    place: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model(capsys, "install", tiny_bundle)
    file_of(place, bundle.read(tiny_bundle).sha256).write_bytes(b"rot")

    assert main(["verify"]) == 2
    assert "'edge-pneumo model rollback' goes back to the one before" in capsys.readouterr().err
    assert model(capsys, "rollback")[0] == "current again: compact, which comes with the program"


def test_a_model_nobody_needs_is_removed(place: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model(capsys, "install", tiny_bundle)
    model(capsys, "rollback")

    assert model(capsys, "remove", "tiny") == [f"removed: tiny ({short(tiny_bundle)})"]
    assert list(place.glob("*.tflite")) == []
    assert "no installed model is called 'tiny'" in refusal(capsys, "remove", "tiny")
    assert "no earlier model" in refusal(capsys, "rollback")
