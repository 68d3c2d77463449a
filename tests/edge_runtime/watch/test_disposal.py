import errno
import hashlib
import os
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding
from edge_runtime.journal.journal import Journal
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.sinks.files import JOURNAL
from edge_runtime.sources import beneath
from edge_runtime.watch import disposal as disposal_module
from edge_runtime.watch.answering import watch
from edge_runtime.watch.disposal import Disposal
from tests.edge_runtime.nobody import folder_of_nobody
from tests.edge_runtime.pictures import put

DONE, REFUSED = Path("done"), Path("refused")
SAMPLES = Path(__file__).parents[3] / "samples"
NORMAL = (SAMPLES / "synthetic-normal-1.png").read_bytes()
PNEUMONIA = (SAMPLES / "synthetic-pneumonia-1.png").read_bytes()


class Ledger:
    """What a journal would know: every file is answered, those named ``bad...`` are rejected."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.answered: dict[bytes, str | None] = {}
        self.moves: dict[bytes, bytes] = {}
        self.error: sqlite3.Error | None = None

    def answer(self, path: Path, *, unread: bool = False) -> tuple[bytes, FileState]:
        """Answer a file; what ``dispose`` is told of it."""
        name = os.fsencode(path.relative_to(self._root))
        self.answered[name] = None if unread else hashlib.sha256(path.read_bytes()).hexdigest()
        return name, FileState.of(path.lstat())

    def verdict(self, name: bytes, _state: FileState) -> tuple[str, str | None] | None:
        if self.error is not None:
            raise self.error
        if name not in self.answered:
            return None
        return "rejected" if b"bad" in name else "classified", self.answered[name]

    def move(self, moves: Sequence[tuple[bytes, bytes]]) -> None:
        self.moves |= dict(moves)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def ledger(folder: Path) -> Ledger:
    return Ledger(folder)


@pytest.fixture
def disposal(folder: Path, ledger: Ledger) -> Disposal:
    return Disposal(folder, DONE, REFUSED, ledger)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Path]:
    """A folder on another file system."""
    memory = Path("/dev/shm")
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs /dev/shm on another file system than the temporary folder")
    with tempfile.TemporaryDirectory(dir=memory) as path:
        yield Path(path)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Where a file goes


def test_rule_1_an_answered_file_keeps_its_subfolder(folder: Path, ledger: Ledger, disposal: Disposal) -> None:
    good, bad = put(folder / "ward" / "3" / "a.png", b"1"), put(folder / "bad.png", b"2")

    disposal.dispose(*ledger.answer(good))
    disposal.dispose(*ledger.answer(bad))

    assert files(folder) == {"done/ward/3/a.png": b"1", "refused/bad.png": b"2"}
    assert ledger.moves == {
        b"ward/3/a.png": os.fsencode(folder / "done/ward/3/a.png"),
        b"bad.png": os.fsencode(folder / "refused/bad.png"),
    }
    assert disposal.folders == (folder / "done", folder / "refused")


def test_rule_1_nothing_is_overwritten(folder: Path, ledger: Ledger, disposal: Disposal) -> None:
    for number in range(3):
        disposal.dispose(*ledger.answer(put(folder / "a.b.png", b"%d" % number)))
    disposal.dispose(*ledger.answer(put(folder / "noend", b"x")))
    disposal.dispose(*ledger.answer(put(folder / "noend", b"y")))

    assert files(folder / "done") == {
        "a.b.png": b"0",
        "a.b-2.png": b"1",
        "a.b-3.png": b"2",
        "noend": b"x",
        "noend-2": b"y",
    }


def test_rule_1_a_long_name_is_shortened_for_its_number(folder: Path, ledger: Ledger, disposal: Disposal) -> None:
    name = "n" * 251 + ".png"
    for number in range(2):
        disposal.dispose(*ledger.answer(put(folder / name, b"%d" % number)))

    assert files(folder / "done") == {name: b"0", "n" * 249 + "-2.png": b"1"}


def test_rule_1_a_name_in_any_encoding(folder: Path, ledger: Ledger, disposal: Disposal) -> None:
    path = put(Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.png")), b"x")

    disposal.dispose(*ledger.answer(path))

    assert ledger.moves == {b"caf\xe9.png": os.fsencode(folder) + b"/done/caf\xe9.png"}
    assert files(folder / "done") == {os.fsdecode(b"caf\xe9.png"): b"x"}


def test_rule_2_what_was_never_read_stays(folder: Path, ledger: Ledger, disposal: Disposal) -> None:
    put(folder / "large.png", b"x")
    (folder / "link.png").symlink_to(folder / "large.png")
    os.mkfifo(folder / "pipe.png")

    disposal.dispose(*ledger.answer(folder / "large.png", unread=True))
    for name in ("link.png", "pipe.png"):
        ledger.answered[name.encode()] = "0" * 64
        disposal.dispose(name.encode(), FileState.of((folder / name).lstat()))

    assert sorted(path.name for path in folder.iterdir()) == ["done", "large.png", "link.png", "pipe.png", "refused"]


@pytest.mark.parametrize("change", ["content", "inode", "link", "nothing there", "not answered"])
def test_rule_3_only_what_was_answered_is_moved(folder: Path, ledger: Ledger, disposal: Disposal, change: str) -> None:
    path = put(folder / "a.png", b"x")
    name, state = ledger.answer(path)
    match change:
        case "content":
            put(path, b"another")
        case "inode":
            path.rename(folder / "kept")
            put(path, b"x")
            os.utime(path, ns=(state.mtime_ns, state.mtime_ns))
        case "link":
            path.rename(folder / "kept")
            path.symlink_to(folder / "kept")
        case "nothing there":
            path.unlink()
        case "not answered":
            ledger.answered.clear()

    disposal.dispose(name, state)

    assert files(folder / "done") == {}
    assert os.path.lexists(path) is (change != "nothing there")
    assert ledger.moves == {}


def test_rule_3_what_replaces_it_in_the_last_instant_is_put_back(
    folder: Path, ledger: Ledger, disposal: Disposal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = put(folder / "a.png", b"x"), put(folder / "b.png", b"another")
    rename = disposal_module._rename_without_replacing

    def replace_and_rename(source: int, name: bytes, target: int, new: bytes) -> int:
        if other.exists():
            other.replace(path)
        return rename(source, name, target, new)

    monkeypatch.setattr(disposal_module, "_rename_without_replacing", replace_and_rename)
    disposal.dispose(*ledger.answer(path))

    assert files(folder) == {"a.png": b"another"}
    assert ledger.moves == {}


def test_a_subfolder_of_the_target_that_is_a_link_is_not_followed(folder: Path, ledger: Ledger, tmp_path: Path) -> None:
    notes: list[str] = []
    disposal = Disposal(folder, DONE, REFUSED, ledger, note=notes.append)
    (tmp_path / "outside").mkdir()
    (folder / "done" / "ward").symlink_to(tmp_path / "outside")
    path = put(folder / "ward" / "a.png", b"x")

    disposal.dispose(*ledger.answer(path))

    assert path.exists()
    assert files(tmp_path / "outside") == {}
    assert notes == [
        f"ward/a.png cannot be moved to {folder}/done (Not a directory); it stays where it is and is tried again"
    ]


def test_rule_7_what_cannot_be_moved_stays_and_is_said_once() -> None:
    notes: list[str] = []
    with folder_of_nobody() as folder:
        ledger = Ledger(folder)
        disposal = Disposal(folder, DONE, REFUSED, ledger, note=notes.append)
        answered = ledger.answer(put(folder / "ward" / "a.png", b"x"))
        (folder / "ward").chmod(0o500)

        disposal.dispose(*answered)
        disposal.dispose(*answered)
        stayed = files(folder)
        (folder / "ward").chmod(0o700)
        disposal.dispose(*answered)

        assert stayed == {"ward/a.png": b"x"}
        assert files(folder) == {"done/ward/a.png": b"x"}
        assert notes == [
            f"ward/a.png cannot be moved to {folder}/done (Permission denied); it stays where it is and is tried again"
        ]


def test_a_journal_that_cannot_be_asked_just_now_moves_nothing(
    folder: Path, ledger: Ledger, disposal: Disposal
) -> None:
    answered = ledger.answer(put(folder / "a.png", b"x"))
    ledger.error = sqlite3.OperationalError("disk I/O error")

    disposal.dispose(*answered)

    assert files(folder) == {"a.png": b"x"}


def test_a_file_system_that_cannot_rename_without_replacing(
    folder: Path, ledger: Ledger, disposal: Disposal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disposal_module, "_rename_without_replacing", lambda *_: errno.EINVAL)

    for number in range(2):
        disposal.dispose(*ledger.answer(put(folder / "a.png", b"%d" % number)))

    assert files(folder) == {"done/a.png": b"0", "done/a-2.png": b"1"}


# Another file system


def test_rule_4_across_file_systems(folder: Path, ledger: Ledger, elsewhere: Path) -> None:
    disposal = Disposal(folder, elsewhere / "done", elsewhere / "refused", ledger)
    data = os.urandom(3 << 20)
    path = put(folder / "ward" / "a.png", data, age=1000)
    path.chmod(0o640)
    before = path.stat()

    disposal.dispose(*ledger.answer(path))

    moved = elsewhere / "done" / "ward" / "a.png"
    assert files(folder) == {}
    assert files(elsewhere) == {"done/ward/a.png": data}
    assert (moved.stat().st_mtime_ns, moved.stat().st_mode) == (before.st_mtime_ns, before.st_mode)
    assert ledger.moves == {b"ward/a.png": os.fsencode(moved)}


def test_rule_4_nothing_is_overwritten_across_file_systems(folder: Path, ledger: Ledger, elsewhere: Path) -> None:
    disposal = Disposal(folder, elsewhere / "done", elsewhere / "refused", ledger)
    for number in range(2):
        disposal.dispose(*ledger.answer(put(folder / "a.png", b"%d" % number)))

    assert files(elsewhere / "done") == {"a.png": b"0", "a-2.png": b"1"}


@pytest.mark.parametrize("without_noreplace", [False, True])
def test_rule_4_a_copy_that_is_not_true_costs_nothing(
    folder: Path, ledger: Ledger, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, without_noreplace: bool
) -> None:
    if without_noreplace:
        monkeypatch.setattr(disposal_module, "_rename_without_replacing", lambda *_: errno.EXDEV)
    disposal = Disposal(folder, elsewhere / "done", elsewhere / "refused", ledger)
    answered = ledger.answer(put(folder / "a.png", b"right"))
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, _data: write(handle, b"wrong"))

    disposal.dispose(*answered)

    assert files(folder) == {"a.png": b"right"}
    assert files(elsewhere) == {}


def test_rule_4_a_full_disk_costs_nothing(
    folder: Path, ledger: Ledger, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    disposal = Disposal(folder, elsewhere / "done", elsewhere / "refused", ledger, note=notes.append)
    answered = ledger.answer(put(folder / "a.png", b"right"))

    def full(_handle: int, _data: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    disposal.dispose(*answered)

    assert files(folder) == {"a.png": b"right"}
    assert files(elsewhere) == {}
    assert "No space left on device" in notes[0]


def test_rule_4_a_file_that_is_written_to_meanwhile_is_kept(
    folder: Path, ledger: Ledger, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disposal = Disposal(folder, elsewhere / "done", elsewhere / "refused", ledger)
    path = put(folder / "a.png", b"right")
    answered = ledger.answer(path)
    sync = beneath.sync

    def sync_and_write(handle: int) -> None:
        sync(handle)
        with path.open("ab") as file:
            file.write(b" and more")

    monkeypatch.setattr(beneath, "sync", sync_and_write)
    disposal.dispose(*answered)

    assert files(folder) == {"a.png": b"right and more"}


# A crash in every gap


class Killed(BaseException):
    """What SIGKILL does: nothing is tidied up."""


class Kill:
    """Ends the program before one of its calls to the system, and each after it."""

    CALLS = ("mkdir", "open", "write", "fchmod", "utime", "fsync", "unlink", "rename", "stat", "close")

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls, self.at = 0, -1
        for name in self.CALLS:
            monkeypatch.setattr(os, name, self._counted(getattr(os, name)))
        rename = disposal_module._rename_without_replacing
        monkeypatch.setattr(disposal_module, "_rename_without_replacing", self._counted(rename))

    def _counted(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*arguments: object, **options: object) -> object:
            if self.at >= 0:
                self.calls += 1
                if self.calls > self.at:
                    raise Killed
            return function(*arguments, **options)

        return call

    def before_call(self, number: int, function: Callable[[], None]) -> bool:
        """Whether it was killed."""
        self.calls, self.at = 0, number
        try:
            function()
        except Killed:
            return True
        finally:
            self.at = -1
        return False


@pytest.mark.parametrize("across", [False, True])
def test_rules_4_and_5_a_kill_in_every_gap(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, across: bool
) -> None:
    place = request.getfixturevalue("elsewhere") if across else tmp_path
    kill, data, number, was_killed = Kill(monkeypatch), b"radiograph" * 1000, 0, True

    while was_killed:
        folder, done = tmp_path / f"in-{number}", place / f"done-{number}"
        put(folder / "ward" / "a.png", data)
        ledger = Ledger(folder)
        answered = ledger.answer(folder / "ward" / "a.png")
        disposal = Disposal(folder, done, done, ledger)
        was_killed = kill.before_call(number, lambda: disposal.dispose(*answered))  # noqa: B023

        after_kill = [*files(folder).values(), *files(done).values()]
        Disposal(folder, done, done, ledger).dispose(*answered)

        assert data in after_kill
        assert files(folder) == {}
        assert files(done) == {"ward/a.png": data}
        number += 1

    assert number > 10


# At the start


def test_a_folder_that_must_not_be_written_to_is_refused() -> None:
    with folder_of_nobody() as folder:
        (folder / "in").mkdir()
        (folder / "in").chmod(0o500)

        with pytest.raises(UsageError, match=r"cannot be moved to .*done \(Permission denied\); let this user write"):
            Disposal(folder / "in", DONE, REFUSED, Ledger(folder))
        with pytest.raises(UsageError, match=r"cannot be moved out of .*in, which this user may not write to"):
            Disposal(folder / "in", folder / "done", folder / "refused", Ledger(folder))


@pytest.mark.parametrize("place", ["..", ".", ""])
def test_files_cannot_be_moved_to_where_they_are_taken_from(folder: Path, ledger: Ledger, place: str) -> None:
    with pytest.raises(UsageError, match="which is watched itself; name another folder"):
        Disposal(folder, Path(place), REFUSED, ledger)


def test_what_a_power_cut_left_of_a_copy_is_cleared(folder: Path, ledger: Ledger) -> None:
    put(folder / "done" / ".edge-pneumo-unfinished", b"half")

    Disposal(folder, DONE, REFUSED, ledger)

    assert files(folder) == {}


# With the watcher


@pytest.fixture(scope="module")
def classifier(default_bundle: Path) -> Classifier:
    opened = bundle.read(default_bundle)
    return Classifier(opened, open_engine(opened, 1))


class Listener:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.heard: list[Finding] = []

    def accept(self, finding: Finding) -> None:
        self.heard.append(finding)


def drain(folder: Path, results: Path, classifier: Classifier, done: Path = DONE) -> list[str]:
    """The sources that a watcher answers for until the folder is drained."""
    listener = Listener()
    watch(
        folder, results, classifier, once=True, settle=0.0, sinks=[listener], moved_to=(done, REFUSED),
        stop=threading.Event(),
    )  # fmt: skip
    return sorted(finding.source for finding in listener.heard)


def places(results: Path) -> dict[str, str]:
    database = sqlite3.connect(results / JOURNAL)
    rows = database.execute("SELECT CAST(name AS TEXT), CAST(place AS TEXT) FROM answers WHERE state = 'moved'")
    found = dict(rows.fetchall())
    database.close()
    return found


def test_a_watcher_moves_what_it_has_answered(folder: Path, tmp_path: Path, classifier: Classifier) -> None:
    put(folder / "normal.png", NORMAL)
    put(folder / "ward" / "pneumonia.png", PNEUMONIA)
    put(folder / "notes.txt", b"no picture")
    (folder / "link.png").symlink_to(folder / "normal.png")

    first = drain(folder, tmp_path / "out", classifier)
    second = drain(folder, tmp_path / "out", classifier)

    assert first == ["link.png", "normal.png", "notes.txt", "ward/pneumonia.png"]
    assert second == []
    assert sorted(files(folder)) == ["done/normal.png", "done/ward/pneumonia.png", "refused/notes.txt"]
    assert (folder / "link.png").is_symlink()
    assert places(tmp_path / "out") == {
        "normal.png": f"{folder}/done/normal.png",
        "ward/pneumonia.png": f"{folder}/done/ward/pneumonia.png",
        "notes.txt": f"{folder}/refused/notes.txt",
    }


def test_the_same_file_delivered_again_is_moved_again_and_not_answered(
    folder: Path, tmp_path: Path, classifier: Classifier
) -> None:
    put(folder / "a.png", NORMAL)
    drain(folder, tmp_path / "out", classifier)
    put(folder / "a.png", NORMAL)

    assert drain(folder, tmp_path / "out", classifier) == []
    assert sorted(files(folder)) == ["done/a-2.png", "done/a.png"]


def test_a_crash_between_the_answer_and_the_move_is_made_good(
    folder: Path, tmp_path: Path, classifier: Classifier
) -> None:
    put(folder / "a.png", NORMAL)
    watch(folder, tmp_path / "out", classifier, once=True, settle=0.0)  # answered, and left there

    assert drain(folder, tmp_path / "out", classifier) == []

    assert sorted(files(folder)) == ["done/a.png"]
    assert places(tmp_path / "out") == {"a.png": f"{folder}/done/a.png"}


def test_the_journal_tells_what_became_of_a_file_only_as_it_lies_there(tmp_path: Path, classifier: Classifier) -> None:
    path = put(tmp_path / "in" / "a.png", NORMAL)
    watch(tmp_path / "in", tmp_path / "out", classifier, once=True, settle=0.0)
    state = FileState.of(path.stat())

    journal = Journal(tmp_path / "out" / JOURNAL)
    known = journal.verdict(b"a.png", state)
    put(path, PNEUMONIA)
    unknown = journal.verdict(b"a.png", FileState.of(path.stat()))
    journal.close()

    assert known == ("classified", hashlib.sha256(NORMAL).hexdigest())
    assert unknown is None
