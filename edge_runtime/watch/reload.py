"""A new model and new settings without a restart.

What answers is one object, ``InForce``, replaced as a whole. Whoever opens a radiograph asks for it once and passes it
on with the picture, so that a picture is concluded by the model it was prepared for, and an exchange falls between two
radiographs.

What makes an exchange:

1. The store's record changes (``edge-pneumo model install`` or ``rollback``) while the settings name no other model. It
   is looked at once a second.
2. SIGHUP: the settings file is read anew. The environment and the command line are those of the start.

A new model is opened and gives the golden vectors in a thread of its own, while the old one goes on answering. What
cannot be used is refused with a sentence, as a whole: model and settings stay what they were.
"""

import os
import queue
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal, Self

import msgspec

from edge_runtime import options
from edge_runtime.camera.choice import shown
from edge_runtime.config.config import TYPES, Configuration
from edge_runtime.config.settings import Settings
from edge_runtime.errors import EdgePneumoError
from edge_runtime.model import store
from edge_runtime.model.accelerated import Tell
from edge_runtime.model.accelerator import give_up, hand_over
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.pace import prove

LOOK_SECONDS: Final = 1.0
# The folders are open and listened to, the log has been begun, and an engine is judged at the start.
FIXED: Final = (
    *("watch.folder", "watch.results", "watch.input", "watch.done", "watch.refused"),
    *("watch.slow_engine", "gpio.led", "gpio.button", "log.names"),
)
_LAST_WORD_SECONDS: Final = 10.0
# While others are answered, how long an inference takes says little.
_PROVE: Final = partial(prove, allow_slow=True)

_Request = Literal["reread", "end"]


@dataclass(frozen=True, slots=True, eq=False)
class InForce:
    """What answers, by which settings.

    Attributes:
        configuration: Where the settings come from.
        classifier: Made by them.
    """

    configuration: Configuration
    classifier: Classifier

    @property
    def settings(self) -> Settings:
        return self.configuration.settings


class Reloader:
    """Holds what is in force, and exchanges it.

    Args:
        first: In force until something changes.
        read: Reads the settings anew; raises ``EdgePneumoError``.
        seen: The store's stamp from before ``first`` was opened; ``None`` for one that had no record then.
        tell: Told what becomes of an accelerator; ``None`` where nobody is.
        prove: Called with each classifier of another model or engine before it is in force; raises ``EdgePneumoError``
            where the golden vectors are not given.
        environment: Says where the store is.
        note: Takes one sentence for the person who runs this.
        failed: Takes what was refused, for ``edge-pneumo status``.
        reloading: Called when the settings begin to be read anew.
        ready: Called when that has ended, well or not.
        seconds: Between two looks at the store.
    """

    def __init__(
        self,
        first: InForce,
        read: Callable[[], Configuration],
        *,
        seen: store.Stamp = None,
        tell: Tell | None = None,
        prove: Callable[[Classifier], object] = _PROVE,
        environment: Mapping[str, str] = os.environ,
        note: Callable[[str], None] = lambda _: None,
        failed: Callable[[str], None] = lambda _: None,
        reloading: Callable[[], object] = lambda: None,
        ready: Callable[[], object] = lambda: None,
        seconds: float = LOOK_SECONDS,
    ) -> None:
        self._in_force = first
        self._read, self._tell = read, tell
        self._prove, self._environment = prove, environment
        self._store = store.folder(environment)
        self._note, self._failed, self._reloading, self._ready = note, failed, reloading, ready
        self._seconds = seconds
        self._seen = seen
        self._listeners: list[Callable[[Settings], None]] = []
        # Its ``put`` may be called by a signal handler, whatever the interrupted thread is doing.
        self._requests: queue.SimpleQueue[_Request] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="reload", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._requests.put("end")
        self._thread.join(_LAST_WORD_SECONDS)
        give_up(self._in_force.classifier.engine)

    @property
    def in_force(self) -> InForce:
        """Asked for once a radiograph, from any thread."""
        return self._in_force

    def classifier(self) -> Classifier:
        """What answers for the next radiograph."""
        return self._in_force.classifier

    def settings(self) -> Settings:
        """What holds for the next radiograph."""
        return self._in_force.settings

    def _reopen(self, chosen: Configuration, now: InForce) -> Classifier:
        classifier = reopen(chosen, now, self._environment, self._tell)
        if classifier.engine is not now.classifier.engine:
            self._prove(classifier)
        return classifier

    def on_change(self, listener: Callable[[Settings], None]) -> None:
        """Have new settings told, in the thread that has read them; before it is started."""
        self._listeners.append(listener)

    def request(self) -> None:
        """Have the settings read anew; may be called by a signal handler."""
        self._requests.put("reread")

    def _run(self) -> None:
        while True:
            try:
                request = self._requests.get(timeout=self._seconds)
            except queue.Empty:
                self._look()
                continue
            if request == "end":
                return
            self._reread()

    def _look(self) -> None:
        seen = store.stamp(self._store)
        if seen == self._seen:
            return
        self._seen = seen  # also if it is refused: it is not tried again until it changes again
        if not _uses_store(self._in_force.settings):
            return
        now = self._in_force
        try:
            classifier = self._reopen(now.configuration, now)
        except Exception as error:
            self._refuse(f"the new model is refused, {_model(now)} goes on answering: {_words(error)}")
            return
        if classifier is not now.classifier:
            self._in_force = InForce(now.configuration, classifier)
            hand_over(now.classifier.engine, classifier.engine)
            self._note(f"from now on {_model(self._in_force)} answers; it was {_model(now)}")

    def _reread(self) -> None:
        self._reloading()
        try:
            now = self._in_force
            self._seen = store.stamp(self._store)
            said = self._read()
            chosen, fixed = without_fixed(said, now.configuration)
            self._in_force = InForce(chosen, self._reopen(chosen, now))
            hand_over(now.classifier.engine, self._in_force.classifier.engine)
            for listener in self._listeners:
                listener(chosen.settings)
            for sentence in fixed:
                self._note(sentence)
            self._note(_changes(now, self._in_force))
        except Exception as error:
            self._refuse(f"the settings stay as they were: {_words(error)}")
        finally:
            self._ready()

    def _refuse(self, sentence: str) -> None:
        self._failed(sentence)
        self._note(sentence)


