"""One film, one picture, one finding: through the whole watcher, with real files and a real stream."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge_runtime.camera import filming
from edge_runtime.config.settings import CameraSettings
from edge_runtime.errors import EdgePneumoError
from edge_runtime.finding import Finding, from_json
from edge_runtime.health.health import Health
from edge_runtime.locate import JOURNAL
from edge_runtime.model import bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.watch.answering import watch
from tests.edge_runtime.camera.doubles import (
    DEADLINE,
    BrightFilms,
    NetworkCamera,
    empty,
    network_camera,
    video,
    with_film,
)
from tests.edge_runtime.processes import usual_signals

ROOT = Path(__file__).parents[3]
NEVER_SETTLES = 3600.0


@pytest.fixture(scope="module")
def classifier(tiny_bundle: Path) -> Classifier:
    opened = bundle.read(tiny_bundle)
    return Classifier(opened, open_engine(opened, 1))


@pytest.fixture(autouse=True)
def bright_films(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(filming, "_film_tracker", BrightFilms)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "films").mkdir()
    return tmp_path / "films"


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "out"


class Heard:
    """A sink, and the notes and the health of a watcher."""

    def __init__(self) -> None:
        self.findings, self.notes, self.health = list[Finding](), list[str](), Health()
        self._changed = threading.Condition()

    def accept(self, finding: Finding) -> None:
        with self._changed:
            self.findings.append(finding)
            self._changed.notify_all()

    def note(self, sentence: str) -> None:
        with self._changed:
            self.notes.append(sentence)
            self._changed.notify_all()

    def wait_for(self, condition: Callable[["Heard"], object]) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: bool(condition(self)), DEADLINE), (self.findings, self.notes)


@contextmanager
def watching(folder: Path, results: Path, classifier: Classifier, device: str) -> Iterator[Heard]:
    """A watcher with a camera, in a thread, whose folder is never taken to be complete by waiting."""
    stop, heard, errors = threading.Event(), Heard(), list[BaseException]()

    def work() -> None:
        try:
            watch(
                folder,
                results,
                classifier,
                settle=NEVER_SETTLES,
                camera=CameraSettings(device=device),
                stop=stop,
                sinks=[heard],
                note=heard.note,
                health=heard.health,
            )
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield heard
    finally:
        stop.set()
        thread.join(DEADLINE)
    assert not thread.is_alive()
    assert errors == []


def names(folder: Path, pattern: str = "[!.]*") -> list[str]:
    return sorted(path.name for path in folder.glob(pattern) if not path.name.startswith(JOURNAL))


def test_each_film_of_a_video_is_one_picture_and_one_finding(
    folder: Path, results: Path, classifier: Classifier, tmp_path: Path
) -> None:
    frames = [empty(), with_film(200, 1), with_film(200, 1), empty(), with_film(60, 2), with_film(60, 2), empty()]
    heard = Heard()

    watch(
        folder,
        results,
        classifier,
        once=True,
        settle=0.05,
        camera=CameraSettings(device=str(video(tmp_path / "v.avi", frames))),
        sinks=[heard],
    )

    films = names(folder)
    assert len(films) == 2
    assert names(results) == sorted(
        f"{film}{suffix}" for film in films for suffix in (".json", ".heatmap.png", ".photograph.jpg")
    )
    found = {finding.source: finding for finding in heard.findings}
    assert [found[film].label for film in films] == ["PNEUMONIA", "NORMAL"]
    film = found[films[0]].film
    assert film is not None
    assert (film.grade, film.camera, film.inverted) == ("good", "v.avi", False)
    database = sqlite3.connect(results / JOURNAL)
    rows = database.execute("SELECT CAST(name AS TEXT) FROM answers ORDER BY name").fetchall()
    database.close()
    assert [name for (name,) in rows] == films


def test_film_is_answered_without_waiting_for_it_to_settle(folder: Path, results: Path, classifier: Classifier) -> None:
    with network_camera() as camera, watching(folder, results, classifier, camera.url) as heard:
        (folder / "copied.png").write_bytes(b"may be written to for long")
        camera.frame = with_film()
        heard.wait_for(lambda heard: heard.findings)

    assert [finding.source for finding in heard.findings] == names(folder, "film-*")


def test_what_is_on_the_disk_when_is_in_order(folder: Path, results: Path, classifier: Classifier) -> None:
    """A finding is told of when it, its heat map, its film and its photograph are there."""
    there: list[list[str]] = []

    class Looks(Heard):
        def accept(self, finding: Finding) -> None:
            there.append([*names(folder), *names(results, "film-*")])
            super().accept(finding)

    heard, stop = Looks(), threading.Event()
    with network_camera() as camera:
        thread = threading.Thread(
            target=watch,
            args=(folder, results, classifier),
            kwargs={"camera": CameraSettings(device=camera.url), "stop": stop, "sinks": [heard]},
        )
        thread.start()
        camera.frame = with_film()
        heard.wait_for(lambda heard: heard.findings)
        stop.set()
        thread.join(DEADLINE)

    name = heard.findings[0].source
    assert there == [[name, f"{name}.heatmap.png", f"{name}.json", f"{name}.photograph.jpg"]]


def test_poor_photograph_is_rejected_with_what_to_do(
    folder: Path, results: Path, classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filming, "_film_tracker", lambda still: BrightFilms(still, grade="poor"))
    heard = Heard()
    file = video(tmp_path / "v.avi", [with_film(), empty()])

    watch(folder, results, classifier, once=True, settle=0.05, camera=CameraSettings(device=str(file)), sinks=[heard])

    (finding,) = heard.findings
    assert (finding.status, finding.label) == ("rejected", None)
    assert (finding.reason or "").startswith("a poor photograph of a film")
    assert finding.film is not None
    assert finding.film.grade == "poor"


def test_camera_that_is_switched_off_is_said_and_used_again(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    with network_camera() as camera, watching(folder, results, classifier, camera.url) as heard:
        camera.frame = with_film(seed=1)
        heard.wait_for(lambda heard: heard.findings)
        camera.state = "off"
        heard.wait_for(lambda heard: heard.notes)
        degraded = [trouble.part for trouble in heard.health.snapshot().degraded]
        camera.frame, camera.state = empty(), "sends"
        heard.wait_for(lambda heard: heard.notes[-1].endswith("works again"))
        recovered = [trouble.part for trouble in heard.health.snapshot().degraded]
        camera.frame = with_film(seed=2)
        heard.wait_for(lambda heard: len(heard.findings) == 2)

    assert (degraded, recovered) == (["camera"], [])
    assert camera.most_viewers == 1


def test_files_are_answered_while_the_camera_is_away(folder: Path, results: Path, classifier: Classifier) -> None:
    heard, stop = Heard(), threading.Event()
    thread = threading.Thread(
        target=watch,
        args=(folder, results, classifier),
        kwargs={"camera": CameraSettings(device="/dev/video63"), "stop": stop, "sinks": [heard], "settle": 0.05},
    )
    thread.start()
    (folder / "scan.png").write_bytes(b"no radiograph")
    heard.wait_for(lambda heard: heard.findings)
    stop.set()
    thread.join(DEADLINE)

    assert [finding.source for finding in heard.findings] == ["scan.png"]


def test_video_that_cannot_be_read_ends_the_watcher_with_a_sentence(
    folder: Path, results: Path, classifier: Classifier
) -> None:
    with pytest.raises(EdgePneumoError, match=r"the video test_watch\.py is no video that can be read"):
        watch(folder, results, classifier, camera=CameraSettings(device=__file__))


def test_film_is_answered_at_the_next_start_if_the_power_failed_before(
    folder: Path, results: Path, classifier: Classifier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the disk is when the power fails between the photograph and the answer."""
    from edge_runtime.watch import pipeline

    file = video(tmp_path / "v.avi", [with_film(seed=1), empty(), empty()])

    def fails(*_: object, **__: object) -> None:
        raise SystemExit("the power fails")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "conclude", fails)
        with pytest.raises(SystemExit):
            watch(folder, results, classifier, once=True, settle=0.0, camera=CameraSettings(device=str(file)))
    (film,) = names(folder)
    before = names(results)
    heard = Heard()

    watch(folder, results, classifier, once=True, settle=0.0, sinks=[heard])

    assert before == [f"{film}.photograph.jpg"]
    assert [finding.source for finding in heard.findings] == [film]
    assert names(results) == [f"{film}.heatmap.png", f"{film}.json", f"{film}.photograph.jpg"]


