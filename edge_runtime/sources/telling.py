"""What a folder source has to say: sentences for the person who runs it, and the folder's part in the state."""

import threading
from collections.abc import Callable
from typing import Final

from edge_runtime.finding import printable
from edge_runtime.health.health import Health
from edge_runtime.naming import Naming
from edge_runtime.sources.listening import Listening
from edge_runtime.sources.retry import PARKED_SECONDS, Retries

SILENT_SECONDS: Final = 60.0
"""A call that has not returned by then is told of."""

_MOST_NOTED = 1000
_PARKED: Final = f"{PARKED_SECONDS / 60:.0f} minutes"


class Telling:
    """Says each thing once, and takes it back in the state when it is over.

    Args:
        root: The watched folder.
        note: Takes one sentence.
        health: Takes the state.
    """

    def __init__(self, root: str, note: Callable[[str], None], health: Health) -> None:
        self._root, self.note, self._health = printable(root), note, health
        self._noted: set[str] = set()
        self._lock = threading.Lock()
        self._troubles: dict[str, str] = {}

    def waiting(self, seconds: float) -> None:
        """A call has not returned for so long; called now and then."""
        self._health.moved("read-ahead")  # a new start of the program would not make the share answer
        if seconds >= SILENT_SECONDS:
            self._begin("call", f"{self._root} has not answered for a minute or more; it is waited for")

    def answers(self) -> None:
        """A call has returned."""
        self._end("call", f"{self._root} answers again")

    def gone(self, error: OSError, poll: float) -> None:
        """The folder is not there."""
        self._begin("gone", f"{self._root} is gone ({error.strerror}); it is looked for every {poll:g} s")

    def there(self, listening: Listening, poll: float) -> None:
        """The folder is there, and is listened to so far."""
        self._end("gone", f"{self._root} is there again")
        self._end("look")
        trouble, peculiarity = listening.trouble(poll), listening.peculiarity(poll)
        if trouble is not None:
            self._begin("events", trouble)
        else:
            self._end("events", f"{self._root} tells of what arrives again")
        if peculiarity is not None:
            self._once(peculiarity)

    def cannot_look(self, path: str, error: OSError) -> None:
        """Something in the folder cannot be looked at."""
        sentence = Naming.of(printable(path), f"cannot be looked at: {error.strerror}")
        if printable(path) == self._root:
            self._begin("look", sentence)
        elif self._once(sentence):
            self._health.fail(sentence)

    def unread(self, source: str, error: OSError, retries: Retries, *, is_parked: bool) -> None:
        """A file could not be read for a reason that may pass."""
        cause = (error.strerror or str(error)).lower()
        if retries.rests:
            self._begin("read", f"files in {self._root} cannot be read ({cause})")
        if is_parked:
            sentence = Naming.of(source, f"cannot be read ({cause}); it is tried again every {_PARKED}")
            self.note(sentence)
            self._health.fail(sentence)
            self.parked(retries)

    def read(self) -> None:
        """A file could be read."""
        self._end("read", f"files in {self._root} can be read again")

    def parked(self, retries: Retries) -> None:
        """So many files are left alone."""
        if count := retries.parked:
            what = "1 file cannot be read; it is" if count == 1 else f"{count} files cannot be read; they are"
            self._begin("parked", f"{what} tried again every {_PARKED}", silently=True)
        else:
            self._end("parked")

    def failing(self) -> str:
        """What is said of a folder of which nothing can be read."""
        return self._troubles.get("read", f"files in {self._root} cannot be read")

    def _begin(self, what: str, sentence: str, *, silently: bool = False) -> None:
        with self._lock:
            if self._troubles.get(what) == sentence:
                return
            self._troubles[what] = sentence
            reasons = "; ".join(self._troubles.values())
        self._health.degrade(reasons, part="folder")
        if not silently:
            self.note(sentence)

    def _end(self, what: str, sentence: str = "") -> None:
        if what not in self._troubles:
            return
        with self._lock:
            del self._troubles[what]
            reasons = "; ".join(self._troubles.values())
        if reasons:
            self._health.degrade(reasons, part="folder")
        else:
            self._health.recover(part="folder")
        if sentence:
            self.note(sentence)

    def _once(self, sentence: str) -> bool:
        """Whether it was noted just now for the first time."""
        if sentence in self._noted:
            return False
        if len(self._noted) >= _MOST_NOTED:
            self._noted.clear()
        self._noted.add(sentence)
        self.note(sentence)
        return True
