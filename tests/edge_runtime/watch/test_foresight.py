"""What an answer takes is done while its file settles, and none of it holds for other bytes or another model."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from mmap import mmap
from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.answer import Opened
from edge_runtime.clock import Clock
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding, from_json, timestamp
from edge_runtime.model import bundle, heatmap
from edge_runtime.model.classifier import Classifier
from edge_runtime.sources import Work
from edge_runtime.watch.answering import watch
from edge_runtime.watch.foresight import KEPT_SECONDS, MOST, Foresight
from edge_runtime.watch.prepared import Prepared
from tests.edge_runtime.findings import MOMENT
from tests.edge_runtime.listening import wait_until_listened_to
from tests.edge_runtime.pictures import BRIGHT, DARK, picture, put
from tests.engines import ScriptedEngine, bundle_without_model

DEADLINE = 60.0
NEVER = 3600.0
DATA = b"the bytes of a file"


class Time:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock = Clock(now=lambda: MOMENT, seconds=lambda: self.seconds)


@pytest.fixture
def time_() -> Time:
    return Time()


@pytest.fixture
def foresight(time_: Time) -> Foresight:
    return Foresight(lambda: True, clock=time_.clock)


@pytest.fixture
def scripted() -> Classifier:
    return Classifier(bundle_without_model(), ScriptedEngine([9, 0, 0]))


def prepared(classifier: Classifier, data: bytes = DATA) -> Prepared:
    opened = Opened(
        source="a.png",
        sha256=sha256(data).hexdigest(),
        grey=np.zeros((8, 8), np.uint8),
        pixels=np.zeros((1, 224, 224, 1), np.uint8),
        reason=None,
        received=datetime(2024, 5, 1, tzinfo=UTC),
        milliseconds={"read": 5.0, "decode": 2.0, "total": 7.0},
    )
    return Prepared(opened, None, classifier)


def test_the_same_bytes_and_model_are_taken_once(foresight: Foresight, scripted: Classifier) -> None:
    kept = foresight.keep(b"a.png", prepared(scripted))

    assert foresight.take(b"a.png", DATA, scripted) is kept
    assert foresight.take(b"a.png", DATA, scripted) is None


@pytest.mark.parametrize(("key", "data"), [(b"b.png", DATA), (b"a.png", b"others"), (b"a.png", OSError())])
def test_another_file_or_other_bytes_take_nothing(
    foresight: Foresight, scripted: Classifier, key: bytes, data: bytes | OSError
) -> None:
    foresight.keep(b"a.png", prepared(scripted))

    assert foresight.take(key, data, scripted) is None


def test_another_model_takes_nothing(foresight: Foresight, scripted: Classifier) -> None:
    foresight.keep(b"a.png", prepared(scripted))

    assert foresight.take(b"a.png", DATA, Classifier(scripted.bundle, scripted.engine)) is None


def test_what_was_prepared_without_a_heat_map_is_not_taken_where_one_is_wanted(
    time_: Time, scripted: Classifier
) -> None:
    are_drawn = [False]
    foresight = Foresight(lambda: are_drawn[0], clock=time_.clock)
    foresight.keep(b"a.png", prepared(scripted))

    are_drawn[0] = True

    assert foresight.take(b"a.png", DATA, scripted) is None


def test_only_so_many_are_prepared_and_the_first_makes_room_in_time(
    foresight: Foresight, scripted: Classifier, time_: Time
) -> None:
    names = [b"%d" % number for number in range(MOST)]
    for name in names:
        assert foresight.has_room(name)
        foresight.keep(name, prepared(scripted))

    assert not foresight.has_room(b"another")

    time_.seconds = KEPT_SECONDS

    assert foresight.has_room(b"another")
    assert [foresight.take(name, DATA, scripted) is None for name in names] == [True, False, False, False]


def test_a_file_that_is_prepared_again_takes_no_more_room(foresight: Foresight, scripted: Classifier) -> None:
    for _ in range(MOST + 1):
        assert foresight.has_room(b"a.png")
        foresight.keep(b"a.png", prepared(scripted))


def test_the_answer_has_the_times_of_the_complete_file(scripted: Classifier, time_: Time) -> None:
    foreseen = Foresight(lambda: False, clock=time_.clock).keep(b"a.png", prepared(scripted))
    work = Work("a.png", b"a.png", FileState(1, 1, 1, 1, 1), MOMENT)

    foreseen.ask(lambda one: (one.opened, None), lambda _: Future(), clock=time_.clock)
    finding = foreseen.answer_to(work, 1.5, clock=time_.clock).finding

    assert finding.received == timestamp(MOMENT)
    assert finding.milliseconds == {"read": 1.5, "decode": 2.0, "total": 3.5}


# A watcher


class Listener:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.heard: list[Finding] = []

    def accept(self, finding: Finding) -> None:
        self.heard.append(finding)


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def watching(place: Path, classifier: Classifier, *, settle: float, heatmaps: bool = True) -> Iterator[Listener]:
    """A watcher in a thread that hears of what arrives."""
    (place / "in").mkdir()
    stop, listener = threading.Event(), Listener()

    def work() -> None:
        watch(place / "in", place / "out", classifier, settle=settle, heatmaps=heatmaps, stop=stop, sinks=[listener])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait_until_listened_to(place / "in")
        yield listener
    finally:
        stop.set()
        thread.join(DEADLINE)
    assert not thread.is_alive()


@pytest.fixture
def engine(tiny_bundle: Path) -> ScriptedEngine:
    return ScriptedEngine([0, 90, 0], features=np.zeros(bundle.read(tiny_bundle).gate.features.mean.shape, np.int8))


@pytest.fixture
def classifier(tiny_bundle: Path, engine: ScriptedEngine) -> Classifier:
    return Classifier(bundle.read(tiny_bundle), engine)


def on_disk(place: Path) -> list[str]:
    return sorted(path.name for path in (place / "out").rglob("[!.]*") if "journal" not in path.name)


def test_the_engine_is_asked_while_the_file_settles_and_nothing_is_told_of_it(
    tmp_path: Path, classifier: Classifier, engine: ScriptedEngine
) -> None:
    with watching(tmp_path, classifier, settle=NEVER) as listener:
        put(tmp_path / "in" / "a.png", picture(DARK))
        wait_until(lambda: engine.seen)
        time.sleep(0.2)

    assert len(engine.seen) == 1
    assert listener.heard == []
    assert on_disk(tmp_path) == []


@pytest.mark.parametrize("heatmaps", [True, False])
def test_the_answer_is_that_of_a_file_that_settles_at_once(
    tmp_path: Path, classifier: Classifier, engine: ScriptedEngine, *, heatmaps: bool
) -> None:
    data = picture(BRIGHT)
    usual, foreseen = tmp_path / "usual", tmp_path / "foreseen"
    put(usual / "in" / "a.png", data)
    watch(usual / "in", usual / "out", classifier, settle=0.0, heatmaps=heatmaps, once=True)
    engine.seen.clear()
    foreseen.mkdir()

    with watching(foreseen, classifier, settle=1.0, heatmaps=heatmaps) as listener:
        put(foreseen / "in" / "a.png", data)
        wait_until(lambda: engine.seen)
        assert listener.heard == []
        wait_until(lambda: listener.heard)

    assert len(engine.seen) == 1
    assert on_disk(foreseen) == on_disk(usual) == ["a.png.heatmap.png"] * heatmaps + ["a.png.json"]
    if heatmaps:
        name = "out/a.png.heatmap.png"
        assert (foreseen / name).read_bytes() == (usual / name).read_bytes()
    one, other = (from_json((place / "out" / "a.png.json").read_bytes()) for place in (usual, foreseen))
    assert one.milliseconds.keys() == other.milliseconds.keys()
    assert sum(ms for stage, ms in other.milliseconds.items() if stage != "total") <= other.milliseconds["total"] + 0.01
    assert without_times(one) == without_times(other)


def without_times(finding: Finding) -> Finding:
    return msgspec.structs.replace(finding, received="", finished="", milliseconds={})


def test_what_is_written_while_it_settles_is_answered_as_it_is_in_the_end(
    tmp_path: Path, classifier: Classifier, engine: ScriptedEngine
) -> None:
    last = picture(DARK, seed=2)

    with watching(tmp_path, classifier, settle=1.0) as listener:
        file = put(tmp_path / "in" / "a.png", picture(BRIGHT, seed=1))
        wait_until(lambda: engine.seen)
        file.write_bytes(last)
        wait_until(lambda: listener.heard)

    (finding,) = listener.heard
    assert finding.sha256 == sha256(last).hexdigest()
    assert len(engine.seen) == 2


def test_what_is_written_unheard_while_it_settles_is_seen(
    tmp_path: Path, classifier: Classifier, engine: ScriptedEngine
) -> None:
    """Through memory, which the system tells nobody of, of the same size, and with its times set back."""
    data = picture(DARK)
    other = b"x" * len(data)

    with watching(tmp_path, classifier, settle=1.0) as listener:
        file = put(tmp_path / "in" / "a.png", data)
        wait_until(lambda: engine.seen)
        before = file.stat()
        with file.open("r+b") as opened, mmap(opened.fileno(), 0) as memory:
            memory[:] = other
            memory.flush()
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
            wait_until(lambda: listener.heard)

    (finding,) = listener.heard
    assert (finding.status, finding.sha256) == ("rejected", sha256(other).hexdigest())


def test_what_is_refused_is_refused_while_it_settles(
    tmp_path: Path, classifier: Classifier, engine: ScriptedEngine
) -> None:
    with watching(tmp_path, classifier, settle=1.0) as listener:
        put(tmp_path / "in" / "a.png", b"no picture")
        wait_until(lambda: listener.heard)

    (finding,) = listener.heard
    assert (finding.status, finding.label, on_disk(tmp_path)) == ("rejected", None, ["a.png.json"])
    assert engine.seen == []


def test_the_same_bytes_again_are_answered_as_a_copy(tmp_path: Path, classifier: Classifier) -> None:
    data = picture(DARK)

    with watching(tmp_path, classifier, settle=0.5) as listener:
        put(tmp_path / "in" / "a.png", data)
        wait_until(lambda: len(listener.heard) == 1)
        put(tmp_path / "in" / "b.png", data)
        wait_until(lambda: len(listener.heard) == 2)

    assert [finding.same_as for finding in listener.heard] == [None, "a.png"]
    assert len(on_disk(tmp_path)) == 4


def test_the_heat_map_is_drawn_while_the_file_settles(
    tmp_path: Path, classifier: Classifier, engine: ScriptedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[bytes] = []
    really = heatmap.png

    def png(*arguments: object) -> bytes:
        drawn.append(really(*arguments))  # type: ignore[arg-type]
        return drawn[-1]

    monkeypatch.setattr(heatmap, "png", png)

    with watching(tmp_path, classifier, settle=NEVER):
        put(tmp_path / "in" / "a.png", picture(BRIGHT))
        wait_until(lambda: drawn)

    assert len(engine.seen) == 1
