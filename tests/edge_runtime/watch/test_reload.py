import gc
import queue
import signal
import threading
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edge_runtime.config.config import Configuration, resolve
from edge_runtime.config.settings import Settings
from edge_runtime.errors import EngineError
from edge_runtime.model import installing, store
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.options import classifier_of
from edge_runtime.watch.answering import watch
from edge_runtime.watch.reload import InForce, Reloader
from edge_runtime.watch.signals import reread_signal
from tests.bundles import remake
from tests.edge_runtime.findings import MOMENT
from tests.edge_runtime.pictures import BRIGHT, DARK, picture, put
from tests.edge_runtime.watch.test_watch import DEADLINE, SETTLE, Listener

NOWHERE = Path("/nonexistent/config.toml")
OFTEN = 0.01


class Told:
    """Collects what is said, by whom, in order."""

    def __init__(self) -> None:
        self._said: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()

    def by(self, who: str) -> Callable[..., None]:
        return lambda sentence="": self._said.put((who, sentence))

    def next(self) -> tuple[str, str]:
        return self._said.get(timeout=DEADLINE)

    def nothing(self) -> bool:
        return self._said.empty()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def environment(place: Path) -> dict[str, str]:
    return {store.VARIABLE: str(place)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("threads = 1\n")
    return path


def install(place: Path, file: Path) -> str:
    """Make it current, whether it gives its golden vectors or not."""

    def believe(opened: Bundle) -> str:
        return opened.info.name

    return str(installing.install(place, file, believe, MOMENT).current)


def make(
    file: Path,
    environment: Mapping[str, str],
    told: Told,
    *,
    kind: type[Reloader] = Reloader,
    prove: Callable[[Classifier], object] | None = None,
) -> Reloader:
    def read() -> Configuration:
        return resolve({}, file, environment, default_file=NOWHERE)

    chosen = read()
    proving: dict[str, Any] = {} if prove is None else {"prove": prove}
    return kind(
        InForce(chosen, classifier_of(chosen, environment)),
        read,
        seen=store.stamp(store.folder(environment)),
        environment=environment,
        note=told.by("note"),
        failed=told.by("failed"),
        reloading=told.by("reloading"),
        ready=told.by("ready"),
        seconds=OFTEN,
        **proving,
    )


def model(reloader: Reloader) -> str:
    return reloader.classifier().bundle.info.name


# A new model in the store


def test_an_installed_model_answers_from_then_on_and_a_rollback_takes_it_back(
    place: Path, file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, small_bundle: Path
) -> None:
    tiny = install(place, tiny_bundle)

    with make(file, environment, told) as reloader:
        assert model(reloader) == "tiny"
        small = install(place, small_bundle)
        installed = told.next()
        assert model(reloader) == "small"
        installing.rollback(place, lambda opened: opened.info.name)
        rolled_back = told.next()
        assert model(reloader) == "tiny"

    assert installed == ("note", f"from now on small ({small[:12]}) answers; it was tiny ({tiny[:12]})")
    assert rolled_back == ("note", f"from now on tiny ({tiny[:12]}) answers; it was small ({small[:12]})")
    assert told.nothing()


def test_a_model_installed_while_the_watcher_started_is_noticed(
    place: Path, file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, small_bundle: Path
) -> None:
    install(place, tiny_bundle)
    reloader = make(file, environment, told)
    install(place, small_bundle)

    with reloader:
        assert told.next()[1].startswith("from now on small ")


def test_a_model_that_does_not_give_its_golden_vectors_is_refused_and_the_old_one_answers(
    place: Path, file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, tmp_path: Path
) -> None:
    tiny = install(place, tiny_bundle)
    bad = remake(tiny_bundle, tmp_path / "bad.tflite", name="bad", golden_off=5)

    with make(file, environment, told) as reloader:
        before = reloader.classifier()
        install(place, bad)
        said = [told.next(), told.next()]

        assert reloader.classifier() is before
        # It is not tried again until something changes.
        install(place, tiny_bundle)
        remade = remake(tiny_bundle, tmp_path / "c.tflite", name="better")
        install(place, remade)
        assert told.next()[1].startswith("from now on better ")

    sentence = f"the new model is refused, tiny ({tiny[:12]}) goes on answering: "
    assert [who for who, _ in said] == ["failed", "note"]
    assert all(words.startswith(sentence) and "does not compute what" in words for _, words in said)


@pytest.mark.parametrize("damage", ["record", "bundle", "gone"])
def test_a_damaged_store_leaves_the_old_model(
    place: Path, file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, small_bundle: Path, damage: str
) -> None:
    install(place, tiny_bundle)

    with make(file, environment, told) as reloader:
        if damage == "record":
            (place / "models.json").write_text("{")
        elif damage == "gone":
            (place / "models.json").write_text(f'{{"current": "{"0" * 64}"}}')
        else:
            copy = place / f"{'1' * 64}.tflite"
            copy.write_bytes(small_bundle.read_bytes()[:-1000])
            (place / "models.json").write_text(f'{{"current": "{"1" * 64}"}}')
        sentence = told.next()[1]

        assert model(reloader) == "tiny"
    assert sentence.startswith("the new model is refused, tiny ")


def test_settings_that_name_a_model_go_before_the_store(
    place: Path, file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, small_bundle: Path
) -> None:
    install(place, tiny_bundle)
    file.write_text(f'threads = 1\nbundle = "{tiny_bundle}"\n')

    with make(file, environment, told) as reloader:
        install(place, small_bundle)
        reloader.request()
        assert told.next()[0] == "reloading"
        assert told.next() == ("note", "the settings have been read again: nothing has changed")
        assert told.next()[0] == "ready"
        assert model(reloader) == "tiny"

        file.write_text('threads = 1\nbundle = "installed"\n')
        reloader.request()
        assert told.next()[0] == "reloading"
        assert " small (" in told.next()[1]
        assert model(reloader) == "small"


# New settings


def reread(reloader: Reloader, told: Told) -> list[str]:
    """The notes of one reload; what was refused has been told to both."""
    reloader.request()
    assert told.next()[0] == "reloading"
    said = []
    while (one := told.next())[0] != "ready":
        said.append(one)
    notes = [sentence for who, sentence in said if who == "note"]
    assert [sentence for who, sentence in said if who == "failed"] == [s for s in notes if "stay as they were" in s]
    return notes


def test_new_settings_are_taken_over_and_said(
    file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path
) -> None:
    heard: list[Settings] = []
    file.write_text(f'bundle = "{tiny_bundle}"\nthreads = 1\n')
    reloader = make(file, environment, told)
    reloader.on_change(heard.append)

    with reloader:
        before = reloader.classifier()
        file.write_text(
            f'bundle = "{tiny_bundle}"\nthreads = 1\noperating_point = "screening"\n'
            '[watch]\norder = "newest"\nheatmaps = false\n[retention]\ndays = 7\n'
        )
        notes = reread(reloader, told)
        after = reloader.classifier()

    assert notes == [
        "the settings have been read again: operating_point is screening (it was not set), "
        "watch.order is newest (it was oldest), watch.heatmaps is False (it was True), retention.days is 7 (it was 0)"
    ]
    assert (before.operating_point, after.operating_point, after.threshold) == ("balanced", "screening", 0.1)
    assert after.engine is before.engine
    assert reloader.settings().retention.days == 7
    assert heard == [reloader.settings()]


def test_another_number_of_threads_is_another_engine(
    file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path
) -> None:
    file.write_text(f'bundle = "{tiny_bundle}"\nthreads = 1\n')

    with make(file, environment, told) as reloader:
        file.write_text(f'bundle = "{tiny_bundle}"\nthreads = 2\n')
        reread(reloader, told)

        assert reloader.classifier().engine.name.endswith("2 threads")


def test_what_cannot_change_while_it_runs_is_said_with_its_line(
    file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path
) -> None:
    file.write_text(f'bundle = "{tiny_bundle}"\n[watch]\nfolder = "/a"\n')

    with make(file, environment, told) as reloader:
        file.write_text(f'bundle = "{tiny_bundle}"\n[watch]\norder = "newest"\nfolder = "/b"\ninput = "move"\n')
        notes = reread(reloader, told)

        assert notes == [
            f"watch.folder takes a new start to change and stays /a (see {file}, line 4)",
            f"watch.input takes a new start to change and stays leave (see {file}, line 5)",
            "the settings have been read again: watch.order is newest (it was oldest)",
        ]
        assert reloader.settings().watch.folder == Path("/a")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[watch]\nodrer = 1\n", "line 2: there is no setting 'odrer' in [watch]; did you mean 'order'?"),
        ("threads = \n", "is no TOML"),
        ('operating_point = "strict"\n[watch]\norder = "newest"\n', "has no operating point 'strict'"),
        ('bundle = "gone.tflite"\n', "there is no model bundle at"),
        (None, "there is no settings file"),
    ],
)
def test_wrong_settings_leave_all_as_it_was(
    file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, text: str | None, sentence: str
) -> None:
    environment["EDGE_PNEUMO_MODELS"] = str(file.parent / "models")
    install(file.parent / "models", tiny_bundle)

    with make(file, environment, told) as reloader:
        before = reloader.in_force
        if text is None:
            file.unlink()
        else:
            file.write_text(text)
        (note,) = reread(reloader, told)

        assert reloader.in_force is before
        file.write_text('operating_point = "screening"\n')
        assert "operating_point is screening" in reread(reloader, told)[0]
    assert note.startswith("the settings stay as they were: ")
    assert sentence in note


