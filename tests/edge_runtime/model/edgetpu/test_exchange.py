"""A new model and new settings while an Edge TPU answers: it can be open only once."""

import queue
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.config.config import Configuration, resolve
from edge_runtime.health.health import Health
from edge_runtime.model import installing, store
from edge_runtime.model.accelerator import TellHealth, hand_over
from edge_runtime.model.bundle import Bundle
from edge_runtime.options import classifier_of
from edge_runtime.watch.reload import InForce, Reloader
from tests.edge_runtime.findings import MOMENT
from tests.edge_runtime.model.edgetpu import coral
from tests.edge_runtime.model.edgetpu.coral import Coral

DEADLINE = 60.0


@pytest.fixture
def health() -> Health:
    made = Health()
    made.ready()
    return made


@pytest.fixture
def settings(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text("threads = 1\n")
    return path


@pytest.fixture
def notes() -> "queue.SimpleQueue[str]":
    return queue.SimpleQueue()


@pytest.fixture
def reloader(
    plugged_in: Coral,
    health: Health,
    settings: Path,
    notes: "queue.SimpleQueue[str]",
    compiled_file: Path,
    tmp_path: Path,
) -> Iterator[Reloader]:
    """A watcher's, whose model an Edge TPU answers for."""
    assert plugged_in.opened == 0
    environment = {store.VARIABLE: str(tmp_path / "models")}
    install(tmp_path, compiled_file)

    def read() -> Configuration:
        return resolve({}, settings, environment, default_file=Path("/nonexistent/config.toml"))

    chosen, tell = read(), TellHealth(health, notes.put)
    first = InForce(chosen, classifier_of(chosen, environment, tell=tell))
    hand_over(None, first.classifier.engine)
    assert notes.get(timeout=DEADLINE).endswith(" answers")
    seen = store.stamp(store.folder(environment))
    made = Reloader(
        first, read, seen=seen, tell=tell, environment=environment, note=notes.put, failed=health.fail, seconds=0.01
    )
    with made:
        yield made


def install(folder: Path, file: Path) -> None:
    def believe(opened: Bundle) -> str:
        return opened.info.name

    installing.install(folder / "models", file, believe, MOMENT)


def who(reloader: Reloader, compiled: Bundle) -> str:
    classifier = reloader.classifier()
    outputs = classifier.engine.invoke(compiled.golden.pixels[:1])
    assert np.array_equal(outputs.scores, compiled.golden.scores[0])
    return classifier.engine.name


def test_a_new_model_gets_the_edge_tpu_of_the_old_one(
    reloader: Reloader,
    plugged_in: Coral,
    health: Health,
    notes: "queue.SimpleQueue[str]",
    compiled: Bundle,
    compiled_file: Path,
    tmp_path: Path,
) -> None:
    old = reloader.classifier()
    before = who(reloader, compiled)

    install(tmp_path, coral.with_compiled(compiled_file, tmp_path / "other.tflite", "other"))

    said = [notes.get(timeout=DEADLINE), notes.get(timeout=DEADLINE)]
    assert said[0].endswith(" answers")  # nothing was lost in between
    assert said[1].startswith("from now on other ")
    assert who(reloader, compiled) == before
    assert before.startswith("Edge TPU usb:0")
    assert plugged_in.opened == 2
    assert health.snapshot().state == "idle"
    # A radiograph that was prepared for the old model.
    assert np.array_equal(old.engine.invoke(compiled.golden.pixels[:1]).scores, compiled.golden.scores[0])
    assert not old.engine.name.startswith("Edge TPU")


def test_a_new_model_that_is_not_compiled_is_answered_for_by_the_cpu(
    reloader: Reloader, health: Health, notes: "queue.SimpleQueue[str]", compiled: Bundle, default_bundle: Path,
    tmp_path: Path,
) -> None:  # fmt: skip
    install(tmp_path, default_bundle)

    assert "compact was not compiled for an Edge TPU" in notes.get(timeout=DEADLINE)
    assert notes.get(timeout=DEADLINE).startswith("from now on compact ")
    assert not who(reloader, compiled).startswith("Edge TPU")
    (trouble,) = health.snapshot().degraded
    assert (trouble.part, health.snapshot().state) == ("engine", "degraded")


def test_settings_without_an_accelerator_set_it_free(
    reloader: Reloader,
    plugged_in: Coral,
    health: Health,
    notes: "queue.SimpleQueue[str]",
    settings: Path,
    compiled: Bundle,
) -> None:
    settings.write_text('threads = 1\naccelerator = "cpu"\n')

    reloader.request()

    assert notes.get(timeout=DEADLINE).endswith("accelerator is cpu (it was auto)")
    assert not who(reloader, compiled).startswith("Edge TPU")
    assert (health.snapshot().state, plugged_in.opened) == ("idle", 1)

    settings.write_text('threads = 1\naccelerator = "edgetpu"\n')
    reloader.request()

    assert notes.get(timeout=DEADLINE).endswith(" answers")
    assert notes.get(timeout=DEADLINE).endswith("accelerator is edgetpu (it was cpu)")
    assert who(reloader, compiled).startswith("Edge TPU usb:0")
