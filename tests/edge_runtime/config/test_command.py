import json
import tomllib
from pathlib import Path

import pytest

from edge_runtime.cli import main
from edge_runtime.config import config
from edge_runtime.config.config import resolve
from edge_runtime.model import installed


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of this machine."""
    for variable in config.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(
        'operating_point = "screening"\nthreads = 3\n\n[watch]\nfolder = "in \\"1\\""\norder = "newest"\n', "utf-8"
    )
    return path


def show(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    capsys.readouterr()
    assert main(["config", "show", *map(str, words)]) == 0
    return capsys.readouterr().out


def test_what_is_in_force_is_printed_with_where_it_was_said(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_PNEUMO_WATCH_ORDER", "oldest")

    lines = show(capsys, "--config", file, "--threads", "2", "--no-heatmap").splitlines()

    said = {line.partition(" = ")[0]: line.rpartition("# ")[2] for line in lines if " = " in line}
    assert lines[0] == f"# settings file: {file}"
    assert said["operating_point"] == f"{file}, line 1"
    assert said["threads"] == "--threads"
    assert said["folder"] == f"{file}, line 5"
    assert said["order"] == "EDGE_PNEUMO_WATCH_ORDER"
    assert said["heatmaps"] == "--no-heatmap"
    assert said["settle"] == said["engine"] == said["bundle"] == "default"


def test_what_is_printed_is_a_settings_file_with_the_same_settings(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = show(capsys, "--config", file, "--settle", "2.5")

    copy = tmp_path / "elsewhere" / "copy.toml"
    copy.parent.mkdir()
    copy.write_text(printed, "utf-8")
    before, after = resolve({"watch.settle": 2.5}, file, {}), resolve({}, copy, {})
    assert list(config.read_file(copy)[0]) == list(config.TYPES)
    for key in config.TYPES:
        if before.value(key) is not None:
            assert after.value(key) == before.value(key), key
    # And what the program decides where nothing is said.
    assert (after.settings.engine, after.settings.bundle) == ("litert", installed.path())
    assert after.settings.watch.results == tmp_path / 'in "1"-results'


def test_the_same_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(show(capsys, "--json", "--config", file, "/incoming"))

    settings = found["settings"]
    assert found["file"] == str(file)
    assert list(settings) == list(config.TYPES)
    assert settings["threads"] == {"value": 3, "from": {"kind": "file", "name": str(file), "line": 2}}
    assert settings["watch.folder"] == {"value": "/incoming", "from": {"kind": "flag", "name": "DIR"}}
    assert settings["watch.results"] == {"value": "/incoming-results", "from": {"kind": "default"}}


def test_what_nobody_said_and_nothing_follows_from_is_a_comment(capsys: pytest.CaptureFixture[str]) -> None:
    printed = show(capsys)

    assert "# folder is not set" in printed
    assert "folder" not in tomllib.loads(printed)["watch"]


def test_a_model_that_cannot_be_opened_does_not_keep_the_settings_from_being_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["config", "show", "--bundle", str(tmp_path / "none.tflite")]) == 0

    shown = capsys.readouterr()
    assert shown.err.startswith("warning: there is no model bundle at ")
    assert f'bundle = "{tmp_path}/none.tflite"' in shown.out
    assert "# operating_point is not set" in shown.out


def test_wrong_settings_are_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("[wach]\n")

    assert main(["config", "show", "--config", str(file)]) == 2
    assert capsys.readouterr().err == f"error: {file}, line 1: there is no section [wach]; did you mean [watch]?\n"


def test_a_check_names_all_that_is_wrong(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text("threads = 0\n[watch]\nodrer = 1\n")

    assert main(["config", "check", str(file)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"error: {file}, line 1: a wrong value for threads (expected int >= 1); correct it",
        f"error: {file}, line 3: there is no setting 'odrer' in [watch]; did you mean 'order'?",
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('operating_point = "strict"\n', "has no operating point 'strict'"),
        ('bundle = "none.tflite"\n', "there is no model bundle at "),
        ('bundle = "installed"\n', "no model is installed in "),
    ],
)
def test_a_check_looks_at_the_model_too(
    file: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    file.write_text(text)

    assert main(["config", "check", str(file)]) == 1
    error = capsys.readouterr().err
    assert sentence in error
    assert error.endswith(f"(it is named by {file}, line 1)\n")


def test_a_check_of_a_right_file_says_so_whatever_the_environment_says(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("EDGE_PNEUMO_THREADS", "none")

    assert main(["config", "check", str(file)]) == 0
    assert capsys.readouterr().out == f"{file} is right\n"


def test_a_check_of_no_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "check", str(tmp_path / "none.toml")]) == 2
    assert "there is no settings file" in capsys.readouterr().err
