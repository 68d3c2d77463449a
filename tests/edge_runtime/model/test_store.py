from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import BundleError
from edge_runtime.model import installed, store
from edge_runtime.model.store import Record, file_of, find, folder
from tests.edge_runtime.nobody import folder_of_nobody

SHA256 = "a" * 64


def remember(place: Path, record: Record) -> dict[str, str]:
    (place / "models.json").write_bytes(msgspec.json.encode(record))
    return {store.VARIABLE: str(place)}


def test_the_models_are_where_a_variable_says_with_the_service_or_with_the_user(tmp_path: Path) -> None:
    system, none = tmp_path, tmp_path / "none"
    home = {"HOME": "/home/x"}

    assert folder({"EDGE_PNEUMO_MODELS": "/m", "STATE_DIRECTORY": "/s"}, system) == Path("/m")
    assert folder({"STATE_DIRECTORY": "/var/lib/a:/var/lib/b"}, none) == Path("/var/lib/a/models")
    assert folder(home, system) == system / "models"
    assert folder(home | {"XDG_DATA_HOME": "/data"}, none) == Path("/data/edge-pneumo/models")
    assert folder(home, none) == Path("/home/x/.local/share/edge-pneumo/models")


def test_whoever_may_not_look_at_the_services_models_has_his_own() -> None:
    with folder_of_nobody() as system:
        (system / "state").mkdir(mode=0)

        assert folder({"HOME": "/home/x"}, system / "state") == Path("/home/x/.local/share/edge-pneumo/models")


def test_the_current_model_is_what_answers_where_none_is_named(tmp_path: Path) -> None:
    environment = remember(tmp_path, Record(current=SHA256))

    assert find(None, environment) == file_of(tmp_path, SHA256) == tmp_path / f"{SHA256}.tflite"
    assert find(Path("installed"), environment) == file_of(tmp_path, SHA256)
    assert find(Path("full"), environment) == installed.path("full")
    assert find(Path("/x/installed"), environment) == Path("/x/installed")


def test_without_an_installed_model_the_programs_own_answers(tmp_path: Path) -> None:
    environment = {store.VARIABLE: str(tmp_path / "none")}

    assert find(None, environment) == installed.path()
    with pytest.raises(BundleError, match=r"no model is installed in .*; install one with 'edge-pneumo model"):
        find(Path("installed"), environment)


@pytest.mark.parametrize("text", ["", "{}x", '{"current": "../../etc/passwd"}', '{"schema": "other"}', "\udcff"])
def test_a_damaged_record_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "models.json").write_bytes(text.encode("utf-8", "surrogateescape"))

    with pytest.raises(BundleError, match=r"models\.json is damaged"):
        find(None, {store.VARIABLE: str(tmp_path)})


def test_a_record_that_must_not_be_read_is_a_sentence() -> None:
    with folder_of_nobody() as place:
        remember(place, Record())
        (place / "models.json").chmod(0)

        with pytest.raises(BundleError, match=r"cannot be read \(Permission denied\); check"):
            find(None, {store.VARIABLE: str(place)})


def test_the_stamp_tells_one_record_from_another(tmp_path: Path) -> None:
    remember(tmp_path, Record(current=SHA256))
    before = store.stamp(tmp_path)
    (tmp_path / "models.json").rename(tmp_path / "old.json")
    remember(tmp_path, Record(current="b" * 64))

    assert before is not None
    assert store.stamp(tmp_path) not in (before, None)