# The command


def start(folder: Path | None, tiny_bundle: Path, place: Path, *words: str) -> subprocess.Popen[str]:
    """``edge-pneumo watch`` with what takes bright frames for films."""
    patched = (
        "import sys; from edge_runtime.camera import filming; from edge_runtime.cli import main;"
        "from tests.edge_runtime.camera.doubles import BrightFilms; filming._film_tracker = BrightFilms;"
        "sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", patched, "watch", *([] if folder is None else [str(folder)])]
    return subprocess.Popen(
        [*command, "--bundle", str(tiny_bundle), "--threads", "1", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=place,
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        preexec_fn=usual_signals,
    )


def read_until(process: "subprocess.Popen[str]", words: str) -> str:
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if words in line:
            return text
    raise AssertionError(text)


@contextmanager
def killed_at_the_end(process: "subprocess.Popen[str]") -> Iterator[None]:
    try:
        yield
    finally:
        process.kill()
        process.communicate()


def test_without_a_folder_films_are_kept_in_one_that_is_made(tmp_path: Path, tiny_bundle: Path) -> None:
    file = video(tmp_path / "v.avi", [with_film(), empty()])

    process = start(None, tiny_bundle, tmp_path, "--camera", str(file), "--once")
    said, _ = process.communicate(timeout=DEADLINE)

    assert process.returncode == 0, said
    assert len(names(tmp_path / "films", "film-*.png")) == 1
    assert len(names(tmp_path / "films-results", "film-*.json")) == 1


def test_wrong_camera_is_one_sentence_before_anything_is_loaded(tmp_path: Path, tiny_bundle: Path) -> None:
    process = start(None, tiny_bundle, tmp_path, "--camera", "picamera")
    said, _ = process.communicate(timeout=DEADLINE)

    assert process.returncode == 2
    assert said.startswith("error: there is no camera 'picamera'; did you mean picamera2?")


def test_kill_leaves_no_process_that_owns_the_camera(tmp_path: Path, folder: Path, tiny_bundle: Path) -> None:
    with network_camera() as camera:
        process = start(folder, tiny_bundle, tmp_path, "--camera", camera.url)
        with killed_at_the_end(process):
            wait_until(lambda: camera.viewers == 1)
            process.send_signal(signal.SIGKILL)
            process.wait(DEADLINE)
            wait_until(lambda: camera.viewers == 0)

    assert camera.most_viewers == 1


def test_film_is_answered_after_a_kill_at_any_moment(tmp_path: Path, folder: Path, tiny_bundle: Path) -> None:
    with network_camera() as camera:
        process = start(folder, tiny_bundle, tmp_path, "--camera", camera.url, "--settle", "3600")
        with killed_at_the_end(process):
            wait_until(lambda: camera.viewers == 1)
            camera.frame = with_film()
            wait_until(lambda: names(folder, "film-*.png"))
            process.send_signal(signal.SIGKILL)
    again = start(folder, tiny_bundle, tmp_path, "--once", "--settle", "0")
    said, _ = again.communicate(timeout=DEADLINE)

    assert again.returncode == 0, said
    (film,) = names(folder, "film-*.png")
    results = tmp_path / "films-results"
    assert names(results, "film-*.json") == [f"{film}.json"]
    assert from_json((results / f"{film}.json").read_bytes()).film is not None
    assert names(results, "film-*.photograph.jpg") == [f"{film}.photograph.jpg"]


def test_settings_that_are_read_again_take_over_another_camera(tmp_path: Path, folder: Path, tiny_bundle: Path) -> None:
    file = tmp_path / "c.toml"
    with network_camera() as first, network_camera() as second:
        write(file, first)
        process = start(folder, tiny_bundle, tmp_path, "--config", str(file))
        with killed_at_the_end(process):
            wait_until(lambda: first.viewers == 1)
            read_until(process, "not a medical device")
            write(file, second)
            process.send_signal(signal.SIGHUP)
            said = read_until(process, "have been read again")
            wait_until(lambda: (first.viewers, second.viewers) == (0, 1))
            file.write_text('[camera]\ndevice = "picamera"\n')
            process.send_signal(signal.SIGHUP)
            refused = read_until(process, "stay as they were")
            process.send_signal(signal.SIGTERM)
            process.wait(DEADLINE)

    assert "camera.device is http://127.0.0.1" in said
    assert "secret" not in said
    assert "did you mean picamera2" in refused
    assert second.viewers == 0


def write(file: Path, camera: NetworkCamera) -> None:
    device = camera.url.replace("://", "://ward:secret@")
    file.write_text(f"[camera]\ndevice = {json.dumps(device)}\n")


def wait_until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
