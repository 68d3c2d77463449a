"""What a power cut may leave, on logs that are written by hand."""

from pathlib import Path
from random import Random

from tests.chaos.crash_states import Disk, Model, Start, Tree
from tests.chaos.shim import Did, Record

ROOT = Path("/results")
FOLDER, FILE = 1, 10


def record(did: Did, inode: int = 0, first: str | bytes = b"", second: str = "", offset: int = 0) -> Record:
    def path(name: str) -> bytes:
        return f"{ROOT}/{name}".encode()

    return Record(did, inode, offset, path(first) if isinstance(first, str) else first, path(second) if second else b"")


CREATE = record(Did.CREATE, FILE, "new")
WRITE = record(Did.WRITE, FILE, b"x" * 2000)
SYNC_FILE, SYNC_FOLDER = record(Did.SYNC, FILE), record(Did.SYNC, FOLDER)
RENAME = record(Did.RENAME, FILE, "new", "name")


def states(model: Model, *records: Record) -> list[dict[str, bytes]]:
    """A hundred of those that may be, of an empty folder in which this was done."""
    disk = Disk(Start(Tree({}, frozenset({"."})), {".": FOLDER}), ROOT, model)
    disk.play(records)
    return [dict(disk.cut(Random(seed)).files) for seed in range(100)]


def test_nothing_is_sure_before_an_fsync() -> None:
    for model in Model:
        found = states(model, CREATE, WRITE)
        assert {} in found
        assert {"new": b""} in found
        assert {"new": b"x" * 2000} in found


def test_a_write_may_be_torn_between_sectors_where_nothing_is_promised() -> None:
    found = [state["new"] for state in states(Model.ADVERSARIAL, CREATE, WRITE) if "new" in state]

    assert any(len(data) == 2000 and data[:512] == b"x" * 512 != data[512:1024] for data in found)
    assert any(len(data) == 2000 and data[512:1024] == b"x" * 512 != data[:512] for data in found)


def test_an_fsync_of_a_file_keeps_its_name_in_ext4_alone() -> None:
    assert states(Model.ORDERED, CREATE, WRITE, SYNC_FILE) == [{"new": b"x" * 2000}] * 100
    found = states(Model.ADVERSARIAL, CREATE, WRITE, SYNC_FILE)
    assert {} in found
    assert all(state in ({}, {"new": b"x" * 2000}) for state in found)


def test_an_fsync_of_the_folder_keeps_the_name_and_not_the_content() -> None:
    found = states(Model.ADVERSARIAL, CREATE, WRITE, SYNC_FOLDER)

    assert all("new" in state for state in found)
    assert {"new": b""} in found


def test_written_synced_renamed_synced_is_there_for_certain() -> None:
    for model in Model:
        found = states(model, CREATE, WRITE, SYNC_FILE, RENAME, SYNC_FOLDER)
        assert found == [{"name": b"x" * 2000}] * 100


def test_a_rename_is_there_or_not_and_never_half() -> None:
    for model in Model:
        for state in states(model, CREATE, WRITE, SYNC_FILE, SYNC_FOLDER, RENAME):
            assert state in ({"new": b"x" * 2000}, {"name": b"x" * 2000})


def test_what_is_removed_may_come_back_until_its_folder_is_synced() -> None:
    kept = [CREATE, WRITE, SYNC_FILE, SYNC_FOLDER, record(Did.UNLINK, 0, "new")]

    for model in Model:
        assert {"new": b"x" * 2000} in states(model, *kept)
        assert states(model, *kept, SYNC_FOLDER) == [{}] * 100


def test_an_inode_that_is_used_again_is_another_file() -> None:
    first = [CREATE, WRITE, SYNC_FILE, RENAME, SYNC_FOLDER]
    second = [record(Did.UNLINK, 0, "name"), SYNC_FOLDER, record(Did.CREATE, FILE, "other"), SYNC_FILE, SYNC_FOLDER]

    for model in Model:
        assert states(model, *first, *second) == [{"other": b""}] * 100


def test_a_file_in_a_folder_that_is_not_there_is_not_there() -> None:
    made = [record(Did.MKDIR, 2, "ward"), record(Did.CREATE, FILE, "ward/new"), SYNC_FILE, record(Did.SYNC, 2)]

    found = states(Model.ADVERSARIAL, *made)

    assert {} in found
    assert {"ward/new": b""} in found
    assert states(Model.ADVERSARIAL, *made, SYNC_FOLDER) == [{"ward/new": b""}] * 100


def test_what_was_overwritten_in_place_is_old_or_new_by_pages_in_ext4() -> None:
    old, new = b"o" * 8192, b"n" * 8192
    begun = [CREATE, record(Did.WRITE, FILE, old), SYNC_FILE, SYNC_FOLDER, record(Did.WRITE, FILE, new)]

    found = {state["new"] for state in states(Model.ORDERED, *begun)}

    assert found == {a + b for a in (old[:4096], new[:4096]) for b in (old[:4096], new[:4096])}
