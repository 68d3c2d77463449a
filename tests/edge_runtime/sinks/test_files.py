import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from edge_runtime.answer import Answered
from edge_runtime.errors import UsageError
from edge_runtime.finding import from_json, to_json
from edge_runtime.sinks.files import ResultsFolder
from edge_runtime.sinks.staged import Staged
from edge_runtime.sinks.unfinished import Unfinished, UnfinishedFiles
from tests.edge_runtime.findings import answered, classified, rejected
from tests.edge_runtime.nobody import folder_of_nobody


@pytest.fixture
def results(tmp_path: Path) -> Iterator[ResultsFolder]:
    with ResultsFolder(tmp_path / "results") as results:
        yield results


def unknown(_file: bytes) -> bool:
    return False


def files(results: ResultsFolder) -> list[str]:
    return sorted(str(p.relative_to(results.folder)) for p in results.folder.rglob("*") if p.is_file())


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk, so to say, that has room for the start of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_writes_the_finding_and_its_heat_map_beside_it(results: ResultsFolder) -> None:
    file, finding = results.write(b"sub/a.png", answered(classified("sub/a.png")))

    assert file == b"sub/a.png.json"
    assert files(results) == [".lock", "sub/a.png.heatmap.png", "sub/a.png.json"]
    assert finding == msgspec.structs.replace(classified("sub/a.png"), heatmap="sub/a.png.heatmap.png")
    assert from_json((results.folder / "sub/a.png.json").read_bytes()) == finding
    picture = cv2.imdecode(np.frombuffer((results.folder / "sub/a.png.heatmap.png").read_bytes(), np.uint8), 1)
    assert picture is not None


def test_the_finding_is_for_people_too(results: ResultsFolder) -> None:
    results.write("ü.png".encode(), answered(rejected("ü.png")))

    text = (results.folder / "ü.png.json").read_text(encoding="utf-8")

    assert '\n  "source": "ü.png",\n' in text
    assert text.endswith("}\n")


def test_no_heat_map_of_what_was_rejected_or_where_none_are_wanted(results: ResultsFolder, tmp_path: Path) -> None:
    results.write(b"a.png", answered(rejected("a.png")))
    with ResultsFolder(tmp_path / "other", heatmaps=False) as other:
        _, finding = other.write(b"b.png", answered(classified("b.png")))

        assert files(results) == [".lock", "a.png.json"]
        assert files(other) == [".lock", "b.png.json"]
    assert finding.heatmap is None


def test_another_content_gets_a_name_of_its_own(results: ResultsFolder) -> None:
    contents = [character * 64 for character in "abb"]
    written = [results.write(b"a.png", answered(classified(sha256=sha256)))[0] for sha256 in contents]
    unread = [results.write(b"a.png", answered(rejected(sha256=None)))[0] for _ in range(2)]

    assert written == [b"a.png.json", b"a.png.bbbbbbbb.json", b"a.png.bbbbbbbb-2.json"]
    assert unread == [b"a.png.unread.json", b"a.png.unread-2.json"]
    first = from_json((results.folder / "a.png.json").read_bytes())
    assert first.sha256 == "a" * 64
    assert first.heatmap == "a.png.heatmap.png"
    second = from_json((results.folder / "a.png.bbbbbbbb.json").read_bytes())
    assert second.heatmap == "a.png.bbbbbbbb.heatmap.png"


@pytest.mark.parametrize("name", [b"n" * 251 + b".png", b"clash.json/a.png", b"journal.sqlite/a.png", b"caf\xe9.png"])
def test_impossible_names_are_replaced_and_odd_ones_kept(results: ResultsFolder, name: bytes) -> None:
    (results.folder / "journal.sqlite").touch()
    results.write(b"clash", answered(classified("clash")))

    file, finding = results.write(name, answered(classified("it")))

    assert (file == name + b".json") is (name == b"caf\xe9.png")
    assert from_json((results.folder / os.fsdecode(file)).read_bytes()).source == "it"
    assert finding.heatmap is not None
    assert results.find(name, "it", classified().sha256, unknown) == (file, finding)


def test_a_finding_where_a_folder_has_its_name(results: ResultsFolder) -> None:
    results.write(b"a.png.json/b.png", answered(classified("b")))

    file, _ = results.write(b"a.png", answered(classified("a", "c" * 64)))

    assert file == b"a.png.cccccccc.json"


def test_finds_what_a_crash_left_over(results: ResultsFolder) -> None:
    results.write(b"a.png", answered(classified(sha256="a" * 64)))
    file, finding = results.write(b"a.png", answered(classified(sha256="b" * 64)))

    assert results.find(b"a.png", "a.png", "b" * 64, unknown) == (file, finding)
    assert results.find(b"a.png", "a.png", "c" * 64, unknown) is None
    assert results.find(b"a.png", "another.png", "b" * 64, unknown) is None
    assert results.find(b"b.png", "a.png", "b" * 64, unknown) is None
    assert results.find(b"a.png", "a.png", "b" * 64, lambda known: known == file) is None


