"""What a file takes before the engine is asked: it is read, decoded and looked up, in one thread."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from edge_runtime.answer import Opened, Screen, open_radiograph
from edge_runtime.clock import Clock
from edge_runtime.errors import ImageError
from edge_runtime.gate import ScreenedHere
from edge_runtime.health.health import Health
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.decode import Abandoned, Decode
from edge_runtime.sources import Source, Work
from edge_runtime.watch.foresight import Foreseen, Foresight
from edge_runtime.watch.prepared import Prepared

Known = TypeVar("Known")


@dataclass(frozen=True, slots=True, eq=False)
class Ahead(Generic[Known]):
    """A radiograph that can be inferred.

    Attributes:
        work: The file.
        prepared: Its content.
        known: What ``look_up`` found.
        foreseen: What was prepared of it while it settled; by the time this is had the engine has been asked.
    """

    work: Work
    prepared: Prepared
    known: Known
    foreseen: Foreseen | None = None


class Opening(Generic[Known]):
    """Opens what a source yields, each with the classifier that is in force then.

    Args:
        source: Is read from.
        current: What answers from now on, asked once a radiograph; its bundle's input and gate are used here, its
            engine is not.
        clock: For the time of each stage.
        look_up: What is known of a file.
        health: Told what this gets on with.
        decoder: What decodes; ``None`` for what decodes in this process.
        screen: Begins to look through the gate; ``None`` for what does in this process.
        foresight: Keeps what is prepared of a file that settles.
    """

    def __init__(
        self,
        source: Source,
        current: Callable[[], Classifier],
        clock: Clock,
        look_up: Callable[[Work, Opened, Classifier], Known],
        *,
        health: Health,
        decoder: Decode | None,
        screen: Screen | None,
        foresight: Foresight,
    ) -> None:
        self._source, self._current, self._clock, self._look_up = source, current, clock, look_up
        self._health, self._decoder, self._foresight = health, decoder, foresight
        self._screen = screen or partial(ScreenedHere, clock=clock)

    def foresee(self, work: Work) -> Foreseen | None:
        """Open a file that settles; ``None`` where that is not worth while, or it cannot be read."""
        if not self._foresight.has_room(work.key):
            return None
        data, milliseconds = self._read(work)
        if data is None:
            return None
        classifier = self._current()
        opened = self._decode(work, data, milliseconds, classifier)
        return self._foresight.keep(work.key, self._begin(opened, classifier))

    def open(self, work: Work) -> Ahead[Known] | None:
        """Open a file that is complete; ``None`` where there is nothing to answer any more."""
        data, milliseconds = self._read(work)
        if data is None:
            return None
        classifier = self._current()
        foreseen = self._foresight.take(work.key, data, classifier)
        if foreseen is not None:
            prepared = foreseen.prepared_for(work, milliseconds)
            return Ahead(work, prepared, self._look_up(work, prepared.unscreened, classifier), foreseen)
        opened = self._decode(work, data, milliseconds, classifier)
        del data
        prepared = self._begin(opened, classifier)  # the gate looks at it while this thread looks it up
        known = self._look_up(work, opened, classifier)
        return Ahead(work, prepared if known is None else Prepared(opened, None, classifier), known)

    def _read(self, work: Work) -> tuple[bytes | OSError | ImageError | None, float]:
        start = self._clock.seconds()
        data = self._source.read(work)
        milliseconds = self._clock.milliseconds_since(start)
        self._health.moved("read-ahead")
        return data, milliseconds

    def _decode(
        self, work: Work, data: bytes | OSError | ImageError, milliseconds: float, classifier: Classifier
    ) -> Opened:
        open_ = partial(
            open_radiograph,
            work.source,
            bundle=classifier.bundle,
            clock=self._clock,
            received=work.received,
            read_milliseconds=milliseconds,
            decoder=self._decoder,
        )
        try:
            return open_(data)
        except Abandoned:
            raise
        except Exception as error:
            # A fault of ours or of the decoder's: one such file must not keep all the others from being answered.
            return open_(ImageError(f"the decoder failed on it ({type(error).__name__}: {error})"))
        finally:
            self._health.moved("read-ahead")

    def _begin(self, opened: Opened, classifier: Classifier) -> Prepared:
        """Have the gate look at it, where there is something to be seen."""
        if opened.grey is None or opened.pixels is None:
            return Prepared(opened, None, classifier)
        return Prepared(opened, self._screen(opened.grey, classifier.bundle.gate), classifier)
