"""A finding on its way to the disk, and its heat map."""

import os
from collections.abc import Iterator

import msgspec

from edge_runtime.finding import Finding, to_json, with_heatmap
from edge_runtime.sinks.names import heatmap_of
from edge_runtime.sinks.unfinished import Unfinished


class Part:
    """One of its files.

    Attributes:
        name: That it gets, relative to the results.
        data: What is in it; kept until it is visible, because the disk may refuse it.
        file: Where it lies meanwhile; ``None`` where it is not on the disk, or has its name.
        is_visible: Whether it has its name.
    """

    __slots__ = ("data", "file", "is_visible", "name")

    def __init__(self, name: bytes, data: bytes) -> None:
        self.name, self.data = name, data
        self.file: Unfinished | None = None
        self.is_visible = False


class Staged:
    """A finding and, if there is one, its heat map.

    Attributes:
        name: The radiograph's, relative to the watched folder, byte for byte.
        finding: With the path of its heat map, relative to the results.
        same_as: The row of the answer that is given again.
        file: The finding's, relative to the results.
        picture: The heat map; ``None`` where there is none.
        text: The finding.
        is_renamed: Whether its own name is not possible.
    """

    __slots__ = ("file", "finding", "is_renamed", "name", "picture", "same_as", "text")

    def __init__(self, name: bytes, finding: Finding, picture: bytes | None, same_as: int | None = None) -> None:
        self.name, self.finding, self.same_as = name, finding, same_as
        self.file = b""
        self.picture = None if picture is None else Part(b"", picture)
        self.text = Part(b"", b"")
        self.is_renamed = False

    @property
    def is_visible(self) -> bool:
        """Whether the finding is."""
        return self.text.is_visible

    def parts(self) -> Iterator[Part]:
        """The heat map if there is one, then the finding: in this order they appear."""
        if self.picture is not None:
            yield self.picture
        yield self.text

    def call(self, file: bytes) -> None:
        """Give both their names; what was to be seen under another one is made anew."""
        self.file = file
        if self.picture is not None:
            self.picture = Part(heatmap_of(file), self.picture.data)
            self.finding = with_heatmap(self.finding, os.fsdecode(self.picture.name))
        self.text = Part(file, msgspec.json.format(to_json(self.finding), indent=2) + b"\n")
