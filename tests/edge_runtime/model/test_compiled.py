import hashlib
import shutil
import zipfile
from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import BundleError
from edge_runtime.model import bundle, compiled
from edge_runtime.model.compiled import Compiled
from tests.edge_runtime.model.edgetpu import coral

MODEL = b"\x1c\0\0\0TFL3 with edgetpu-custom-op in it"
KNOWN = Compiled(of_sha256="a" * 64, sha256=hashlib.sha256(MODEL).hexdigest(), compiler="16.0", on_cpu=2)


@pytest.fixture
def file(default_bundle: Path, tmp_path: Path) -> Path:
    return coral.with_compiled(default_bundle, tmp_path / "both.tflite")


def test_a_bundle_holds_both_models(file: Path, default_bundle: Path) -> None:
    both, alone = bundle.read(file), bundle.read(default_bundle)

    assert both.tflite == alone.tflite
    assert both.compiled is not None
    assert both.compiled.of_sha256 == alone.info.tflite_sha256
    assert bundle.read_compiled(both) == coral.compiled_model(alone.tflite)


def test_a_bundle_without_one_says_so(default_bundle: Path) -> None:
    alone = bundle.read(default_bundle)

    assert alone.compiled is None
    with pytest.raises(BundleError, match=r"was not compiled for an Edge TPU; compile it \(docs/coral.md\)"):
        bundle.read_compiled(alone)


def test_any_zip_tool_lists_it(file: Path) -> None:
    assert {compiled.MODEL, compiled.INFO} <= set(zipfile.ZipFile(file).namelist())


def test_what_is_known_of_it_is_read_back() -> None:
    members = compiled.members(MODEL, KNOWN, KNOWN.of_sha256)

    assert compiled.decode(members[compiled.INFO], KNOWN.of_sha256) == KNOWN
    assert members[compiled.MODEL] == MODEL


def test_one_of_another_model_is_neither_written_nor_read() -> None:
    with pytest.raises(ValueError, match="compiled of another model"):
        compiled.members(MODEL, KNOWN, "b" * 64)
    with pytest.raises(ValueError, match="another model's"):
        compiled.decode(msgspec.json.encode(KNOWN), "b" * 64)


def test_one_of_which_nothing_runs_on_an_edge_tpu_is_not_written() -> None:
    plain = MODEL.replace(b"edgetpu", b"eddietpu")
    known = msgspec.structs.replace(KNOWN, sha256=hashlib.sha256(plain).hexdigest())

    with pytest.raises(ValueError, match="nothing runs on an Edge TPU"):
        compiled.members(plain, known, known.of_sha256)


def test_a_damaged_one_is_refused_when_it_is_read_and_the_other_model_is_not(file: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.tflite"
    with zipfile.ZipFile(file) as old:
        members = {name: old.read(name) for name in old.namelist()}
    whole = bundle.read(file)
    damaged.write_bytes(whole.tflite)
    members[compiled.MODEL] = members[compiled.MODEL][:-1] + b"x"
    with zipfile.ZipFile(damaged, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, content)

    read = bundle.read(damaged)

    assert read.tflite == whole.tflite
    with pytest.raises(BundleError, match="the compiled model's checksum is not the recorded one"):
        bundle.read_compiled(read)


def test_one_whose_file_has_gone_is_told(file: Path, default_bundle: Path) -> None:
    read = bundle.read(file)
    file.unlink()

    with pytest.raises(BundleError, match=r"cannot be read .*copy or download the bundle again"):
        bundle.read_compiled(read)
    shutil.copy(default_bundle, file)
    with pytest.raises(BundleError, match=r"cannot be read"):
        bundle.read_compiled(read)
