import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from edge_runtime.errors import BundleError
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import BundleInfo, Golden, Histogram, OperatingPoint, Reference
from tests.edge_runtime.nobody import folder_of_nobody
from tests.gates import wide_open

TFLITE = b"\x1c\0\0\0TFL3" + bytes(range(256)) * 4
INFO = BundleInfo(
    name="toy",
    created="2024-01-01T00:00:00Z",
    temperature=1.5,
    operating_points={"balanced": OperatingPoint(threshold=0.5), "confirm": OperatingPoint(threshold=0.9)},
    source_sha256="a" * 64,
    data_manifest_sha256="b" * 64,
    route="litert-quantizer",
    versions={"keras": "3"},
)
GOLDEN = Golden(
    np.full((2, 224, 224, 1), 7, np.uint8),
    np.array([[1, -2, 3], [4, 5, -128]], np.int8),
    np.arange(2 * 14 * 14 * 3, dtype=np.uint8).view(np.int8).reshape(2, 14, 14, 3),
    np.arange(10, dtype=np.int8).reshape(2, 5),
)
GATE = wide_open(5)


def write_toy(path: Path, info: BundleInfo = INFO, **changes: Any) -> Path:
    arguments: dict[str, Any] = {"golden": GOLDEN, "parity": {"flips": 2}, "calibration": {"images": ["a.jpeg"]}}
    bundle.write(path, TFLITE, info, **(arguments | {"gate": GATE} | changes))
    return path


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    return write_toy(tmp_path / "toy.tflite")


def test_what_is_written_is_read(toy: Path) -> None:
    read = bundle.read(toy)

    expected = msgspec.structs.replace(INFO, tflite_bytes=len(TFLITE), tflite_sha256=hashlib.sha256(TFLITE).hexdigest())
    assert read.info == expected
    assert read.tflite == TFLITE
    assert read.sha256 == hashlib.sha256(toy.read_bytes()).hexdigest()
    assert read.path == toy
    assert read.parity == {"flips": 2}
    assert read.calibration == {"images": ["a.jpeg"]}
    for name in ("pixels", "scores", "maps", "features"):
        np.testing.assert_array_equal(getattr(read.golden, name), getattr(GOLDEN, name))


def test_the_model_alone_can_be_had_from_a_path_and_from_a_bundle(toy: Path) -> None:
    assert bundle.tflite_bytes(toy) == bundle.tflite_bytes(bundle.read(toy)) == TFLITE


def test_a_bundle_is_a_zip_with_the_documented_members(toy: Path) -> None:
    with zipfile.ZipFile(toy) as archive:
        assert archive.testzip() is None
        documented = {"bundle.json", "labels.txt", "golden.npz", "gate.npz", "parity.json", "calibration.json"}
        assert set(archive.namelist()) == documented
        assert archive.read("labels.txt") == b"normal\nbacterial\nviral\n"
        assert json.loads(archive.read("bundle.json"))["schema"] == "edge-pneumo/bundle/2"
        first = min(entry.header_offset for entry in archive.infolist())
    assert first == len(TFLITE), "offsets count from the start of the file"


@pytest.mark.skipif(shutil.which("unzip") is None, reason="unzip is not installed")
def test_unzip_opens_a_bundle_without_complaint(toy: Path) -> None:
    done = subprocess.run(["unzip", "-tq", str(toy)], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_tflite_interpreter_opens_a_bundle(tiny_bundle: Path) -> None:
    interpreter = Interpreter(model_path=str(tiny_bundle))
    interpreter.allocate_tensors()

    assert interpreter.get_input_details()[0]["shape"].tolist() == [1, 224, 224, 1]


def test_the_same_content_is_the_same_file(toy: Path, tmp_path: Path) -> None:
    again = write_toy(tmp_path / "again.tflite")

    assert again.read_bytes() == toy.read_bytes()


def test_a_write_that_fails_leaves_the_old_bundle_and_nothing_else(toy: Path) -> None:
    before = toy.read_bytes()

    with pytest.raises(TypeError):
        write_toy(toy, parity={"flips": object()})

    assert toy.read_bytes() == before
    assert list(toy.parent.iterdir()) == [toy]


def test_a_write_that_fails_at_its_end_leaves_nothing(tmp_path: Path) -> None:
    taken = tmp_path / "toy.tflite"
    taken.mkdir()

    with pytest.raises(OSError, match=r"toy\.tflite"):
        write_toy(taken)

    assert list(tmp_path.iterdir()) == [taken]


def test_a_bundle_can_be_read_by_every_user(toy: Path) -> None:
    assert toy.stat().st_mode & 0o777 == 0o644


def test_write_refuses_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"no \.tflite model"):
        bundle.write(tmp_path / "x", b"not a model", INFO, golden=GOLDEN, parity={}, calibration={}, gate=GATE)
    assert list(tmp_path.iterdir()) == []


def test_write_refuses_golden_vectors_of_another_input(tmp_path: Path) -> None:
    small = Golden(GOLDEN.pixels[:, :160, :160], GOLDEN.scores, GOLDEN.maps, GOLDEN.features)

    with pytest.raises(ValueError, match="golden vectors"):
        write_toy(tmp_path / "x", golden=small)


@pytest.mark.parametrize(
    "arrays",
    [
        (GOLDEN.pixels.astype(np.float32), GOLDEN.scores, GOLDEN.maps, GOLDEN.features),
        (GOLDEN.pixels, GOLDEN.scores[:1], GOLDEN.maps, GOLDEN.features),
        (GOLDEN.pixels[:0], GOLDEN.scores[:0], GOLDEN.maps[:0], GOLDEN.features[:0]),
        (GOLDEN.pixels, GOLDEN.scores, GOLDEN.maps[0], GOLDEN.features),
        (GOLDEN.pixels, GOLDEN.scores, GOLDEN.maps, GOLDEN.features[0]),
    ],
)
def test_golden_vectors_have_fixed_types_and_equal_counts(arrays: tuple[Any, Any, Any, Any]) -> None:
    with pytest.raises(ValueError, match="golden"):
        Golden(*arrays)


