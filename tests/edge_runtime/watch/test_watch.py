import argparse
import contextlib
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from edge_runtime.answer import answer
from edge_runtime.cli import main
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.errors import EdgePneumoError, EngineError, UsageError
from edge_runtime.finding import NOTICE, Finding, Model, from_json
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import Journal
from edge_runtime.locate import default_results
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.radiograph.decode import decode as decode_really
from edge_runtime.radiograph.reduce import Sides
from edge_runtime.sinks.files import JOURNAL, ResultsFolder
from edge_runtime.status.command import look
from edge_runtime.watch.answering import watch
from edge_runtime.watch.command import add_arguments, run
from edge_runtime.watch.insist import Backoff
from tests.edge_runtime.nobody import folder_of_nobody
from tests.edge_runtime.pictures import BRIGHT, DARK, picture, put

DEADLINE = 60.0
SETTLE = 0.05


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    opened = bundle.read(tiny_bundle)
    return Classifier(opened, open_engine(opened, 1))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "out"


class Listener:
    """A sink that remembers, and may do something at an answer."""

    def __init__(self, on_answer: Callable[[int], None] = lambda _: None) -> None:
        self.heard: list[Finding] = []
        self._changed = threading.Condition()
        self._on_answer = on_answer

    def accept(self, finding: Finding) -> None:
        with self._changed:
            self.heard.append(finding)
            self._changed.notify_all()
        self._on_answer(len(self.heard))

    def wait_for(self, count: int) -> list[Finding]:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.heard) >= count, DEADLINE), self.heard
            return list(self.heard)


@contextmanager
def watching(folder: Path, results: Path, classifier: Classifier, *, rescan: float = 60.0) -> Iterator[Listener]:
    """A watcher in a thread."""
    stop, listener, errors = threading.Event(), Listener(), list[BaseException]()

    def work() -> None:
        try:
            watch(folder, results, classifier, settle=SETTLE, stop=stop, sinks=[listener], rescan=rescan)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield listener
    finally:
        stop.set()
        thread.join(DEADLINE)
    assert not thread.is_alive()
    assert errors == []


def drain(folder: Path, results: Path, classifier: Classifier, **options: object) -> list[Finding]:
    """What a watcher answers until the folder is drained."""
    listener = Listener()
    watch(folder, results, classifier, once=True, settle=SETTLE, sinks=[listener], **options)  # type: ignore[arg-type]
    return listener.heard


def findings(results: Path) -> list[Finding]:
    """Every finding on the disk."""
    return [from_json(path.read_bytes()) for path in sorted(results.rglob("[!.]*.json"))]


def on_disk(results: Path) -> dict[str, bytes]:
    ours = (path for path in results.rglob("*") if path.is_file() and not path.name.startswith((JOURNAL, ".")))
    return {str(path.relative_to(results)): path.read_bytes() for path in ours}


def journal_rows(results: Path) -> list[tuple[str, str]]:
    database = sqlite3.connect(results / JOURNAL)
    rows = database.execute("SELECT CAST(name AS TEXT), status FROM answers").fetchall()
    database.close()
    return rows


def counted(results: Path) -> int:
    """How many probabilities the running histogram holds."""
    database = sqlite3.connect(results / JOURNAL)
    count: int = database.execute("SELECT TOTAL(count) FROM histogram WHERE quantity = 'probability'").fetchone()[0]
    database.close()
    return count


