"""Where answers go. A sink is one file here and one line in ``edge_runtime.watch.command``.

The folder of findings (``files``) is not one of them: it keeps the record, and what is written there decides whether a
radiograph counts as answered. A sink is told afterwards.
"""

from typing import Protocol

from edge_runtime.finding import Finding


class Sink(Protocol):
    """Is told each answer once it is on the disk, in the thread that writes: it must neither block nor raise."""

    def accept(self, finding: Finding) -> None:
        """Take note of an answer."""
        ...