def test_a_proof_that_breaks_does_not_end_the_thread(
    place: Path, file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, small_bundle: Path
) -> None:
    install(place, tiny_bundle)
    errors: list[Exception] = [MemoryError("none left"), EngineError("too slow")]

    def prove(_: Classifier) -> None:
        if errors:
            raise errors.pop(0)

    with make(file, environment, told, prove=prove) as reloader:
        install(place, small_bundle)
        first = [told.next(), told.next()]
        second = reread(reloader, told)
        third = reread(reloader, told)

    assert first[0][1].endswith("goes on answering: MemoryError: none left")
    assert second == ["the settings stay as they were: too slow"]
    assert " small (" in third[0]


# While radiographs are answered


class Restless(Reloader):
    """Exchanges the model for the other one before each radiograph."""

    def __init__(self, *arguments: object, **named: object) -> None:
        super().__init__(*arguments, **named)  # type: ignore[arg-type]
        self.others: list[Classifier] = []

    def classifier(self) -> Classifier:
        self.others.append(self.others.pop(0))
        return self.others[0]


def test_a_picture_is_concluded_by_the_model_it_was_prepared_for(
    tmp_path: Path, file: Path, environment: dict[str, str], told: Told, tiny_bundle: Path, small_bundle: Path
) -> None:
    # Arrange: two models that take pictures of different sizes
    reloader = make(file, environment, told, kind=Restless)
    assert isinstance(reloader, Restless)
    for bundle_file in (tiny_bundle, small_bundle):
        chosen = resolve({"bundle": bundle_file, "threads": 1}, None, environment, default_file=NOWHERE)
        reloader.others.append(classifier_of(chosen, environment))
    for number in range(20):
        put(tmp_path / "in" / f"{number:02}.png", picture((DARK, BRIGHT)[number % 2], seed=number), age=99 - number)
    listener = Listener()

    # Act
    watch(tmp_path / "in", tmp_path / "out", reloader, once=True, settle=SETTLE, sinks=[listener])

    # Assert
    heard = sorted(listener.heard, key=lambda finding: finding.source)
    assert [finding.label for finding in heard] == ["NORMAL", "PNEUMONIA"] * 10
    assert {finding.model.name for finding in heard} == {"tiny", "small"}
    assert [a.model.name != b.model.name for a, b in zip(listener.heard, listener.heard[1:], strict=False)] == [
        True
    ] * 19


