import json
import shutil
import sqlite3
import stat
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge_runtime.cli import main
from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import NOTICE, Finding, Model, timestamp
from edge_runtime.health.health import Health
from edge_runtime.health.state_file import StateFile
from edge_runtime.journal.journal import Journal
from edge_runtime.locate import find_results
from edge_runtime.model import bundle
from edge_runtime.model.bundle import Histogram, Reference
from edge_runtime.sinks.files import JOURNAL
from edge_runtime.status.command import look
from edge_runtime.status.text import describe
from tests.edge_runtime.findings import classified, rejected
from tests.edge_runtime.histograms import draw, drawn_reference
from tests.edge_runtime.journal.test_journal import VERSION_1
from tests.edge_runtime.journals import record
from tests.edge_runtime.model.test_bundle import INFO, write_toy
from tests.edge_runtime.nobody import folder_of_nobody

STATE = FileState(size=10, mtime_ns=1, ctime_ns=5, inode=7, mode=stat.S_IFREG | 0o644)
NOW = datetime(2024, 5, 10, 15, 30).astimezone()
TODAY = NOW.replace(hour=9)
MODEL = Model(name="tiny", sha256="0" * 64)
LIKE = "Today's radiographs look like those the model was validated on."
NO_LONGER = "no longer look like those the model was validated on"


class Watcher:
    """What a watcher leaves in its results, without a model."""

    def __init__(self, results: Path) -> None:
        results.mkdir(exist_ok=True)
        self.journal = Journal(results / JOURNAL)
        assert self.journal._database is not None
        self.journal._database.execute("PRAGMA synchronous = OFF")
        self._count = 0

    def answer(self, finding: Finding, moment: datetime = TODAY, **changes: Any) -> None:
        self._count += 1
        name = b"%d.png" % self._count
        finding = msgspec.structs.replace(finding, finished=timestamp(moment), **changes)
        record(self.journal, name, STATE, finding, name + b".json")

    def answer_drawn(
        self, count: int, moment: datetime = TODAY, *, seed: int = 0, ill: float = 0.74, farther: float = 0.0
    ) -> None:
        probabilities, distances, _ = draw(np.random.default_rng(seed), count, ill=ill)
        for probability, distance in zip(probabilities.tolist(), distances.tolist(), strict=True):
            self.answer(classified(probability=probability), moment, distance=distance + farther)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return drawn_reference(np.random.default_rng(1))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "in-results"


@pytest.fixture
def watcher(results: Path) -> Iterator[Watcher]:
    watcher = Watcher(results)
    yield watcher
    watcher.journal.close()


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir()}


# What it counts


def test_counts_today_the_last_days_and_in_all(watcher: Watcher, results: Path, reference: Reference) -> None:
    watcher.answer(classified(probability=0.9), confidence="certain")
    watcher.answer(classified(probability=0.4), confidence="uncertain")
    watcher.answer(classified(probability=0.8))
    watcher.answer(rejected(reason="empty file"), NOW - timedelta(days=6))
    watcher.answer(rejected(reason="too dark"), NOW - timedelta(days=6))
    watcher.answer(rejected(reason="too dark"), NOW - timedelta(days=6))
    watcher.answer(classified(), NOW - timedelta(days=7))

    status = look(results, MODEL, reference, now=NOW, days=7)

    counts = ("classified", "rejected", "pneumonia", "judged", "uncertain")
    assert [status["today"][name] for name in counts] == [3, 0, 2, 2, 1]
    assert [status["last_days"][name] for name in counts] == [3, 3, 2, 2, 1]
    assert [status["in_all"][name] for name in counts] == [4, 3, 3, 2, 1]
    assert status["today"]["reasons"] == ()
    assert status["last_days"]["reasons"] == (("too dark", 2), ("empty file", 1))
    assert status["last_answer"] == timestamp(TODAY)


def test_a_day_begins_at_midnight_where_the_machine_stands(
    watcher: Watcher, results: Path, reference: Reference
) -> None:
    midnight = NOW.replace(hour=0, minute=0)
    watcher.answer(classified(), midnight - timedelta(milliseconds=1), distance=0.5)
    watcher.answer(classified(), midnight, distance=0.5)
    watcher.answer(classified(), midnight + timedelta(days=1), distance=0.5)  # under a wrong clock

    status = look(results, MODEL, reference, now=NOW, days=1)

    for period in (status["today"], status["last_days"]):
        assert (period["classified"], period["drift"]["distance"]["count"]) == (1, 1)


