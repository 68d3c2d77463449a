import json
import tomllib
from pathlib import Path

import pytest

from edge_runtime.cli import main


def test_the_command_measures_recommends_and_saves(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text('# ours\noperating_point = "screening"\n')

    status = main(["bench", "--bundle", str(tiny_bundle), "--config", str(settings), "--seconds", "1", "--save"])

    printed = capsys.readouterr().out
    saved = tomllib.loads(settings.read_text())
    assert status == 0
    assert printed.startswith("model tiny, sha256 ")
    assert "ai-edge-litert" in printed
    assert f"--engine {saved['engine']} --threads {saved['threads']}; saved in {settings}." in printed
    assert saved["operating_point"] == "screening"
    assert settings.read_text().startswith("# ours\n")
    assert main(["verify", "--bundle", str(tiny_bundle), "--config", str(settings)]) == 0


def test_json_says_the_same_and_saves_nothing_unasked(
    tiny_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("")

    status = main(["bench", "--json", "--bundle", str(tiny_bundle), "--config", str(settings), "--seconds", "1"])

    result = json.loads(capsys.readouterr().out)
    first = result["engines"][0]
    assert (status, result["model"]["name"], result["saved"]) == (0, "tiny", None)
    assert (first["engine"], first["threads"], first["times_as_fast"], first["reproduced"]) == ("litert", 1, 1.0, True)
    assert first["p95_milliseconds"] >= first["median_milliseconds"] > 0
    best = {name: result["recommended"][name] for name in ("engine", "threads")}
    assert best in [{"engine": m["engine"], "threads": m["threads"]} for m in result["engines"]]
    assert settings.read_text() == ""


def test_a_variable_that_goes_before_what_is_saved_is_told(
    tiny_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / "config.toml"
    settings.write_text("")
    monkeypatch.setenv("EDGE_PNEUMO_THREADS", "1")

    main(["bench", "--bundle", str(tiny_bundle), "--config", str(settings), "--seconds", "1", "--save"])

    assert capsys.readouterr().err == (
        "warning: EDGE_PNEUMO_THREADS is set and goes before the settings file; unset it\n"
    )


def test_share_prints_the_rows_and_writes_them_where_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edge_runtime.model.installed.names", lambda: ["compact"])

    status = main(["bench", "--share", "--seconds", "1"])

    said = capsys.readouterr()
    (file,) = tmp_path.iterdir()
    lines = said.out.splitlines()
    assert status == 0, said.err
    assert len(lines) == 3  # two of the head, and one for the model
    assert f"Written to {file.name}" in said.err
    assert "pull request that adds these rows to docs/devices.md" in said.err
    assert json.loads(file.read_text())["measured"][0]["reproduced"]


@pytest.mark.parametrize("words", [["--save"], ["--bundle", "compact"]])
def test_share_goes_with_nothing_that_it_would_ignore(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--share", *words]) == 2

    assert "leave out the rest" in capsys.readouterr().err