def test_a_model_is_exchanged_between_two_radiographs(
    tmp_path: Path,
    place: Path,
    file: Path,
    environment: dict[str, str],
    told: Told,
    tiny_bundle: Path,
    small_bundle: Path,
) -> None:
    install(place, tiny_bundle)
    reloader = make(file, environment, told)
    first = weakref.ref(reloader.classifier())
    folder, stop, listener = tmp_path / "in", threading.Event(), Listener()
    put(folder / "0.png", picture(DARK))
    thread = threading.Thread(
        target=lambda: watch(folder, tmp_path / "out", reloader, settle=SETTLE, stop=stop, sinks=[listener])
    )

    thread.start()
    try:
        listener.wait_for(1)
        install(place, small_bundle)
        assert told.next()[1].startswith("from now on small ")
        put(folder / "1.png", picture(BRIGHT))
        listener.wait_for(2)
        file.write_text(
            'threads = 1\noperating_point = "screening"\n'
            "[watch]\nheatmaps = false\nsettle = 0\n[limits]\nmegabytes = 1\n"
        )
        reread(reloader, told)
        # Moved in: where nothing settles they would be read while they are written.
        put(tmp_path / "2.png", picture(DARK, seed=2)).rename(folder / "2.png")
        listener.wait_for(3)
        put(tmp_path / "3.png", b"x" * 1_000_001).rename(folder / "3.png")
        heard = listener.wait_for(4)
        gc.collect()
        assert first() is None  # it has given its memory back
    finally:
        stop.set()
        thread.join(DEADLINE)

    assert not thread.is_alive()
    assert [(f.source, f.label, f.model.name, f.operating_point, f.heatmap is not None) for f in heard] == [
        ("0.png", "NORMAL", "tiny", "balanced", True),
        ("1.png", "PNEUMONIA", "small", "balanced", True),
        ("2.png", "NORMAL", "small", "screening", False),
        ("3.png", None, "small", None, False),
    ]
    assert "larger than" in str(heard[3].reason)


def test_a_signal_that_is_ignored_stays_so() -> None:
    stop = threading.Event()
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with reread_signal(stop):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
        with reread_signal(stop):
            assert callable(signal.getsignal(signal.SIGHUP))
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_signal_that_comes_early_is_passed_on() -> None:
    requests: list[str] = []
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with reread_signal(threading.Event()) as on_reread:
            signal.raise_signal(signal.SIGHUP)
            on_reread(lambda: requests.append("early"))
            early = list(requests)
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)

    assert early == ["early"]
    assert requests == ["early", "early"]