@contextmanager
def exchanging(
    classifier: Classifier | Reloader, change: Callable[[Settings], None]
) -> Generator[Callable[[], Classifier], None, None]:
    """What answers for the next radiograph: always the same one, or what a reloader has in force.

    Args:
        classifier: A reloader is started, and ended behind this.
        change: Told new settings, in another thread.
    """
    if not isinstance(classifier, Reloader):
        yield lambda: classifier
        return
    classifier.on_change(change)
    with classifier:
        yield classifier.classifier


def reopen(chosen: Configuration, now: InForce, environment: Mapping[str, str], tell: Tell | None = None) -> Classifier:
    """The classifier of a configuration; what is in force is used as far as it is the same.

    An accelerator can be open only once: what is new has none until it is in force, and ``hand_over`` gives it that.

    Raises:
        EdgePneumoError: The bundle, the engine or the operating point cannot be used.
    """
    old = now.classifier
    opened = options.bundle_of(chosen, environment)
    if _runs_alike(chosen.settings, now.settings) and opened.sha256 == old.bundle.sha256:
        same = options.classifier_with(chosen, old.bundle, old.engine)
        return old if same.operating_point == old.operating_point else same
    engine = options.engine_of(chosen, opened, proven=False, tell=tell, bare=tell is None)
    return options.classifier_with(chosen, opened, engine)


def without_fixed(said: Configuration, now: Configuration) -> tuple[Configuration, list[str]]:
    """What of new settings can be taken over by a watcher that runs, and a sentence for each setting that cannot."""
    settings, sentences = said.settings, []
    for key in FIXED:
        new, old, place = said.value(key), now.value(key), said.origins.get(key)
        if new == old:
            continue
        section, _, name = key.partition(".")
        kept = msgspec.structs.replace(getattr(settings, section), **{name: old})
        settings = msgspec.structs.replace(settings, **{section: kept})
        stays = "not set" if old is None else old
        sentences.append(
            f"{key} takes a new start to change and stays {stays}" + ("" if place is None else f" (see {place})")
        )
    return Configuration(settings, said.origins, said.file), sentences


def _runs_alike(one: Settings, other: Settings) -> bool:
    return (one.engine, one.threads, one.accelerator) == (other.engine, other.threads, other.accelerator)


def _uses_store(settings: Settings) -> bool:
    return settings.bundle is None or str(settings.bundle) == store.CURRENT


def _model(of: InForce) -> str:
    model = of.classifier.bundle
    return f"{model.info.name} ({model.sha256[:12]})"


def _changes(before: InForce, after: InForce) -> str:
    parts = []
    for key in TYPES:
        old, new = before.configuration.value(key), after.configuration.value(key)
        if old != new:
            parts.append(f"{key} is {_shown(key, new)} (it was {_shown(key, old)})")
    if before.classifier.bundle.sha256 != after.classifier.bundle.sha256:
        parts.append(f"{_model(after)} answers (it was {_model(before)})")
    return f"the settings have been read again: {', '.join(parts) or 'nothing has changed'}"


def _shown(key: str, value: object) -> str:
    if value is None or value == "":
        return "not set"
    return shown(str(value)) if key == "camera.device" else str(value)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, EdgePneumoError) else f"{type(error).__name__}: {error}"