# What it says of drift


def test_radiographs_as_in_validation(watcher: Watcher, results: Path, reference: Reference) -> None:
    watcher.answer_drawn(120)

    status = look(results, MODEL, reference, now=NOW, days=7)

    assert not status["drifted"]
    assert LIKE in describe(status)
    assert describe(status).splitlines()[-1] == NOTICE


def test_other_patients_are_no_drift(watcher: Watcher, results: Path, reference: Reference) -> None:
    watcher.answer_drawn(120, ill=0.1)

    text = describe(status := look(results, MODEL, reference, now=NOW, days=7))

    assert not status["drifted"]
    assert LIKE in text
    assert status["today"]["drift"]["probability"]["mix"] == pytest.approx(0.1, abs=0.06)
    assert "pneumonia explains today's answers best. Another share than in validation is no drift" in text


def test_radiographs_that_look_different(watcher: Watcher, results: Path, reference: Reference) -> None:
    watcher.answer_drawn(400, NOW - timedelta(days=3), seed=1)
    watcher.answer_drawn(60, farther=0.15, seed=2)

    text = describe(status := look(results, MODEL, reference, now=NOW, days=7))

    assert status["drifted"]
    assert f"Today's radiographs {NO_LONGER}: check the exposure" in text
    assert LIKE not in text


def test_a_drift_of_days_with_few_radiographs_each(watcher: Watcher, results: Path, reference: Reference) -> None:
    for day in range(6):
        watcher.answer_drawn(12, NOW - timedelta(days=day), farther=0.15, seed=day)

    text = describe(status := look(results, MODEL, reference, now=NOW, days=7))

    assert status["today"]["drift"]["distance"]["verdict"] == "too few"
    assert status["drifted"]
    assert f"The radiographs of the last 7 days {NO_LONGER}" in text
    assert "too few to say: 12, and 50 are needed" in text


def test_answers_that_no_mix_of_patients_explains(watcher: Watcher, results: Path, reference: Reference) -> None:
    for number, distance in enumerate(draw(np.random.default_rng(3), 80)[1].tolist()):
        watcher.answer(classified(probability=0.3 + number / 200), distance=distance)

    text = describe(status := look(results, MODEL, reference, now=NOW, days=7))

    assert status["drifted"]
    assert "Today's answers are not spread as in validation, whatever the share of pneumonia" in text
    assert "Have a radiologist check a sample" in text


def test_too_few_are_no_verdict(watcher: Watcher, results: Path, reference: Reference) -> None:
    watcher.answer_drawn(49, farther=0.5)

    status = look(results, MODEL, reference, now=NOW, days=7)

    assert not status["drifted"]
    assert "Too few radiographs to say" in describe(status)
    assert LIKE not in describe(status)


def test_what_the_gate_refused_counts_and_what_was_not_read_does_not(
    watcher: Watcher, results: Path, reference: Reference
) -> None:
    for _ in range(60):
        watcher.answer(rejected(reason="not a radiograph"), distance=3.0)
        watcher.answer(rejected(reason="empty file"))

    text = describe(status := look(results, MODEL, reference, now=NOW, days=7))

    found = status["today"]["drift"]
    assert (found["distance"]["count"], found["probability"]["count"]) == (60, 0)
    assert f"Today's radiographs {NO_LONGER}" in text
    assert "rejected most often, last 7 days: 60 x empty file; 60 x not a radiograph" in text


def test_answers_of_another_model_are_left_out_and_named(watcher: Watcher, results: Path, reference: Reference) -> None:
    for _ in range(60):
        watcher.answer(classified(), distance=0.9, model=Model(name="old", sha256="f" * 64))

    text = describe(status := look(results, MODEL, reference, now=NOW, days=7))

    assert status["today"]["drift"]["distance"]["count"] == 0
    assert "60 of the answers, last 7 days, are another model's and in no comparison" in text


def test_a_bundle_without_a_reference_and_one_of_other_bins_say_so(watcher: Watcher, results: Path) -> None:
    watcher.answer(classified())
    two = Histogram((0.0, 0.5, 1.0), (3, 3))

    for reference, words in ((None, "says nothing of the radiographs"), (Reference(two, two), "different edges")):
        status = look(results, MODEL, reference, now=NOW, days=7)
        assert not status["drifted"]
        assert status["today"]["drift"] is None
        assert "Drift is not measured: the model's bundle" in describe(status)
        assert words in describe(status)


