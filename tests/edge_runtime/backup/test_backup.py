import os
import shutil
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_runtime import inside
from edge_runtime.backup.copy import Backup, back_up
from edge_runtime.backup.target import ArchiveTarget, FolderTarget
from edge_runtime.cli import main
from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.finding import NOTICE
from edge_runtime.locate import JOURNAL
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from tests.edge_runtime.findings import classified
from tests.edge_runtime.journals import Filler, writing
from tests.edge_runtime.nobody import folder_of_nobody
from tests.edge_runtime.watch.test_watch import drain, findings, watching

SAMPLES = sorted((Path(__file__).parents[3] / "samples").glob("*.png"))
ODD = b"caf\xe9\n\\/a b.png"


@pytest.fixture
def filler(tmp_path: Path) -> Iterator[Filler]:
    filler = Filler(tmp_path / "out", files=True)
    for name in (b"a.png", b"ward/b.png", ODD):
        filler.answer(classified(), name=name)
    yield filler
    filler.close()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick" / "monday"


def contents(folder: Path) -> dict[str, bytes]:
    left_out = (JOURNAL, "SHA256SUMS", ".")
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(left_out)
    }


def rows(journal: Path) -> list[Any]:
    database = sqlite3.connect(f"file:{journal}?immutable=1", uri=True)
    found = database.execute("SELECT * FROM answers").fetchall()
    database.close()
    return found


# What is copied


def test_photographs_are_copied_with_their_findings(filler: Filler, target: Path) -> None:
    (filler.results / "a.png.photograph.jpg").write_bytes(b"of the whole light box")

    done = back_up(filler.results, target)

    assert (target / "a.png.photograph.jpg").read_bytes() == b"of the whole light box"
    assert (done.findings, done.heatmaps, done.photographs) == (3, 3, 1)


def test_everything_is_copied_while_it_is_being_written(filler: Filler, target: Path) -> None:
    done = back_up(filler.results, target)

    assert contents(target) == contents(filler.results)
    assert len(contents(target)) == 6
    assert [row[1] for row in rows(target / JOURNAL)] == [b"a.png", b"ward/b.png", ODD]
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    assert done == Backup(answers=3, findings=3, heatmaps=3, size=size)
    assert sorted(path.name for path in target.parent.iterdir()) == ["monday"]
    assert sorted(path.name for path in target.iterdir() if path.is_file()) == [
        "SHA256SUMS", "a.png.heatmap.png", "a.png.json", JOURNAL,
    ]  # fmt: skip


def test_what_another_process_has_only_in_its_log_is_copied(tmp_path: Path, target: Path) -> None:
    with writing(tmp_path / "out", 5):
        assert back_up(tmp_path / "out", target).answers == 5

    assert len(rows(target / JOURNAL)) == 5


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="needs sha256sum")
def test_the_sums_are_those_of_sha256sum(filler: Filler, target: Path) -> None:
    back_up(filler.results, target)

    checked = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=target, capture_output=True, check=True)

    assert len(checked.stdout.splitlines()) == 7


@pytest.mark.parametrize("suffix", [".tar", ".tar.gz", ".tgz"])
@pytest.mark.skipif(shutil.which("tar") is None, reason="needs tar")
def test_an_archive_holds_the_same(filler: Filler, target: Path, tmp_path: Path, suffix: str) -> None:
    archive = target.with_name(f"monday{suffix}")
    restored = tmp_path / "restored"
    restored.mkdir()

    done = back_up(filler.results, archive)
    subprocess.run(["tar", "-xf", archive, "-C", restored], check=True)

    assert contents(restored) == contents(filler.results)
    assert len(rows(restored / JOURNAL)) == done.answers == 3
    assert sorted(path.name for path in target.parent.iterdir()) == [archive.name]
    assert (archive.read_bytes()[:2] == b"\x1f\x8b") == (suffix != ".tar")


def test_times_and_permissions_are_kept(filler: Filler, target: Path) -> None:
    for path in (filler.results / "a.png.json", filler.results / JOURNAL):
        path.chmod(0o640)
    filler.results.chmod(0o750)
    os.utime(filler.results / "a.png.json", ns=(10**18, 10**18))

    back_up(filler.results, target)

    modes = {path.name: path.stat().st_mode & 0o777 for path in (target, *target.iterdir())}
    assert [modes[name] for name in ("monday", "a.png.json", JOURNAL, "SHA256SUMS")] == [0o750, 0o640, 0o640, 0o640]
    assert (target / "a.png.json").stat().st_mtime_ns == 10**18


