from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.locate import JOURNAL, configured_results, find_results


def _results(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / JOURNAL).touch()
    return folder


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)


def test_a_named_folder_is_the_results_or_the_watched_one(tmp_path: Path) -> None:
    results = _results(tmp_path / "incoming-results")
    (tmp_path / "incoming").mkdir()

    assert find_results(results) == results
    assert find_results(tmp_path / "incoming") == results


def test_unnamed_the_settings_come_first_then_the_current_folder_then_the_service_s(tmp_path: Path) -> None:
    configured = _results(tmp_path / "configured")
    beside = _results(tmp_path / "here-results")
    service = _results(tmp_path / "service")

    assert find_results(None, configured=lambda: configured, service=service) == configured
    assert find_results(None, configured=lambda: None, service=service).resolve() == beside
    (beside / JOURNAL).unlink()
    assert find_results(None, configured=lambda: None, service=service) == service


def test_results_that_are_to_come_are_those_of_the_first_place(tmp_path: Path) -> None:
    (tmp_path / "watched").mkdir()

    found = find_results(None, configured=lambda: tmp_path / "watched", service=tmp_path / "none")

    assert found == tmp_path / "watched-results"


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(UsageError, match="is a file"):
        find_results(tmp_path / "file")
    with pytest.raises(UsageError, match="there is no folder"):
        find_results(tmp_path / "nothing")


def test_the_environment_names_the_results_or_the_watched_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGE_PNEUMO_WATCH_FOLDER", str(tmp_path / "in"))
    assert configured_results() == tmp_path / "in-results"

    monkeypatch.setenv("EDGE_PNEUMO_WATCH_RESULTS", str(tmp_path / "out"))
    assert configured_results() == tmp_path / "out"