# Where it looks, and that it only looks


def test_a_journal_of_an_earlier_version_is_read_and_left_alone(results: Path, reference: Reference) -> None:
    results.mkdir()
    database = sqlite3.connect(results / JOURNAL)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(VERSION_1)
    database.close()
    before = listing(results)

    status = look(results, MODEL, reference, now=datetime(2024, 5, 1, 23).astimezone(), days=7)

    assert (status["in_all"]["classified"], status["in_all"]["rejected"]) == (2, 1)
    assert "the next start of 'edge-pneumo watch' extends it" in describe(status)
    assert listing(results) == before


def test_nothing_is_made_where_no_watcher_runs(watcher: Watcher, results: Path, reference: Reference) -> None:
    watcher.answer(classified())
    watcher.journal.close()
    before = listing(results)

    status = look(results, MODEL, reference, now=NOW, days=7)

    assert list(before) == [JOURNAL]
    assert listing(results) == before
    assert status["in_all"]["classified"] == 1


def test_a_running_watcher_is_neither_disturbed_nor_waited_for(
    watcher: Watcher, results: Path, reference: Reference
) -> None:
    watcher.answer(classified())
    assert watcher.journal._database is not None
    watcher.journal._database.execute("BEGIN IMMEDIATE")  # in the middle of entering an answer
    watcher.journal._database.execute("DELETE FROM answers WHERE 0")

    status = look(results, MODEL, reference, now=NOW, days=7)

    watcher.journal._database.execute("COMMIT")
    watcher.answer(classified())
    assert status["in_all"]["classified"] == 1
    assert look(results, MODEL, reference, now=NOW, days=7)["in_all"]["classified"] == 2
    assert sorted(listing(results)) == [JOURNAL, f"{JOURNAL}-shm", f"{JOURNAL}-wal"]


def test_who_may_only_read_can_look_while_a_watcher_runs(reference: Reference) -> None:
    with folder_of_nobody() as folder:
        watcher = Watcher(folder / "results")
        watcher.answer(classified())
        for path in (*folder.glob("results/*"), folder / "results"):
            path.chmod(0o500 if path.is_dir() else 0o400)

        status = look(folder / "results", MODEL, reference, now=NOW, days=7)

        (folder / "results").chmod(0o700)
        watcher.journal.close()
    assert status["in_all"]["classified"] == 1


@pytest.mark.parametrize("may_write", [True, False])
def test_what_a_power_cut_left_is_read(reference: Reference, may_write: bool) -> None:
    with folder_of_nobody() as folder:
        watcher = Watcher(folder / "results")
        watcher.answer(classified())
        shutil.copytree(folder / "results", folder / "left", copy_function=shutil.copyfile)
        watcher.journal.close()
        (folder / "left").chmod(0o700 if may_write else 0o500)
        before = sorted(path.name for path in (folder / "left").iterdir())

        status = look(folder / "left", MODEL, reference, now=NOW, days=7)

        assert sorted(path.name for path in (folder / "left").iterdir()) == before
    assert status["in_all"]["classified"] == 1


def test_a_damaged_journal_is_a_sentence(results: Path, reference: Reference) -> None:
    results.mkdir()
    (results / JOURNAL).write_bytes(b"rubbish" * 1000)

    with pytest.raises(UsageError, match="is damaged"):
        look(results, MODEL, reference, now=NOW, days=7)


def test_a_newer_journal_is_a_sentence(results: Path, reference: Reference) -> None:
    results.mkdir()
    database = sqlite3.connect(results / JOURNAL)
    database.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(UsageError, match=r"version 99.*update edge-pneumo"):
        look(results, MODEL, reference, now=NOW, days=7)


def test_the_results_are_found_by_their_own_or_the_watched_folder(
    watcher: Watcher, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    watcher.answer(classified())
    (tmp_path / "in").mkdir()

    assert find_results(results) == results
    assert find_results(tmp_path / "in") == results
    monkeypatch.chdir(tmp_path / "in")
    assert find_results(None) == results
    monkeypatch.chdir(results)
    assert find_results(None).resolve() == results


def test_a_service_finds_its_own_results(
    watcher: Watcher, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watcher.answer(classified())
    watcher.journal.close()
    results.rename(tmp_path / "results")
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))

    assert find_results(None) == tmp_path / "results"