def test_takes_over_what_an_earlier_version_left(results: ResultsFolder) -> None:
    finding = to_json(classified(sha256="b" * 64))
    later = ("operating_point", "threshold", "confidence", "distance", "notes")
    old = {key: value for key, value in msgspec.json.decode(finding).items() if key not in later}
    (results.folder / "a.png.json").write_bytes(msgspec.json.encode(old))

    found = results.find(b"a.png", "a.png", "b" * 64, unknown)

    assert found is not None
    assert (found[1].label, found[1].operating_point, found[1].notes) == ("PNEUMONIA", None, ())


def test_finds_it_though_the_first_finding_was_taken_away(results: ResultsFolder) -> None:
    results.write(b"a.png", answered(classified(sha256="a" * 64)))
    left = results.write(b"a.png", answered(classified(sha256="b" * 64)))
    (results.folder / "a.png.json").unlink()

    assert results.find(b"a.png", "a.png", "b" * 64, unknown) == left


def test_what_is_no_finding_is_neither_taken_over_nor_overwritten(results: ResultsFolder) -> None:
    (results.folder / "a.png.json").write_text("my notes")

    assert results.find(b"a.png", "a.png", "1" * 64, unknown) is None
    file, _ = results.write(b"a.png", answered(classified()))

    assert file == b"a.png.11111111.json"
    assert (results.folder / "a.png.json").read_text() == "my notes"


@pytest.mark.parametrize("size", [100, 2000])
def test_a_full_disk_leaves_nothing_half_written(results: ResultsFolder, size: int) -> None:
    with files_of_at_most(size), pytest.raises(OSError, match="File too large"):
        results.write(b"sub/a.png", answered(classified()))

    assert files(results) == [".lock"]


def test_what_a_power_cut_left_half_written_is_written_over(results: ResultsFolder) -> None:
    (results.folder / ".unfinished").write_bytes(b"{half" * 1000)

    results.write(b"a.png", answered(rejected()))

    assert files(results) == [".lock", "a.png.json"]
    assert from_json((results.folder / "a.png.json").read_bytes()) == rejected()


def test_what_a_power_cut_left_is_taken_away_at_the_next_start(tmp_path: Path) -> None:
    with ResultsFolder(tmp_path / "out") as earlier:
        staged = earlier.stage(b"a.png", answered(classified()))
    assert all(part.file is not None and os.path.exists(part.file.path) for part in staged.parts())  # noqa: PTH110

    with ResultsFolder(tmp_path / "out") as results:
        assert files(results) == [".lock"]


def test_what_is_staged_is_not_seen_before_it_is_published(results: ResultsFolder) -> None:
    staged = [results.stage(name, answered(classified(os.fsdecode(name)))) for name in (b"a.png", b"sub/b.png")]
    before = [path for path in files(results) if not path.startswith(".")]

    results.publish([staged[1]])
    results.publish([staged[0]])

    assert before == []
    assert files(results) == [
        ".lock",
        "a.png.heatmap.png",
        "a.png.json",
        "sub/b.png.heatmap.png",
        "sub/b.png.json",
    ]


def test_what_is_given_up_leaves_nothing(results: ResultsFolder) -> None:
    kept = results.stage(b"a.png", answered(classified("a")))
    results.discard(results.stage(b"b.png", answered(classified("b"))))
    results.discard(results.stage(b"c.png", answered(classified("c"))))

    results.publish([kept])

    assert files(results) == [".lock", "a.png.heatmap.png", "a.png.json"]


def test_a_name_that_was_taken_in_the_meantime_is_not_overwritten(results: ResultsFolder) -> None:
    staged = results.stage(b"a.png", answered(classified()))
    (results.folder / "a.png.json").write_text("my notes")

    results.publish([staged])

    assert staged.file == b"a.png.11111111.json"
    assert staged.finding.heatmap == "a.png.11111111.heatmap.png"
    assert from_json((results.folder / os.fsdecode(staged.file)).read_bytes()) == staged.finding
    assert (results.folder / "a.png.json").read_text() == "my notes"
    assert files(results) == [".lock", "a.png.11111111.heatmap.png", "a.png.11111111.json", "a.png.json"]


def test_one_at_a_time(results: ResultsFolder, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"another edge-pneumo writes its findings to .*; stop it, or name another"):
        ResultsFolder(results.folder)
    with ResultsFolder(tmp_path / "other"):
        pass
    with ResultsFolder(tmp_path / "other"):  # free again
        pass


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"findings cannot be written to .*/file \(Not a directory\)"):
        ResultsFolder(tmp_path / "file")
    with pytest.raises(UsageError, match=r"Not a directory|File exists"):
        ResultsFolder(tmp_path / "file" / "below")
    with folder_of_nobody() as folder:
        folder.chmod(0o500)
        with pytest.raises(UsageError, match="Permission denied"):
            ResultsFolder(folder / "results")
        with pytest.raises(UsageError, match="Permission denied"):
            ResultsFolder(folder)