def test_only_what_is_complete_and_ours_is_copied(filler: Filler, target: Path, tmp_path: Path) -> None:
    for name in (".lock", ".unfinished", ".hidden.json", "notes.txt"):
        (filler.results / name).write_bytes(b"x")
    (tmp_path / "secret.json").write_bytes(b"secret")
    (filler.results / "link.json").symlink_to(tmp_path / "secret.json")
    (filler.results / "linked").symlink_to(tmp_path)
    os.mkfifo(filler.results / "pipe.json")

    assert back_up(filler.results, target).findings == 3


def test_what_goes_in_the_meantime_is_no_error(filler: Filler, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_file(root: int, name: bytes) -> int:
        (filler.results / "a.png.json").unlink(missing_ok=True)
        return opened(root, name)

    opened = inside.open_file
    monkeypatch.setattr(inside, "open_file", open_file)

    assert back_up(filler.results, target).findings == 2


def test_a_heat_map_that_comes_with_its_finding_is_copied_too(
    filler: Filler, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(self: FolderTarget, name: bytes, handle: int) -> str:
        if name == JOURNAL.encode():
            filler.answer(name=b"zz.png")
        return added(self, name, handle)

    added = FolderTarget.add
    monkeypatch.setattr(FolderTarget, "add", add)

    done = back_up(filler.results, target)

    assert (done.answers, done.findings, done.heatmaps) == (3, 4, 4)


# What is refused, what fails


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link to nowhere"])
@pytest.mark.parametrize("name", ["monday", "monday.tar"])
def test_nothing_is_overwritten(filler: Filler, target: Path, kind: str, name: str) -> None:
    target = target.with_name(name)
    if kind == "file":
        target.write_bytes(b"mine")
    elif kind == "link to nowhere":
        target.symlink_to("nowhere")
    else:
        target.mkdir()
    if kind == "folder":
        (target / "mine").write_bytes(b"mine")

    with pytest.raises(UsageError, match="exists already; nothing is overwritten"):
        back_up(filler.results, target)

    assert sorted(path.name for path in target.parent.rglob("*")) == sorted([name, *(["mine"] * (kind == "folder"))])


@pytest.mark.parametrize("name", ["monday", "monday.tar"])
def test_what_comes_to_be_in_the_meantime_is_not_overwritten(
    filler: Filler, target: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target = target.with_name(name)

    def finish(self: FolderTarget | ArchiveTarget) -> None:
        target.write_bytes(b"mine")
        finishes[type(self)](self)

    finishes: dict[type, Callable[..., None]] = {kind: kind.finish for kind in (FolderTarget, ArchiveTarget)}
    for kind in finishes:
        monkeypatch.setattr(kind, "finish", finish)

    with pytest.raises(UsageError, match="exists already"):
        back_up(filler.results, target)

    assert [path.read_bytes() for path in target.parent.iterdir()] == [b"mine"]


@pytest.mark.parametrize("place", ["out/copy", "out/ward/copy.tar"])
def test_a_copy_in_itself_is_refused(filler: Filler, tmp_path: Path, place: str) -> None:
    with pytest.raises(UsageError, match="lies in the results"):
        back_up(filler.results, tmp_path / place)


def test_where_nothing_was_answered_there_is_nothing_to_copy(
    tmp_path: Path, target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()

    assert main(["backup", str(target), str(tmp_path / "in")]) == 2

    assert "there is no journal" in capsys.readouterr().err
    assert not target.exists()


def test_a_place_that_is_not_there_or_not_writable_is_refused(filler: Filler, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot be made .*; name another place"):
        back_up(filler.results, tmp_path / "no" / "copy")
    with folder_of_nobody() as folder:
        (folder / "results").mkdir()
        sqlite3.connect(folder / "results" / JOURNAL).close()
        folder.chmod(0o500)

        with pytest.raises(UsageError, match="cannot be made"):
            back_up(folder / "results", folder / "copy")


@pytest.mark.parametrize("name", ["monday", "monday.tar", "monday.tar.gz"])
def test_what_reads_otherwise_than_it_was_written_is_told(
    filler: Filler, target: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    target = target.with_name(name)

    def spoil(self: FolderTarget | ArchiveTarget) -> None:
        if isinstance(self, ArchiveTarget):
            self._tar.close()
            data = bytearray(self.path.read_bytes())
            data[len(data) // 2] ^= 1
            self.path.write_bytes(data)
        else:
            (self.path / "a.png.json").write_bytes(b"{}")
        finishes[type(self)](self)

    finishes: dict[type, Callable[..., None]] = {kind: kind.finish for kind in (FolderTarget, ArchiveTarget)}
    for kind in finishes:
        monkeypatch.setattr(kind, "finish", spoil)

    with pytest.raises(EdgePneumoError, match="nothing is left of it"):
        back_up(filler.results, target)

    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["monday", "monday.tar"])
@pytest.mark.parametrize("count", [0, 3])
def test_a_full_disk_leaves_nothing(
    filler: Filler, target: Path, monkeypatch: pytest.MonkeyPatch, name: str, count: int
) -> None:
    target = target.with_name(name)
    calls = iter(range(count))

    def add(self: FolderTarget | ArchiveTarget, file: bytes, handle: int) -> str:
        if next(calls, None) is None:
            raise OSError(28, "No space left on device")
        return adds[type(self)](self, file, handle)

    adds: dict[type, Callable[..., str]] = {kind: kind.add for kind in (FolderTarget, ArchiveTarget)}
    for kind in adds:
        monkeypatch.setattr(kind, "add", add)

    with pytest.raises(EdgePneumoError, match="No space left on device"):
        back_up(filler.results, target)

    assert list(target.parent.iterdir()) == []


def test_a_damaged_journal_is_not_copied(filler: Filler, target: Path) -> None:
    for number in range(300):
        filler.answer(name=b"%d.png" % number)
    filler.close()
    data = bytearray((filler.results / JOURNAL).read_bytes())
    data[8192:20480] = b"\x5a" * (20480 - 8192)
    (filler.results / JOURNAL).write_bytes(data)

    with pytest.raises(EdgePneumoError, match="is damaged"):
        back_up(filler.results, target)

    assert list(target.parent.iterdir()) == []


# The command, and going on with a copy


def test_it_says_what_was_copied(filler: Filler, target: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", str(target), str(filler.results)]) == 0

    first, *lines, notice = capsys.readouterr().out.splitlines()
    assert first == f"{filler.results} has been copied to {target}"
    assert [line.split()[:-1] for line in lines[:1]] == [["journal", "3", "answers,"]]
    assert [line.split() for line in lines[1:3]] == [["findings", "3"], ["heat", "maps", "3"]]
    assert notice == NOTICE


def test_memory_does_not_grow_with_the_archive(filler: Filler, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    added = ArchiveTarget.add

    def add(self: ArchiveTarget, name: bytes, handle: int) -> str:
        digest = added(self, name, handle)
        counts.append(len(self._tar.members))  # type: ignore[attr-defined]
        return digest

    monkeypatch.setattr(ArchiveTarget, "add", add)

    back_up(filler.results, target.with_name("a.tar"))

    assert counts == [0] * 8


@pytest.fixture(scope="module")
def classifier(default_bundle: Path) -> Classifier:
    opened = bundle.read(default_bundle)
    return Classifier(opened, open_engine(opened, 1))


def incoming(tmp_path: Path, count: int) -> tuple[Path, Path]:
    """A folder with radiographs in it, and the place for the results."""
    folder = tmp_path / "in"
    folder.mkdir()
    for sample in SAMPLES[:count]:
        shutil.copy(sample, folder)
    return folder, tmp_path / "results"


@pytest.mark.parametrize("kind", ["folder", "archive"])
def test_a_watcher_goes_on_with_a_restored_copy_and_answers_nothing_twice(
    tmp_path: Path, target: Path, classifier: Classifier, kind: str
) -> None:
    folder, results = incoming(tmp_path, 4)
    restored = tmp_path / "restored"
    target = target.with_name("copy.tar") if kind == "archive" else target
    with watching(folder, results, classifier) as listener:
        listener.wait_for(4)
        back_up(results, target)  # while it runs
        shutil.copy(SAMPLES[4], folder)
        listener.wait_for(5)

    if kind == "archive":
        with tarfile.open(target) as archive:
            archive.extractall(restored, filter="data")
    else:
        shutil.copytree(target, restored)
    heard = drain(folder, restored, classifier)

    assert [finding.source for finding in heard] == [SAMPLES[4].name]
    assert sorted(finding.source for finding in findings(restored)) == [sample.name for sample in SAMPLES[:5]]
    assert drain(folder, restored, classifier) == []


def test_a_copy_with_newer_findings_has_them_taken_over(tmp_path: Path, target: Path, classifier: Classifier) -> None:
    folder, results = incoming(tmp_path, 1)
    drain(folder, results, classifier)
    back_up(results, target)
    shutil.copy(SAMPLES[1], folder)
    (new,) = drain(folder, results, classifier)
    for path in results.glob(f"{SAMPLES[1].name}.*"):  # as if it had appeared between journal and findings
        shutil.copy2(path, target / path.name)

    heard = drain(folder, target, classifier)

    assert heard == [new]
    assert len(findings(target)) == 2
