"""What the operating system tells of a folder, as hints: which file to look at, never what is in it."""

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import (
    DirCreatedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from edge_runtime.sources.settle import Heard

_HEARD: dict[type[FileSystemEvent], Heard] = {
    FileCreatedEvent: Heard.CREATED,
    FileModifiedEvent: Heard.WRITTEN,
    FileClosedEvent: Heard.CLOSED,
    FileMovedEvent: Heard.CLOSED,
}
# watchdog walks through a folder that appears, and reports its files, only when it hears of folders too.
_LISTEN_TO: list[type[FileSystemEvent]] = [*_HEARD, DirCreatedEvent, DirMovedEvent]

_MOST_HINTS = 10_000

# It logs what it makes up for itself, such as an overflow of the kernel's queue, with tracebacks.
logging.getLogger("watchdog").addHandler(logging.NullHandler())


class FolderEvents(FileSystemEventHandler):
    """Collects the events below a folder until somebody asks.

    Events are hints only. They are lost when the kernel's queue overflows, on most network file systems, below a
    folder for which no watch was left, and here when more than 10,000 wait: whoever uses them looks through the folder
    himself now and then.

    Args:
        folder: Watched with everything below it.
        wake: Set when something was heard.
        observer: Makes the watchdog observer.

    Attributes:
        count: How many events there have been, of whatever files.
    """

    def __init__(self, folder: Path, wake: threading.Event, *, observer: Callable[[], BaseObserver] = Observer) -> None:
        self._folder = folder
        self._wake = wake
        self._make_observer = observer
        self._observer: BaseObserver | None = None
        self._lock = threading.Lock()
        self._hints: dict[str, Heard] = {}
        self._lost = False
        self.count = 0
        # A folder that has just been made; what watchdog reports from within next was there before it listened.
        self._new_folder = ""

    def start(self) -> OSError | None:
        """Begin to listen; the error that prevents it is returned, for the folder can be watched without."""
        self.stop()
        try:
            self._observer = self._make_observer()
            self._observer.schedule(self, str(self._folder), recursive=True, event_filter=_LISTEN_TO)
            self._observer.start()
        except OSError as error:
            self.stop()
            return error
        return None

    def stop(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            if observer.is_alive():
                observer.join()

    @property
    def alive(self) -> bool:
        """Whether events are being heard; they end when the folder is deleted or its file system goes away."""
        observer = self._observer
        return observer is not None and observer.is_alive() and all(e.is_alive() for e in observer.emitters)

    def drain(self) -> tuple[dict[str, Heard], bool]:
        """What was heard since the last call, the last thing of each file, and whether more was heard than kept."""
        with self._lock:
            hints, lost = self._hints, self._lost
            self._hints, self._lost = {}, False
        return hints, lost

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Called by watchdog's thread."""
        heard = _HEARD.get(type(event))
        path = os.fsdecode(event.dest_path or event.src_path)
        if not self._new_folder or not path.startswith(self._new_folder + os.sep):
            self._new_folder = path if isinstance(event, DirCreatedEvent) else ""
        elif heard is Heard.CREATED and not event.is_synthetic:
            heard = Heard.FOUND  # what was moved in with its folder is synthetic
        if heard is None or not path:
            return
        self.tell(path, heard)

    def tell(self, path: str, heard: Heard) -> None:
        """Hear of a file in another way; may be called from any thread."""
        with self._lock:
            self.count += 1
            # The last thing heard comes last, so that files are looked at in the order in which they were finished.
            before = self._hints.pop(path, None)
            if before is Heard.COMPLETE and heard is not Heard.WRITTEN:
                heard = before  # how it came there
            if len(self._hints) < _MOST_HINTS:
                self._hints[path] = heard
            else:
                self._lost = True
        self._wake.set()
