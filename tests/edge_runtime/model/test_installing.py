import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from edge_runtime.errors import BundleError, EngineError, UsageError
from edge_runtime.model import bundle, installed, installing, store
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.store import Record, file_of, read
from tests.bundles import PASSED
from tests.edge_runtime.findings import MOMENT
from tests.edge_runtime.model.test_bundle import INFO, write_toy
from tests.edge_runtime.nobody import folder_of_nobody

Make = Callable[..., Path]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "models"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a bundle; another origin of the model is another bundle of the same name."""

    def call(letter: str = "a", **changes: object) -> Path:
        info = INFO if letter == "a" else msgspec.structs.replace(INFO, source_sha256=letter * 64)
        return write_toy(tmp_path / f"{letter}.tflite", info, **({"parity": PASSED} | changes))

    return call


def prove(opened: Bundle) -> str:
    """Every engine gives these."""
    assert opened.golden.pixels.size
    return "an engine"


def refuse(opened: Bundle) -> str:
    raise EngineError(f"{opened.info.name} does not compute what the model's converter computed")


def install(place: Path, file: Path) -> str:
    record = installing.install(place, file, prove, MOMENT)
    assert record == read(place)
    assert record.current is not None
    return record.current


def names(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_an_installed_model_is_kept_under_its_hash_and_current(place: Path, make: Make) -> None:
    file = make()

    sha256 = install(place, file)

    assert sha256 == bundle.read(file).sha256
    assert file_of(place, sha256).read_bytes() == file.read_bytes()
    assert names(place) == [".lock", f"{sha256}.tflite", "models.json"]
    (kept,) = read(place).models
    assert (kept.name, kept.sha256, kept.proven_on, kept.bytes) == ("toy", sha256, "an engine", file.stat().st_size)
    assert kept.installed == "2024-05-01T09:30:00.000Z"
    assert file.exists()


def test_the_service_may_read_what_root_installs(place: Path, make: Make) -> None:
    before = os.umask(0o077)
    try:
        sha256 = install(place, make())
    finally:
        os.umask(before)

    modes = [path.stat().st_mode & 0o777 for path in (place, file_of(place, sha256), place / "models.json")]
    assert modes == [0o755, 0o644, 0o644]


def test_going_back_step_by_step_ends_at_the_programs_own(place: Path, make: Make) -> None:
    first, second = install(place, make("a")), install(place, make("c"))

    assert read(place).before == (first, None)
    assert installing.rollback(place, prove).current == first
    record = installing.rollback(place, prove)

    assert (record.current, record.before) == (None, ())
    assert store.find(None, {store.VARIABLE: str(place)}) == installed.path()
    with pytest.raises(UsageError, match=r"there is no earlier model in .* to go back to"):
        installing.rollback(place, prove)
    assert {model.sha256 for model in record.models} == {first, second}


def test_installing_the_current_one_again_changes_nothing_that_is_gone_back_to(place: Path, make: Make) -> None:
    first = install(place, make("a"))
    second = install(place, make("c"))
    stamp = store.stamp(place)

    assert install(place, make("c")) == second
    assert install(place, make("a")) == first

    assert read(place).before == (second, first, None)
    assert len(read(place).models) == 2
    assert store.stamp(place) != stamp


def test_a_damaged_copy_is_mended_by_installing_it_again(place: Path, make: Make) -> None:
    sha256 = install(place, make())
    file_of(place, sha256).write_bytes(b"rot")

    install(place, make())

    assert bundle.read(file_of(place, sha256)).sha256 == sha256


@pytest.mark.parametrize(
    ("parity", "sentence"),
    [
        ({"passed": False, "broken": ["7 of 9 labels change (at most 1 may)"]}, "too far .*7 of 9 labels change"),
        ({"passed": True, "broken": ["the AUC falls"]}, "too far from its float model.*the AUC falls"),
        ({"passed": False}, "too far from its float model"),
        ({"passed": "yes"}, "too far from its float model"),
        ({"flips": 0}, "holds no verdict"),
        ({}, "holds no verdict"),
    ],
)
def test_what_failed_its_parity_report_is_refused(place: Path, make: Make, parity: object, sentence: str) -> None:
    with pytest.raises(BundleError, match=sentence):
        install(place, make(parity=parity))

    assert not place.exists()


def test_what_is_refused_leaves_the_old_one_current(place: Path, make: Make, tmp_path: Path) -> None:
    good = install(place, make())
    before, stamp = names(place), store.stamp(place)
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(make("c").read_bytes()[:-500])

    with pytest.raises(BundleError):
        install(place, cut)
    with pytest.raises(BundleError, match="there is no model bundle"):
        install(place, tmp_path / "none.tflite")
    with pytest.raises(EngineError, match="does not compute"):
        installing.install(place, make("d"), refuse, MOMENT)

    assert (names(place), store.stamp(place), read(place).current) == (before, stamp, good)


def test_going_back_to_what_this_machine_does_not_prove_is_refused(place: Path, make: Make) -> None:
    install(place, make("a"))
    second = install(place, make("c"))

    with pytest.raises(EngineError, match="does not compute"):
        installing.rollback(place, refuse)

    assert read(place).current == second


@pytest.mark.parametrize("failing", range(1, 5))
def test_a_disk_that_fails_at_any_moment_leaves_the_old_choice(
    place: Path, make: Make, failing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Arrange: the bundle, its folder, the record, its folder are forced to the disk
    first, second = install(place, make("a")), make("c")
    count, fsync = 0, os.fsync

    def fail(handle: int) -> None:
        nonlocal count
        count += 1
        if count == failing:
            raise OSError(28, "No space left on device")
        fsync(handle)

    # Act
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UsageError, match=r"cannot be changed \(No space left on device\); mend that"):
        install(place, second)
    monkeypatch.undo()

    # Assert: what is current can be read, and nothing half-made stays
    current = read(place).current
    assert current == first or failing == 4  # the record is whole and may be on the disk
    assert current is not None
    assert bundle.read(file_of(place, current)).sha256 == current
    assert not list(place.glob(".*.part"))
    assert install(place, second) == bundle.read(second).sha256


def test_what_a_kill_left_is_cleared_away(place: Path, make: Make) -> None:
    install(place, make())
    (place / ".x.tflite.abc.part").write_bytes(b"half")

    install(place, make("c"))

    assert not list(place.glob(".*.part"))


def test_a_store_that_must_not_be_written_is_a_sentence() -> None:
    with folder_of_nobody() as folder:
        file = write_toy(folder / "a.tflite", parity=PASSED)
        (folder / "models").mkdir()
        (folder / "models").chmod(0o500)

        with pytest.raises(UsageError, match=r"Permission denied\); run with sudo, or name another folder with EDGE"):
            install(folder / "models", file)


def test_only_what_nobody_needs_is_removed(place: Path, make: Make) -> None:
    first, second, third = (install(place, make(letter)) for letter in "acd")

    with pytest.raises(UsageError, match="is the current model"):
        installing.remove(place, third)
    with pytest.raises(UsageError, match="goes back to"):
        installing.remove(place, second[:8])
    with pytest.raises(UsageError, match="several installed models are called 'toy'"):
        installing.remove(place, "toy")
    with pytest.raises(UsageError, match="no installed model is called"):
        installing.remove(place, first[:3])
    assert installing.remove(place, first[:4]).sha256 == first

    assert not file_of(place, first).exists()
    assert read(place).before == (second, None)
    assert names(place) == sorted([".lock", "models.json", f"{second}.tflite", f"{third}.tflite"])


def _install_all(place: Path, files: list[Path]) -> None:
    for file in files:
        installing.install(place, file, prove, MOMENT)


def test_two_that_install_at_once_lose_nothing(place: Path, make: Make) -> None:
    files = [[make(letter) for letter in letters] for letters in ("acd", "ef1")]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_install_all, args=(place, some)) for some in files]

    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)

    assert [worker.exitcode for worker in workers] == [0, 0]
    record = read(place)
    assert len(record.models) == len(record.before) == 6
    assert set(record.before) | {record.current} == {model.sha256 for model in record.models} | {None}


def test_a_record_that_is_damaged_is_not_written_over(place: Path, make: Make) -> None:
    install(place, make())
    (place / "models.json").write_text('{"schema": "edge-pneumo/models/2"}')

    with pytest.raises(BundleError, match=r"models\.json is damaged"):
        install(place, make("c"))
    assert read_text(place) == '{"schema": "edge-pneumo/models/2"}'


def read_text(place: Path) -> str:
    return (place / "models.json").read_text()


def test_nothing_installed_is_an_empty_record(place: Path) -> None:
    assert read(place) == Record()
    assert store.stamp(place) is None