def thirty_files() -> dict[str, bytes]:
    """25 radiographs and 5 files that are none."""
    good = {f"{i:02}{suffix}": picture((DARK, BRIGHT)[i % 2], suffix, seed=i) for i, suffix in numbered(25)}
    whole = picture(DARK, ".jpeg", seed=99)
    bad = {
        "empty.png": b"",
        "cut.jpeg": whole[: len(whole) // 2],
        "text.jpg": b"this is no picture",
        "notes.txt": b"a note",
        "headless.png": whole[10:],
    }
    return good | bad


def numbered(count: int) -> Iterator[tuple[int, str]]:
    for i in range(count):
        yield i, (".png", ".jpeg", ".jpg", ".PNG")[i % 4]


# What an answer is


def test_answers_what_is_there_and_what_arrives(folder: Path, results: Path, classifier: Classifier) -> None:
    put(folder / "dark.png", picture(DARK))

    with watching(folder, results, classifier) as listener:
        listener.wait_for(1)
        put(folder / "ward" / "bright.jpeg", picture(BRIGHT, ".jpeg"))
        heard = listener.wait_for(2)

    assert [(f.source, f.label, f.heatmap) for f in heard] == [
        ("dark.png", "NORMAL", "dark.png.heatmap.png"),
        ("ward/bright.jpeg", "PNEUMONIA", "ward/bright.jpeg.heatmap.png"),
    ]
    assert findings(results) == heard
    assert sorted(on_disk(results)) == [
        "dark.png.heatmap.png",
        "dark.png.json",
        "ward/bright.jpeg.heatmap.png",
        "ward/bright.jpeg.json",
    ]


def test_says_the_same_as_classify(folder: Path, results: Path, classifier: Classifier) -> None:
    data = picture(BRIGHT)
    put(folder / "a.png", data)

    (heard,) = drain(folder, results, classifier)

    alone = answer("a.png", data, classifier, clock=SYSTEM_CLOCK, received=SYSTEM_CLOCK.now()).finding
    assert (heard.sha256, heard.probability, heard.types) == (alone.sha256, alone.probability, alone.types)
    assert list(heard.milliseconds) == ["read", "decode", "prepare", "screen", "infer", "total"]


def test_nothing_in_the_folder_is_changed(folder: Path, results: Path, classifier: Classifier) -> None:
    for name, data in thirty_files().items():
        put(folder / name, data, age=100)
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()}

    drain(folder, results, classifier)

    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.iterdir()} == before


