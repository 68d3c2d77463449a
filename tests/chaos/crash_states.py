"""What a folder may look like after a power cut: every state that the log of what was done to it allows.

Two file systems are played:

* ``ORDERED``, much like ext4 with ``data=ordered`` and delayed allocation: names become durable in the order in which
  they were made, and an fsync of anything makes all of them so far durable; what was written to a file since its last
  fsync is there up to some write, or, where a file was written over in place, page by page.
* ``ADVERSARIAL``, all that POSIX allows, after Pillai et al. 2014 ("All File Systems Are Not Created Equal", OSDI):
  an fsync of a file makes its content durable and not its name; that of a folder makes the names in it durable. All
  else persists or not, each for itself: every change of a name (a rename is atomic), every 512 bytes of a write; a file
  may have grown without having been written, and holds zeros or garbage there.

What SQLite writes to its ``-shm`` by way of memory is not in a log; it gets garbage.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from random import Random
from typing import Final

from tests.chaos.shim import Did, Record

_SECTOR, _PAGE = 512, 4096
_SHARED_MEMORY: Final = "-shm"


class Model(Enum):
    """What a file system promises."""

    ORDERED = "ordered"
    ADVERSARIAL = "adversarial"


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder: the content of each file and the folders in it, by path relative to it."""

    files: Mapping[str, bytes]
    folders: frozenset[str]

    def make(self, place: Path) -> None:
        """Make it on the disk; ``place`` must not be there yet."""
        place.mkdir()
        for folder in sorted(self.folders - {"."}):
            (place / folder).mkdir(parents=True, exist_ok=True)
        for name, data in self.files.items():
            (place / name).write_bytes(data)


@dataclass(frozen=True, slots=True)
class Start:
    """A folder before it was worked on, all of it durable: inodes of files and folders by path, and the contents."""

    tree: Tree
    inodes: Mapping[str, int]


def look(place: Path) -> Start:
    """What a folder is now."""
    files: dict[str, bytes] = {}
    inodes = {".": place.stat().st_ino}
    for path in place.rglob("*"):
        name = str(path.relative_to(place))
        inodes[name] = path.stat().st_ino
        if path.is_file():
            files[name] = path.read_bytes()
    return Start(Tree(files, frozenset(inodes.keys() - files.keys())), inodes)


@dataclass(frozen=True, slots=True)
class _Name:
    """A change of names: what goes, what comes (a file's identity, or ``None`` for a folder), in which folders."""

    goes: str | None
    comes: str | None
    file: int | None
    folder: bool = False

    @property
    def keys(self) -> set[str]:
        return {name for name in (self.goes, self.comes) if name is not None}

    @property
    def parents(self) -> set[str]:
        return {os.path.dirname(name) or "." for name in self.keys}  # noqa: PTH120

    def apply(self, names: dict[str, int], folders: set[str]) -> None:
        if self.goes is not None:
            names.pop(self.goes, None)
            folders.discard(self.goes)
        if self.comes is not None and self.folder:
            folders.add(self.comes)
        elif self.comes is not None:
            assert self.file is not None
            names[self.comes] = self.file


@dataclass(slots=True)
class _File:
    durable: bytearray = field(default_factory=bytearray)
    pending: list[Record] = field(default_factory=list)
    live: bytearray = field(default_factory=bytearray)