# Groups


class Recorder(UnfinishedFiles):
    """Notes what is asked of the disk, and refuses one of it."""

    def __init__(self, folder: Path, refused: int | None = None, error: int = errno.ENOSPC) -> None:
        super().__init__(folder)
        self.calls: list[str] = []
        self._refused, self._error = refused, error

    def _note(self, call: str) -> None:
        self.calls.append(call)
        if len(self.calls) - 1 == self._refused:
            raise OSError(self._error, os.strerror(self._error))

    def write(self, data: bytes) -> Unfinished:
        self._note("write")
        return super().write(data)

    def force(self, file: Unfinished) -> None:
        self._note("force")
        super().force(file)

    def finish(self, file: Unfinished, name: bytes) -> None:
        self._note(f"name {os.path.basename(os.fsdecode(name))}")  # noqa: PTH119
        super().finish(file, name)

    def force_names(self, folder: bytes) -> None:
        self._note("force names")
        super().force_names(folder)


def stage_three(results: ResultsFolder) -> list[Staged]:
    return [
        results.stage(f"{name}.png".encode(), Answered(classified(f"{name}.png"), None, None, heatmap=b"png"))
        for name in "abc"
    ]


def test_a_group_is_forced_together_and_heat_maps_are_on_the_disk_before_findings(tmp_path: Path) -> None:
    made: list[Recorder] = []

    def recorder(folder: Path) -> UnfinishedFiles:
        made.append(Recorder(folder))
        return made[0]

    with ResultsFolder(tmp_path, unfinished=recorder) as results:
        staged = stage_three(results)
        made[0].calls.clear()
        results.publish(staged)

    assert made[0].calls == [
        *["force"] * 6,
        *(f"name {name}.png.heatmap.png" for name in "abc"),
        "force names",
        *(f"name {name}.png.json" for name in "abc"),
        "force names",
    ]


# 6 files written, 6 forced, 3 heat maps named and forced, 3 findings named and forced
@pytest.mark.parametrize("refused", range(20))
@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_whatever_the_disk_refuses_is_made_good_later(tmp_path: Path, refused: int, error: int) -> None:
    with ResultsFolder(tmp_path, unfinished=lambda folder: Recorder(folder, refused, error)) as results:
        staged = stage_three(results)
        for _ in range(2):
            try:
                results.publish(staged)
                break
            except OSError:
                seen = [path for path in files(results) if path != ".lock"]
                assert all(path.endswith((".json", ".heatmap.png")) for path in seen)
                assert all(from_json((tmp_path / path).read_bytes()) for path in seen if path.endswith(".json"))

        expected = [f"{name}.png{kind}" for name in "abc" for kind in (".heatmap.png", ".json")]
        assert files(results) == [".lock", *expected]
        assert [from_json((tmp_path / os.fsdecode(one.file)).read_bytes()) for one in staged] == [
            one.finding for one in staged
        ]


def test_two_of_a_group_that_want_the_same_name_both_get_one(results: ResultsFolder) -> None:
    staged = [results.stage(b"a.png", answered(classified(sha256=sha256))) for sha256 in ("a" * 64, "b" * 64)]

    results.publish(staged)

    assert [one.file for one in staged] == [b"a.png.json", b"a.png.bbbbbbbb.json"]
    assert [from_json((results.folder / os.fsdecode(one.file)).read_bytes()).sha256 for one in staged] == [
        "a" * 64,
        "b" * 64,
    ]


def test_one_of_a_group_whose_name_is_impossible_does_not_hinder_the_others(results: ResultsFolder) -> None:
    staged = stage_three(results)
    (results.folder / "b.png.heatmap.png").mkdir()

    results.publish(staged)

    assert [one.file.partition(b"/")[0] for one in staged] == [b"a.png.json", b"renamed", b"c.png.json"]
    assert from_json((results.folder / os.fsdecode(staged[1].file)).read_bytes()).heatmap is not None


def test_a_heat_map_that_is_there_already_is_written_as_it_is(results: ResultsFolder) -> None:
    copy = Answered(classified("copy.png"), None, None, heatmap=b"png", same_as=1)

    file, finding = results.write(b"copy.png", copy)

    assert finding.heatmap == "copy.png.heatmap.png"
    assert (results.folder / "copy.png.heatmap.png").read_bytes() == b"png"
    assert results.answered(file) == (finding, b"png")
    (results.folder / "copy.png.heatmap.png").unlink()
    assert results.answered(file) is None
    results.heatmaps = False
    assert results.answered(file) == (finding, None)
    assert results.answered(b"nothing.json") is None