def test_a_decoder_that_fails_costs_one_file(
    folder: Path, results: Path, classifier: Classifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(data: bytes, *, least: Sides) -> NDArray[np.uint8]:
        if len(data) == 1:
            raise ZeroDivisionError("surprise")
        return decode_really(data, least=least)

    monkeypatch.setattr("edge_runtime.answer.decode", decode)
    put(folder / "a.png", b"x", age=10)
    put(folder / "b.png", picture(DARK))

    heard = drain(folder, results, classifier)

    assert [(f.source, f.status, f.reason) for f in heard] == [
        ("a.png", "rejected", "the decoder failed on it (ZeroDivisionError: surprise)"),
        ("b.png", "classified", None),
    ]


def test_no_heat_maps_where_none_are_wanted(folder: Path, results: Path, classifier: Classifier) -> None:
    put(folder / "a.png", picture(DARK))

    (heard,) = drain(folder, results, classifier, heatmaps=False)

    assert heard.heatmap is None
    assert list(on_disk(results)) == ["a.png.json"]


def test_a_file_that_cannot_be_read_is_rejected_and_answered_after_a_chmod(classifier: Classifier) -> None:
    with folder_of_nobody() as folder:
        path = put(folder / "in" / "a.png", picture(DARK))
        path.chmod(0)

        (first,) = drain(folder / "in", folder / "out", classifier)
        path.chmod(0o600)
        (second,) = drain(folder / "in", folder / "out", classifier)
        third = drain(folder / "in", folder / "out", classifier)
        assert (first.status, first.reason, first.sha256) == ("rejected", "cannot be read: permission denied", None)
        assert (second.status, second.label) == ("classified", "NORMAL")
        assert third == []
        assert len(findings(folder / "out")) == 2


def test_a_chmod_is_noticed_while_it_runs(classifier: Classifier) -> None:
    with folder_of_nobody() as folder:
        path = put(folder / "in" / "a.png", picture(DARK))
        path.chmod(0)

        with watching(folder / "in", folder / "out", classifier, rescan=0.05) as listener:
            listener.wait_for(1)
            path.chmod(0o600)
            heard = listener.wait_for(2)

    assert [f.status for f in heard] == ["rejected", "classified"]


# Each content of each file once


def test_a_folder_of_thirty_with_five_bad_ones_stopped_half_way(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    # Arrange
    files = thirty_files()
    stop = threading.Event()
    first = Listener(on_answer=lambda count: stop.set() if count == 15 else None)
    copying = threading.Thread(target=lambda: [put(folder / name, data) for name, data in files.items()])

    # Act
    copying.start()
    watch(folder, results, classifier, settle=SETTLE, stop=stop, sinks=[first])
    copying.join()
    second = drain(folder, results, classifier)
    third = drain(folder, results, classifier)

    # Assert
    assert 15 <= len(first.heard) <= 30  # the group in hand is finished
    assert Counter(f.source for f in first.heard + second) == dict.fromkeys(files, 1)
    assert third == []
    assert Counter(f.source for f in findings(results)) == dict.fromkeys(files, 1)
    assert Counter(f.status for f in findings(results)) == {"classified": 25, "rejected": 5}
    assert {f.source: f.reason for f in findings(results) if f.reason} == {
        "empty.png": "empty file",
        "cut.jpeg": "truncated: the end of the file is missing",
        "text.jpg": "neither a JPEG nor a PNG file",
        "notes.txt": "neither a JPEG nor a PNG file",
        "headless.png": "neither a JPEG nor a PNG file",
    }
    assert all(f.label == ("NORMAL", "PNEUMONIA")[int(f.source[:2]) % 2] for f in findings(results) if f.label)
    assert sorted(journal_rows(results)) == sorted((f.source, f.status) for f in findings(results))
    assert counted(results) == 25


def test_a_changed_file_is_answered_anew_under_its_own_name(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    put(folder / "a.png", picture(DARK))

    with watching(folder, results, classifier) as listener:
        listener.wait_for(1)
        before = on_disk(results)
        put(folder / "a.png", picture(BRIGHT))
        first, second = listener.wait_for(2)

    assert (first.label, second.label) == ("NORMAL", "PNEUMONIA")
    assert second.sha256 is not None
    assert on_disk(results).items() > before.items()
    assert from_json(on_disk(results)[f"a.png.{second.sha256[:8]}.json"]) == second


def test_a_touched_file_and_the_old_content_are_not_answered_again(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    put(folder / "a.png", picture(DARK))
    drain(folder, results, classifier)
    put(folder / "a.png", picture(BRIGHT))
    drain(folder, results, classifier)
    before = on_disk(results)

    os.utime(folder / "a.png", (1, 1))
    assert drain(folder, results, classifier) == []
    put(folder / "a.png", picture(DARK))
    assert drain(folder, results, classifier) == []

    assert on_disk(results) == before


def test_the_same_content_under_two_names_is_computed_once_and_answered_for_each(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    put(folder / "a.png", picture(BRIGHT), age=10)
    put(folder / "ward" / "b.png", picture(BRIGHT))
    put(folder / "c.png", picture(DARK))

    first, *others = drain(folder, results, classifier)
    copy = next(f for f in others if f.source == "ward/b.png")

    assert (first.source, first.same_as, copy.same_as) == ("a.png", None, "a.png")
    assert [f.same_as for f in others if f is not copy] == [None]
    own = {"source", "same_as", "heatmap", "received", "finished", "milliseconds"}
    alike = [{k: v for k, v in msgspec.structs.asdict(f).items() if k not in own} for f in (first, copy)]
    assert alike[0] == alike[1]
    assert "infer" in first.milliseconds
    assert "infer" not in copy.milliseconds
    maps = [(results / str(f.heatmap)).read_bytes() for f in (first, copy)]
    assert copy.heatmap == "ward/b.png.heatmap.png"
    assert maps[0] == maps[1]
    assert counted(results) == 3
    assert drain(folder, results, classifier) == []


@pytest.mark.parametrize("taken_away", ["a.png.json", "a.png.heatmap.png"])
def test_a_copy_of_what_was_taken_away_is_answered_anew(
    folder: Path, results: Path, classifier: Classifier, taken_away: str
) -> None:
    put(folder / "a.png", picture(BRIGHT))
    drain(folder, results, classifier)
    (results / taken_away).unlink()
    put(folder / "b.png", picture(BRIGHT))

    (copy,) = drain(folder, results, classifier)

    assert (copy.source, copy.same_as, copy.heatmap) == ("b.png", None, "b.png.heatmap.png")


def test_a_copy_at_another_operating_point_is_answered_anew(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    put(folder / "a.png", picture(BRIGHT))
    drain(folder, results, classifier)
    put(folder / "b.png", picture(BRIGHT))

    (copy,) = drain(folder, results, Classifier(classifier.bundle, classifier.engine, "screening"))

    assert (copy.same_as, copy.operating_point) == (None, "screening")


def test_a_slow_writer_is_waited_for(folder: Path, results: Path, classifier: Classifier) -> None:
    data = picture(BRIGHT)
    put(folder / "there.png", picture(DARK))

    with watching(folder, results, classifier) as listener:
        listener.wait_for(1)  # from now on it hears what happens
        with (folder / "slow.png").open("wb") as file:
            file.write(data[: len(data) // 2])
            file.flush()
            put(folder / "quick.png", picture(DARK))
            listener.wait_for(2)  # the settle time of the slow one has passed, too
            file.write(data[len(data) // 2 :])
        heard = listener.wait_for(3)

    assert [(f.source, f.label) for f in heard[1:]] == [("quick.png", "NORMAL"), ("slow.png", "PNEUMONIA")]


def test_a_kill_between_the_finding_and_the_journal_makes_no_double(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    # Arrange: what is on the disk at that moment
    data = picture(BRIGHT)
    put(folder / "a.png", data)
    put(folder / "b.png", b"no picture")
    with ResultsFolder(results) as record:
        for name, content in (("a.png", data), ("b.png", b"no picture")):
            answered = answer(name, content, classifier, clock=SYSTEM_CLOCK, received=SYSTEM_CLOCK.now())
            record.write(name.encode(), answered)
    before = on_disk(results)

    # Act
    heard = drain(folder, results, classifier)

    # Assert: taken over, entered and told, and not written anew
    assert on_disk(results) == before
    assert sorted(f.source for f in heard) == ["a.png", "b.png"]
    assert sorted(heard, key=lambda f: f.source) == findings(results)
    assert sorted(journal_rows(results)) == [("a.png", "classified"), ("b.png", "rejected")]
    assert drain(folder, results, classifier) == []
    assert counted(results) == 1


def test_without_the_journal_the_findings_are_taken_over(folder: Path, results: Path, classifier: Classifier) -> None:
    for name, data in thirty_files().items():
        put(folder / name, data)
    drain(folder, results, classifier)
    before = on_disk(results)
    (results / JOURNAL).unlink()

    drain(folder, results, classifier)

    assert on_disk(results) == before
    assert len(journal_rows(results)) == 30
    assert counted(results) == 25


def test_killed_at_any_moment(folder: Path, results: Path, tiny_bundle: Path, classifier: Classifier) -> None:
    files = thirty_files()
    names = list(files)

    for first, kill_after in ((0, 1), (10, 5), (20, 9)):
        for name in names[first : first + 10]:  # so that there are enough, for whole groups are answered at once
            put(folder / name, files[name])
        process = start_watching(folder, results, tiny_bundle)
        read_answers(process, kill_after)
        process.kill()
        process.communicate()
    drain(folder, results, classifier)

    assert Counter(f.source for f in findings(results)) == dict.fromkeys(files, 1)
    assert sorted(journal_rows(results)) == sorted((f.source, f.status) for f in findings(results))
    assert counted(results) == 25


def test_status_looks_on_while_it_runs(folder: Path, results: Path, classifier: Classifier) -> None:
    model = Model(name=classifier.bundle.info.name, sha256=classifier.bundle.sha256)
    files = thirty_files()

    with watching(folder, results, classifier) as listener:
        for name, data in files.items():
            put(folder / name, data)
        seen = []
        for count in range(1, len(files) + 1, 5):
            heard = len(listener.wait_for(count))
            status = look(results, model, None, now=SYSTEM_CLOCK.now(), days=1)["in_all"]
            seen.append((heard, status["classified"] + status["rejected"]))
        listener.wait_for(len(files))

    # An answer is told when it has been entered.
    assert all(heard <= answered <= len(files) for heard, answered in seen)
    assert look(results, model, None, now=SYSTEM_CLOCK.now(), days=1)["in_all"]["classified"] == 25
    assert drain(folder, results, classifier) == []


def test_results_inside_the_folder_are_not_answered(folder: Path, classifier: Classifier) -> None:
    put(folder / "a.png", picture(DARK))

    first = drain(folder, folder / "results", classifier)
    second = drain(folder, folder / "results", classifier)

    assert [f.source for f in first] == ["a.png"]
    assert second == []


class SmallDisk:
    """A disk, so to say, that is full after so many answers, until it has been said ``times`` times that it is."""

    def __init__(self, after: int, times: int) -> None:
        self.notes: list[str] = []
        self._after, self._times = after, times
        self._soft, self._hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def on_answer(self, count: int) -> None:
        if count == self._after:
            resource.setrlimit(resource.RLIMIT_FSIZE, (1000, self._hard))

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)
        self._times -= 1
        if not self._times:
            self.mend()

    def mend(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (self._soft, self._hard))


def test_a_full_disk_is_waited_for(folder: Path, results: Path, classifier: Classifier) -> None:
    for name, data in thirty_files().items():
        put(folder / name, data)
    disk, health = SmallDisk(after=3, times=1), Health()
    listener = Listener(disk.on_answer)

    try:
        watch(
            folder,
            results,
            classifier,
            once=True,
            settle=SETTLE,
            sinks=[listener],
            note=disk.note,
            health=health,
            backoff=Backoff(0.05, 0.2),
        )
    finally:
        disk.mend()

    assert Counter(f.source for f in listener.heard) == dict.fromkeys(thirty_files(), 1)
    assert sorted(f.source for f in findings(results)) == sorted(thirty_files())
    assert sorted(journal_rows(results)) == sorted((f.source, f.status) for f in findings(results))
    assert counted(results) == 25
    assert [("cannot be written" in note, "can be written" in note) for note in disk.notes] == [
        (True, False),
        (False, True),
    ]
    assert not health.is_paused
    assert health.snapshot().last_error is not None


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 1 MB; only root may mount one."""
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "edge-pneumo", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_disk_that_is_really_full_is_waited_for(folder: Path, tmp_path: Path, classifier: Classifier) -> None:
    for name, data in thirty_files().items():
        put(folder / name, data)
    notes: list[str] = []
    with small_disk(tmp_path / "disk") as disk:

        def on_answer(count: int) -> None:
            if count == 1:
                with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
                    while True:
                        filler.write(bytes(4096))

        def mend(note: str) -> None:
            notes.append(note)
            (disk / "filler").unlink(missing_ok=True)

        listener = Listener(on_answer)
        watch(
            folder,
            disk / "out",
            classifier,
            once=True,
            heatmaps=False,
            settle=SETTLE,
            sinks=[listener],
            note=mend,
            backoff=Backoff(0.02, 0.1),
        )
        assert sorted(f.source for f in findings(disk / "out")) == sorted(thirty_files())
        assert sorted(journal_rows(disk / "out")) == sorted((f.source, f.status) for f in findings(disk / "out"))

    assert sorted(f.source for f in listener.heard) == sorted(thirty_files())
    assert len(notes) == 2
    assert re.search(r"No space left on device|disk is full|disk I/O error", notes[0])


def test_a_disk_that_stays_full_ends_once_with_a_sentence_and_loses_nothing(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    for name, data in thirty_files().items():
        put(folder / name, data)
    disk = SmallDisk(after=3, times=99)
    full = Listener(disk.on_answer)

    try:
        with pytest.raises(
            EdgePneumoError, match=r"cannot be kept in .* \(.*\), and were not for .* mend that and start"
        ):
            watch(
                folder,
                results,
                classifier,
                once=True,
                settle=SETTLE,
                sinks=[full],
                backoff=Backoff(0.02, 0.05, once=0.2),
            )
        left = on_disk(results)
    finally:
        disk.mend()
    rest = drain(folder, results, classifier)

    assert 3 <= len(full.heard) < 30
    assert len(full.heard) + len(rest) == 30
    assert all(path.endswith((".json", ".png")) for path in left)
    assert Counter(f.source for f in findings(results)) == dict.fromkeys(thirty_files(), 1)


def test_the_end_may_be_asked_for_while_the_disk_is_full(folder: Path, results: Path, classifier: Classifier) -> None:
    for name, data in thirty_files().items():
        put(folder / name, data)
    disk, stop = SmallDisk(after=3, times=99), threading.Event()
    full = Listener(disk.on_answer)

    try:
        watch(folder, results, classifier, settle=SETTLE, stop=stop, sinks=[full], note=lambda _: stop.set())
    finally:
        disk.mend()
    rest = drain(folder, results, classifier)

    assert len(full.heard) + len(rest) == 30
    assert Counter(f.source for f in findings(results)) == dict.fromkeys(thirty_files(), 1)


# The command


def start_watching(folder: Path, results: Path, tiny_bundle: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "edge_runtime", "watch", folder, "--results", results, "--bundle", tiny_bundle]
    return subprocess.Popen(
        [*map(str, command), "--settle", str(SETTLE), "--threads", "1", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
    )


def read_answers(process: subprocess.Popen[str], count: int) -> None:
    """Read what it prints until it has answered so often."""
    assert process.stdout is not None
    while count:
        line = process.stdout.readline()
        assert line, "it ended"
        count -= line[2:3] == ":"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_a_restart_repeats_nothing(
    folder: Path, results: Path, tiny_bundle: Path, classifier: Classifier, number: signal.Signals
) -> None:
    files = thirty_files()
    for name, data in files.items():
        put(folder / name, data)
    process = start_watching(folder, results, tiny_bundle)
    read_answers(process, 10)

    process.send_signal(number)
    output, _ = process.communicate(timeout=DEADLINE)

    assert process.returncode == 0
    answered_by_now = len(findings(results))
    assert output.splitlines()[-1].startswith(f"{answered_by_now} answered: ")
    assert len(drain(folder, results, classifier)) == 30 - answered_by_now
    assert Counter(f.source for f in findings(results)) == dict.fromkeys(files, 1)


def test_a_signal_ends_it_while_nothing_happens(folder: Path, results: Path, tiny_bundle: Path) -> None:
    process = start_watching(folder, results, tiny_bundle)
    assert process.stdout is not None
    while NOTICE not in (line := process.stdout.readline()):
        assert line, "it ended"

    process.terminate()
    output, _ = process.communicate(timeout=DEADLINE)

    assert (process.returncode, output) == (0, "0 answered: 0 classified, 0 rejected\n")


def test_once_prints_a_header_a_line_an_answer_and_the_sum(
    folder: Path, results: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "a.png", picture(BRIGHT), age=10)
    put(folder / "b.png", b"")

    status = main(
        [
            *("watch", str(folder), "--results", str(results), "--bundle", str(tiny_bundle)),
            *("--once", "--settle", "0", "--operating-point", "screening"),
        ]
    )

    lines = capsys.readouterr().out.splitlines()
    assert status == 0
    assert lines[0] == f"edge-pneumo watches {folder}"
    assert lines[1] == f"  findings  {results}"
    assert lines[2].startswith("  model     tiny (")
    assert lines[2].endswith("), PNEUMONIA from 10% on (operating point screening)")
    assert lines[4] == f"  {NOTICE}"
    assert lines[5].endswith("  a.png")
    assert lines[6].endswith("  b.png: empty file")
    assert lines[7:] == ["2 answered: 1 classified, 1 rejected"]


def test_signals_are_given_back(folder: Path, results: Path, tiny_bundle: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    main(["watch", str(folder), "--results", str(results), "--bundle", str(tiny_bundle), "--once", "--settle", "0"])

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


def refusal(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    """The sentence of a command that is refused."""
    capsys.readouterr()
    assert main(["watch", *map(str, words)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    return captured.err


def test_a_second_watcher_is_refused(
    folder: Path, results: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ResultsFolder(results):
        sentence = refusal(capsys, folder, "--results", results, "--bundle", tiny_bundle, "--once")

    assert "another edge-pneumo writes its findings to" in sentence


def test_folders_that_cannot_be_used_are_refused(
    folder: Path, tmp_path: Path, tiny_bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = put(tmp_path / "file", b"")
    bundle_ = ("--bundle", tiny_bundle)

    assert "there is no folder" in refusal(capsys, tmp_path / "nowhere", *bundle_)
    assert "is a file" in refusal(capsys, file, *bundle_)
    assert "cannot be written to" in refusal(capsys, folder, "--results", file / "out", *bundle_)
    assert "would be taken for radiographs" in refusal(capsys, folder, "--results", folder, *bundle_)
    assert "would be taken for radiographs" in refusal(capsys, folder, "--results", tmp_path, *bundle_)
    assert not (folder.parent / "in-results").exists()


def test_a_folder_that_must_not_be_listed_is_refused(classifier: Classifier) -> None:
    with folder_of_nobody() as folder:
        put(folder / "in" / "a.png", b"")
        (folder / "in").chmod(0)

        with pytest.raises(UsageError, match=r"cannot be looked through \(Permission denied\)"):
            watch(folder / "in", folder / "out", classifier, once=True)


@pytest.mark.parametrize("seconds", ["-1", "soon", "nan", "1e9"])
def test_settle_is_a_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["watch", "somewhere", "--settle", seconds])

    assert refused.value.code == 2
    assert f"'{seconds}' is no number of seconds from 0 to 3600" in capsys.readouterr().err


def test_an_engine_that_computes_something_else_is_not_used(
    folder: Path, results: Path, tiny_bundle: Path, tmp_path: Path
) -> None:
    honest = bundle.read(tiny_bundle)
    good = honest.golden
    golden = bundle.Golden(good.pixels, good.scores + 5, good.maps, good.features)
    path = tmp_path / "other.tflite"
    bundle.write(path, honest.tflite, honest.info, golden=golden, parity={}, calibration={}, gate=honest.gate)
    parser = argparse.ArgumentParser()
    add_arguments(parser)

    with pytest.raises(EngineError, match="does not compute what the model's converter computed"):
        run(parser.parse_args([str(folder), "--results", str(results), "--bundle", str(tmp_path / "other.tflite")]))

    assert not results.exists()


def test_results_lie_beside_the_folder_or_where_systemd_says(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    assert default_results(folder) == folder.parent / "in-results"
    monkeypatch.chdir(folder)
    assert default_results(Path()) == folder.parent / "in-results"

    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/edge-pneumo:/var/lib/other")
    assert default_results(folder) == Path("/var/lib/edge-pneumo/results")


def test_a_damaged_journal_is_a_sentence(folder: Path, results: Path, classifier: Classifier) -> None:
    put(results / JOURNAL, b"rubbish" * 1000)

    with pytest.raises(UsageError, match="is damaged"):
        watch(folder, results, classifier, once=True)

    Journal(results / "other.sqlite").close()
    with ResultsFolder(results):  # the lock was given back
        pass