class Disk:
    """What is durable and what is not yet, while a log is played.

    Args:
        start: What was there at first.
        root: The folder, as the log calls it.
        model: What an fsync makes durable.
    """

    def __init__(self, start: Start, root: Path, model: Model) -> None:
        self.told: list[bytes] = []
        self._root, self._model = os.fsencode(root), model
        self._files: dict[int, _File] = {}
        self._by_inode: dict[int, int] = {}
        self._durable_names: dict[str, int] = {}
        self._durable_folders: set[str] = set(start.tree.folders)
        self._folder_inodes = {start.inodes[name]: name for name in start.tree.folders}
        for name, data in start.tree.files.items():
            file = self._new_file(start.inodes[name])
            self._files[file] = _File(bytearray(data), [], bytearray(data))
            self._durable_names[name] = file
        self._live_names, self._live_folders = dict(self._durable_names), set(self._durable_folders)
        self._pending: list[_Name] = []

    def play(self, records: Iterable[Record]) -> None:
        """Go on by what was done."""
        for record in records:
            self._play(record)

    def _play(self, record: Record) -> None:
        match record.did:
            case Did.CREATE:
                file = self._new_file(record.inode)
                if record.first:
                    self._rename(_Name(None, self._name(record.first), file))
            case Did.LINK:
                self._rename(_Name(None, self._name(record.first), self._by_inode[record.inode]))
            case Did.RENAME:
                file = self._by_inode[record.inode]
                self._rename(_Name(self._name(record.first), self._name(record.second), file))
            case Did.UNLINK | Did.RMDIR:
                self._rename(_Name(self._name(record.first), None, None))
            case Did.MKDIR:
                name = self._name(record.first)
                self._folder_inodes[record.inode] = name
                self._rename(_Name(None, name, None, folder=True))
            case Did.WRITE | Did.TRUNCATE:
                one = self._files[self._by_inode[record.inode]]
                one.pending.append(record)
                _write(one.live, record)
            case Did.SYNC:
                self._sync(record.inode)
            case Did.TOLD:
                self.told.append(record.first)

    def _new_file(self, inode: int) -> int:
        # An inode's number is used again when its file is gone.
        number = len(self._files)
        self._files[number] = _File()
        self._by_inode[inode] = number
        self._folder_inodes.pop(inode, None)
        return number

    def _name(self, path: bytes) -> str:
        assert path.startswith(self._root + b"/"), path
        return os.fsdecode(path[len(self._root) + 1 :])

    def _rename(self, change: _Name) -> None:
        self._pending.append(change)
        change.apply(self._live_names, self._live_folders)

    def _sync(self, inode: int) -> None:
        folder = self._folder_inodes.get(inode)
        if folder is None:
            one = self._files[self._by_inode[inode]]
            one.durable, one.pending = bytearray(one.live), []
        if self._model is Model.ORDERED:
            chosen = list(self._pending)
        elif folder is not None:
            chosen = _with_earlier(self._pending, [change for change in self._pending if folder in change.parents])
        else:
            chosen = []
        for change in chosen:
            change.apply(self._durable_names, self._durable_folders)
        self._pending = [change for change in self._pending if not any(change is one for one in chosen)]

    @property
    def live(self) -> Tree:
        """What the program saw."""
        files = {name: bytes(self._files[file].live) for name, file in self._live_names.items()}
        return Tree(files, frozenset(self._live_folders))

    def cut(self, random: Random) -> Tree:
        """What may be left of it when the power is cut now; this disk itself goes on."""
        names, folders = dict(self._durable_names), set(self._durable_folders)
        if self._model is Model.ORDERED:
            kept = self._pending[: random.randrange(len(self._pending) + 1)]
        else:
            share = random.choice((0.0, 0.2, 0.5, 0.8, 1.0))
            kept = _with_earlier(self._pending, [one for one in self._pending if random.random() < share])
        for change in kept:
            change.apply(names, folders)
        reachable = {name: file for name, file in names.items() if _is_in(name, folders)}
        content: dict[int, bytes] = {}
        for file in set(reachable.values()):
            content[file] = self._content(self._files[file], random)
        files = {
            name: random.randbytes(len(content[file])) if name.endswith(_SHARED_MEMORY) else content[file]
            for name, file in reachable.items()
        }
        return Tree(files, frozenset(folder for folder in folders if _is_in(folder, folders)))

    def _content(self, one: _File, random: Random) -> bytes:
        data = bytearray(one.durable)
        if self._model is Model.ORDERED:
            for record in one.pending[: random.randrange(len(one.pending) + 1)]:
                if record.did is Did.WRITE and record.offset < len(one.durable):
                    for part in _parts(record, _PAGE):
                        if random.random() < 0.5:
                            _write(data, part)
                else:
                    _write(data, record)
            return bytes(data)
        share = random.choice((0.0, 0.5, 0.9, 1.0))
        for record in one.pending:
            if record.did is Did.TRUNCATE:
                if random.random() < share:
                    _write(data, record)
                continue
            end = record.offset + len(record.first)
            if end > len(data) and random.random() < share:
                grown = end - len(data)
                data += random.choice((bytes(grown), random.randbytes(grown)))
            for part in _parts(record, _SECTOR):
                if random.random() < share:
                    _write(data, part)
        return bytes(data)


def _write(data: bytearray, record: Record) -> None:
    if record.did is Did.TRUNCATE:
        size = record.offset
        data[:] = data[:size] + bytes(max(size - len(data), 0))
        return
    if record.offset > len(data):
        data += bytes(record.offset - len(data))
    data[record.offset : record.offset + len(record.first)] = record.first


def _parts(record: Record, size: int) -> Iterable[Record]:
    at, end = record.offset, record.offset + len(record.first)
    while at < end:
        until = min(end, (at // size + 1) * size)
        yield Record(Did.WRITE, record.inode, at, record.first[at - record.offset : until - record.offset], b"")
        at = until


def _with_earlier(pending: Sequence[_Name], chosen: Sequence[_Name]) -> list[_Name]:
    """Those chosen, and each earlier one of a name that a later one of them is of, in their order."""
    kept: list[_Name] = []
    names: set[str] = set()
    for change in reversed(pending):
        if any(change is one for one in chosen) or change.keys & names:
            kept.append(change)
            names |= change.keys
    return kept[::-1]


def _is_in(name: str, folders: set[str]) -> bool:
    parent = os.path.dirname(name) or "."  # noqa: PTH120
    return parent == "." or (parent in folders and _is_in(parent, folders))
