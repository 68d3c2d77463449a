"""Retention in a watcher that works: the real model, real files."""

import shutil
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.config.settings import Retention
from edge_runtime.finding import Finding
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.watch.answering import watch

SAMPLES = sorted((Path(__file__).parents[3] / "samples").glob("*.png"))
NOTHING = Retention()


@pytest.fixture(scope="module")
def classifier(default_bundle: Path) -> Classifier:
    opened = bundle.read(default_bundle)
    return Classifier(opened, open_engine(opened, 1))


class Heard:
    def __init__(self) -> None:
        self.sources: list[str] = []

    def accept(self, finding: Finding) -> None:
        self.sources.append(finding.source)


def drain(
    folder: Path, results: Path, classifier: Classifier, retention: Retention = NOTHING, *, later: float = 0.0
) -> list[str]:
    clock = Clock(now=lambda: datetime.now(UTC) + timedelta(days=later), seconds=SYSTEM_CLOCK.seconds)
    heard = Heard()
    watch(folder, results, classifier, once=True, settle=0.0, sinks=[heard], clock=clock, retention=retention)
    return sorted(heard.sources)


def files(results: Path) -> list[str]:
    return sorted(path.name for path in results.rglob("*.png*"))


def test_what_has_gone_is_not_answered_again(tmp_path: Path, classifier: Classifier) -> None:
    folder, results = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for sample in SAMPLES[:3]:
        shutil.copy(sample, folder)
    names = [sample.name for sample in SAMPLES[:3]]
    assert drain(folder, results, classifier) == names
    assert len(files(results)) == 6

    assert drain(folder, results, classifier, Retention(days=30), later=31) == []
    assert files(results) == []

    shutil.copy(SAMPLES[3], folder)
    (folder / names[0]).touch()
    assert drain(folder, results, classifier, Retention(days=30), later=31) == [SAMPLES[3].name]
    assert len(files(results)) == 2


def test_a_copy_of_what_has_gone_is_answered(tmp_path: Path, classifier: Classifier) -> None:
    folder, results = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copy(SAMPLES[0], folder / "a.png")
    shutil.copy(SAMPLES[1], folder / "b.png")
    drain(folder, results, classifier)
    drain(folder, results, classifier, Retention(days=30), later=31)

    shutil.copy(SAMPLES[0], folder / "c.png")

    assert drain(folder, results, classifier, Retention(days=30), later=31) == ["c.png"]
    assert files(results) == ["c.png.heatmap.png", "c.png.json"]


def test_it_goes_on_while_answers_come(tmp_path: Path, classifier: Classifier) -> None:
    folder, results = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for sample in SAMPLES[:2]:
        shutil.copy(sample, folder)
    drain(folder, results, classifier)
    stop, ended = threading.Event(), threading.Event()
    clock = Clock(now=lambda: datetime.now(UTC) + timedelta(days=31), seconds=SYSTEM_CLOCK.seconds)

    def work() -> None:
        watch(folder, results, classifier, stop=stop, settle=0.0, clock=clock, retention=Retention(days=30))
        ended.set()

    thread = threading.Thread(target=work)
    thread.start()
    deadline = threading.Event()
    for _ in range(600):
        if not files(results):
            break
        deadline.wait(0.1)
    stop.set()
    thread.join()

    assert files(results) == []
    assert ended.is_set()