def test_a_folder_that_cannot_be_looked_into_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(UsageError, match="there is no folder"):
        find_results(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is a file"):
        find_results(tmp_path / "file")
    with folder_of_nobody() as folder:
        (folder / "results").mkdir(mode=0)
        with pytest.raises(UsageError, match=r"cannot be looked into \(Permission denied\)"):
            find_results(folder / "results")


# The command


@pytest.fixture(scope="module")
def bundle_with_reference(tmp_path_factory: pytest.TempPathFactory, reference: Reference) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "toy.tflite"
    write_toy(path, msgspec.structs.replace(INFO, reference=reference))
    assert bundle.read(path).info.reference == reference
    return path


def test_an_empty_folder_has_no_answers_yet(
    tmp_path: Path, bundle_with_reference: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    (tmp_path / "in").mkdir()

    status = main(["status", str(tmp_path / "in"), "--bundle", str(bundle_with_reference)])

    printed = capsys.readouterr().out
    assert status == 0
    assert "last answer  none yet" in printed
    assert "Too few radiographs to say" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert list((tmp_path / "in").iterdir()) == []


@pytest.mark.parametrize(("farther", "expected"), [(0.0, 0), (0.2, 1)])
def test_the_exit_status_tells_drift(
    watcher: Watcher,
    results: Path,
    bundle_with_reference: Path,
    capsys: pytest.CaptureFixture[str],
    farther: float,
    expected: int,
) -> None:
    sha256 = bundle.read(bundle_with_reference).sha256
    probabilities, distances, _ = draw(np.random.default_rng(8), 100)
    now = datetime.now().astimezone()
    for probability, distance in zip(probabilities.tolist(), distances.tolist(), strict=True):
        finding = classified(probability=probability)
        watcher.answer(finding, now, distance=distance + farther, model=Model(name="toy", sha256=sha256))

    status = main(["status", str(results), "--bundle", str(bundle_with_reference), "--json", "--days", "30"])

    printed = json.loads(capsys.readouterr().out)
    assert status == expected
    assert printed["drifted"] is bool(expected)
    assert printed["model"] == {"name": "toy", "sha256": sha256}
    assert printed["days"] == 30
    assert printed["last_days"]["drift"]["distance"]["verdict"] == ("shifted" if expected else "like")
    assert printed["notice"] == NOTICE


@pytest.mark.parametrize(("paused", "expected"), [("the disk is full", 3), (None, 1)])
def test_a_watcher_that_cannot_work_goes_before_drift(
    watcher: Watcher,
    results: Path,
    bundle_with_reference: Path,
    capsys: pytest.CaptureFixture[str],
    paused: str | None,
    expected: int,
) -> None:
    model = Model(name="toy", sha256=bundle.read(bundle_with_reference).sha256)
    probabilities, distances, _ = draw(np.random.default_rng(8), 100)
    for probability, distance in zip(probabilities.tolist(), distances.tolist(), strict=True):
        finding = classified(probability=probability)
        watcher.answer(finding, datetime.now().astimezone(), distance=distance + 0.2, model=model)
    health = Health()
    health.ready()
    if paused is not None:
        health.pause(paused)
    StateFile(results, results.with_name("in"), health).turn()

    status = main(["status", str(results), "--bundle", str(bundle_with_reference), "--json"])

    printed = json.loads(capsys.readouterr().out)
    assert status == expected
    assert (printed["watcher"]["life"], printed["drifted"]) == ("alive", True)
    assert (printed["watcher"]["paused"] or {}).get("reason") == paused
    assert printed["disk"]["free_bytes"] > 0
    assert printed["disk"]["finding_bytes"] is None  # no finding lies there


@pytest.mark.parametrize("days", ["0", "-3", "1.5", "401", "week"])
def test_days_are_a_number_that_is_kept(days: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["status", "--days", days])

    assert refused.value.code == 2
    assert f"{days!r} is no number of days from 1 to 400" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_wrong_usage(
    tmp_path: Path, bundle_with_reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["status", str(tmp_path / "none"), "--bundle", str(bundle_with_reference)]) == 2
    assert capsys.readouterr().err.startswith("error: there is no folder ")


def test_a_reason_cannot_write_over_the_screen(watcher: Watcher, results: Path, reference: Reference) -> None:
    watcher.answer(rejected(reason="the decoder failed on it (\x1b[2J\n)"))

    assert "1 x the decoder failed on it (\\x1b[2J\\n)\n" in describe(look(results, MODEL, reference, now=NOW, days=7))
