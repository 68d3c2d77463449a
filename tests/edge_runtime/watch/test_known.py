import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.answer import Opened
from edge_runtime.clock import Clock
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding, Model, to_json
from edge_runtime.health.health import Health
from edge_runtime.journal.journal import Entry, Journal
from edge_runtime.model.classifier import Classifier
from edge_runtime.sinks.files import JOURNAL, ResultsFolder
from edge_runtime.sources import Work
from edge_runtime.watch.insist import Backoff, Insistence
from edge_runtime.watch.known import InHand, Memory, Original, answer_again
from tests.edge_runtime.findings import MOMENT, answered, classified, rejected
from tests.edge_runtime.journals import record
from tests.engines import ScriptedEngine, bundle_without_model

STATE = FileState(1, 2, 3, 4, 5)
SHA = "1" * 64
LATER = Clock(now=lambda: MOMENT + timedelta(hours=1), seconds=lambda: 0.0)


class Place:
    """Findings, a journal and what looks things up in them."""

    def __init__(self, folder: Path) -> None:
        self.record = ResultsFolder(folder)
        self.journal = Journal(folder / JOURNAL)
        self.in_hand, self.stop = InHand(), threading.Event()
        health = Health()
        insistence = Insistence(folder, self.stop, health=health, backoff=Backoff(0.001, 0.001))
        self.memory = Memory(self.record, self.journal, self.in_hand, insistence, health, self.stop)

    def look_up(self, name: str, sha256: str | None = SHA, *, refused: bool = False) -> object:
        known = self.memory.look_up(work(name), opened(name, sha256, refused=refused), classifier())
        self.in_hand.put_down(work(name), sha256)
        return known


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    place.journal.close()
    place.record.__exit__()


def work(name: str) -> Work:
    return Work(name, name.encode(), STATE, MOMENT)


def opened(name: str, sha256: str | None = SHA, *, refused: bool = False) -> Opened:
    pixels = None if refused else np.zeros((1, 2, 2, 1), np.uint8)
    return Opened(name, sha256, None, pixels, "empty file" if refused else None, MOMENT, {"read": 1.0, "total": 2.0})


def classifier() -> Classifier:
    return Classifier(bundle_without_model(), ScriptedEngine([0, 0, 0]))


def by_it(finding: Finding) -> Finding:
    """The same finding, if that classifier had said it."""
    model = Model(name="scripted", sha256=classifier().bundle.sha256)
    return msgspec.structs.replace(finding, model=model, engine=classifier().engine.name)


def test_nothing_is_known_of_what_is_new(place: Place) -> None:
    assert place.look_up("a.png") is None


def test_the_row_of_this_content_of_this_file(place: Place) -> None:
    file, finding = place.record.write(b"a.png", answered(by_it(classified())))
    record(place.journal, b"a.png", STATE, finding, file)

    assert place.look_up("a.png") == Entry(1, b"a.png.json")


def test_a_finding_that_a_crash_left_without_its_row(place: Place) -> None:
    left = place.record.write(b"a.png", answered(classified()))

    assert place.look_up("a.png") == left


def test_the_answer_to_a_file_with_the_same_bytes(place: Place) -> None:
    file, finding = place.record.write(b"a.png", answered(by_it(classified())))
    record(place.journal, b"a.png", STATE, finding, file)

    original = place.look_up("b.png")

    assert isinstance(original, Original)
    assert (original.id, original.finding) == (1, finding)
    assert original.heatmap == (place.record.folder / "a.png.heatmap.png").read_bytes()


def test_what_is_refused_without_the_model_needs_no_other_answer(place: Place) -> None:
    file, finding = place.record.write(b"a.png", answered(rejected(sha256=SHA)))
    record(place.journal, b"a.png", STATE, finding, file)

    assert place.look_up("b.png", refused=True) is None
    assert place.look_up("b.png", None, refused=True) is None


def test_another_finding_in_the_original_s_place_is_not_taken_for_it(place: Place) -> None:
    file, finding = place.record.write(b"a.png", answered(by_it(classified())))
    record(place.journal, b"a.png", STATE, finding, file)
    (place.record.folder / "a.png.json").write_bytes(to_json(by_it(classified(sha256="2" * 64))))

    assert place.look_up("b.png") is None


@pytest.mark.parametrize(("name", "sha256"), [("a.png", "2" * 64), ("b.png", SHA)])
def test_what_is_in_hand_is_waited_for(place: Place, name: str, sha256: str) -> None:
    place.in_hand.take(work("a.png"), SHA)
    found: list[object] = []
    asking = threading.Thread(target=lambda: found.append(place.look_up(name, sha256)))

    asking.start()
    file, finding = place.record.write(b"a.png", answered(by_it(classified())))
    record(place.journal, b"a.png", STATE, finding, file)
    early = list(found)
    place.in_hand.put_down(work("a.png"), SHA)
    asking.join(60)

    assert early == []
    assert [type(known) for known in found] == [type(None) if name == "a.png" else Original]


def test_the_end_ends_the_waiting(place: Place) -> None:
    place.in_hand.take(work("a.png"), SHA)
    place.stop.set()

    assert place.look_up("a.png") is None


def test_the_answer_given_again_says_whose_it_is() -> None:
    original = Original(7, classified("ward/a.png", notes=("taken for inverted",)), b"png")

    given = answer_again(original, opened("b\udcff.png"), clock=LATER)

    finding = given.finding
    assert (given.heatmap, given.same_as, given.grey, given.answer) == (b"png", 7, None, None)
    assert (finding.source, finding.same_as, finding.heatmap) == ("b\\xff.png", "ward/a.png", None)
    assert (finding.probability, finding.notes) == (0.9, ("taken for inverted",))
    assert (finding.received, finding.finished) == ("2024-05-01T09:30:00.000Z", "2024-05-01T10:30:00.000Z")
    assert finding.milliseconds == {"read": 1.0, "total": 2.0}
