"""Who is told what a watcher does: the person at the terminal, or the system's log, each finding once."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TextIO

from edge_runtime.model.classifier import Classifier
from edge_runtime.naming import unnamed
from edge_runtime.sinks import Sink
from edge_runtime.sinks.journald import SOCKET, Journald, is_log
from edge_runtime.sinks.terminal import Terminal


class Told:
    """Prints, and where that would end in the system's log, writes there itself, with fields and without names.

    1. Where stderr goes to journald, it gets an entry a finding and a sentence.
    2. What is printed still goes to stdout, but where that goes to journald too: then only what begins and ends.

    Attributes:
        sinks: To be told each finding.

    Args:
        names: Whether the log names files.
        out: What is printed to; ``None`` for stdout.
        errors: What tells whether this is a service; ``None`` for stderr.
        address: Of journald's socket.
    """

    def __init__(
        self,
        *,
        names: bool = False,
        out: TextIO | None = None,
        errors: TextIO | None = None,
        address: Path = SOCKET,
    ) -> None:
        out, errors = out or sys.stdout, errors or sys.stderr
        self._stack, self._names = ExitStack(), names
        self._log = self._stack.enter_context(Journald(address, names=names)) if _is_log(errors) else None
        self._is_printed = self._log is None or not _is_log(out)
        self._terminal = Terminal(out, answers=self._is_printed)
        self.sinks: tuple[Sink, ...] = (self._terminal,) if self._log is None else (self._terminal, self._log)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def begin(self, folder: str, results: str, classifier: Classifier) -> None:
        """Say what is about to happen."""
        self._terminal.begin(folder, results, classifier)

    def note(self, sentence: str) -> None:
        """Say something that is no answer."""
        if self._is_printed:
            self._terminal.note(sentence)
        if self._log is not None:
            self._log.note(sentence if self._names else unnamed(sentence))

    def end(self) -> None:
        """Say how it went."""
        self._terminal.end()


def _is_log(stream: TextIO) -> bool:
    try:
        return is_log(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False  # no file, such as what a test collects