def test_a_missing_bundle_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"there is no model bundle at .*none\.tflite; make a bundle"):
        bundle.read(tmp_path / "none.tflite")


def test_a_missing_installed_bundle_is_no_reason_to_convert() -> None:
    with pytest.raises(BundleError, match="install edge-pneumo again"):
        bundle.read(installed.path("no-such-model"))


def test_a_folder_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        bundle.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\xff\xd8\xff\xe0", b"TFL3"])
def test_another_file_is_no_model(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(content)

    with pytest.raises(BundleError, match=r"is no \.tflite file"):
        bundle.read(path)


def test_a_foreign_model_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(TFLITE)

    with pytest.raises(BundleError, match="is no edge-pneumo bundle, or was cut off"):
        bundle.read(path)


def test_a_foreign_model_with_associated_files_is_said_so(tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    path.write_bytes(TFLITE)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("labels.txt", "cat\ndog\n")

    with pytest.raises(BundleError, match=r"is no edge-pneumo bundle.*bundle\.json"):
        bundle.read(path)


def test_a_changed_model_is_noticed(toy: Path) -> None:
    data = bytearray(toy.read_bytes())
    data[100] ^= 1
    toy.write_bytes(data)

    with pytest.raises(BundleError, match="damaged: the model's checksum is not the recorded one"):
        bundle.read(toy)


def replace_info(path: Path, change: dict[str, Any]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["bundle.json"] = json.dumps(json.loads(members["bundle.json"]) | change).encode()
    path.write_bytes(TFLITE)
    with zipfile.ZipFile(path, "a") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def test_a_newer_format_asks_for_an_update(toy: Path) -> None:
    replace_info(toy, {"schema": "edge-pneumo/bundle/3", "labels": "are elsewhere now"})

    with pytest.raises(BundleError, match=r"of the format 'edge-pneumo/bundle/3'.*update edge-pneumo"):
        bundle.read(toy)


def test_a_bundle_from_before_the_gate_is_said_so(toy: Path) -> None:
    replace_info(toy, {"schema": "edge-pneumo/bundle/1"})

    with pytest.raises(BundleError, match=r"of the format 'edge-pneumo/bundle/1', this program reads '.*/2'"):
        bundle.read(toy)


def test_the_gate_is_that_of_the_model(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a gate of 4 features for a model of 5"):
        write_toy(tmp_path / "x", gate=wide_open(4))


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0},
        {"labels": ["viral", "bacterial", "normal"]},
        {"operating_points": {"balanced": {"threshold": 1.5}}},
        {"uncertain": {"low": 0.6, "high": 0.4}},
        {"default_operating_point": "unheard-of"},
    ],
)
def test_impossible_metadata_is_refused(toy: Path, change: dict[str, Any]) -> None:
    replace_info(toy, change)

    with pytest.raises(BundleError, match="is damaged"):
        bundle.read(toy)


def test_golden_vectors_of_another_input_are_refused_when_they_are_wanted(toy: Path) -> None:
    replace_info(toy, {"input": {"height": 160, "width": 160, "channels": 1}})
    read = bundle.read(toy)

    with pytest.raises(BundleError, match=r"is damaged \(its golden vectors cannot be read: golden vectors .*224"):
        _ = read.golden


def test_a_bundle_cut_off_anywhere_is_refused(toy: Path) -> None:
    data = toy.read_bytes()

    for length in range(0, len(data), 41):
        toy.write_bytes(data[:length])
        with pytest.raises(BundleError):
            bundle.read(toy)


def test_a_flipped_bit_is_refused_or_changes_nothing(toy: Path) -> None:
    good, data = bundle.read(toy), toy.read_bytes()
    refused = 0

    for position in range(0, len(data), 7):
        toy.write_bytes(data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :])
        try:
            read = bundle.read(toy)
        except BundleError:
            refused += 1
            continue
        assert (read.info, read.tflite, read.parity, read.calibration) == (
            good.info,
            good.tflite,
            good.parity,
            good.calibration,
        )
        np.testing.assert_array_equal(read.golden.maps, good.golden.maps)
    assert refused > len(data) / 7 / 2


def test_an_unreadable_bundle_is_said_so() -> None:
    with folder_of_nobody() as folder:
        toy = write_toy(folder / "toy.tflite")
        toy.chmod(0)

        with pytest.raises(BundleError, match="check its permissions"):
            bundle.read(toy)


def test_a_reference_is_kept(tmp_path: Path) -> None:
    histogram = Histogram((0.0, 0.5, 1.0), (3, 4), (0, 4))
    info = msgspec.structs.replace(INFO, reference=Reference(probability=histogram, distance=histogram))

    path = write_toy(tmp_path / "toy.tflite", info)

    assert bundle.read(path).info.reference == info.reference


@pytest.mark.parametrize(
    ("edges", "counts", "positive"),
    [
        ((0.0, 1.0), (1, 2), ()),
        ((1.0, 0.0), (1,), ()),
        ((0.0, 1.0), (1,), (2,)),
        ((0.0, 0.5, 1.0), (1, 1), (1,)),
    ],
)
def test_an_impossible_histogram_is_refused(
    edges: tuple[float, ...], counts: tuple[int, ...], positive: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="histogram"):
        Histogram(edges, counts, positive)
