"""The folder of findings: one JSON file an answer, and its heat map."""

import contextlib
import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import msgspec

from edge_runtime.answer import Answered
from edge_runtime.errors import UsageError
from edge_runtime.finding import Finding, from_json, to_json, with_heatmap
from edge_runtime.model import heatmap
from edge_runtime.sinks.unfinished import UnfinishedFiles

JOURNAL = "journal.sqlite"
_LOCK = ".lock"

# The name, longer by a suffix, is not possible there: too long, a folder where a file should be or the other way round,
# characters that the file system cannot store, another file system.
_IMPOSSIBLE_NAMES = frozenset(
    {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ, errno.EXDEV}
)


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A finding and its heat map, on the disk and without their names yet.

    Attributes:
        answered: What they are of.
        file: The finding's, relative to the folder.
        finding: With the path of its heat map, relative to the folder.
        parts: The unfinished files and the names they get, in that order: the heat map if there is one, the finding.
    """

    answered: Answered
    file: bytes
    finding: Finding
    parts: tuple[tuple[Path, Path], ...]


class ResultsFolder:
    """Findings in a folder that one process at a time may write to.

    The finding of ``sub/scan.jpeg`` is ``sub/scan.jpeg.json``, its heat map ``sub/scan.jpeg.heatmap.png``. No finding
    is ever overwritten: that of another content under the same name is ``sub/scan.jpeg.<start of its sha256>.json``.
    Where a name is impossible, a hash of it in ``renamed/`` takes its place.

    A finding is there completely or not at all, whatever happens to the power, and its heat map is there before it.

    Args:
        folder: Made if it is missing.
        heatmaps: Whether to write them.

    Raises:
        UsageError: The folder cannot be made or written to, or another process has it.
    """

    def __init__(self, folder: Path, *, heatmaps: bool = True) -> None:
        self.folder = folder
        self._heatmaps = heatmaps
        self._unfinished = UnfinishedFiles(folder)
        try:
            _make_folder(folder)
            self._lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise UsageError(
                f"findings cannot be written to {folder} ({error.strerror}); name another folder with --results"
            ) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise UsageError(
                    f"{folder} cannot be locked against a second watcher ({error.strerror}); "
                    "name a folder on a local file system with --results"
                ) from error
            raise UsageError(
                f"another edge-pneumo writes its findings to {folder}; stop it, or name another folder with --results"
            ) from None
        with contextlib.suppress(OSError):  # the first finding will say what is wrong
            self._unfinished.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def find(
        self, name: bytes, source: str, sha256: str | None, known: Callable[[bytes], bool]
    ) -> tuple[bytes, Finding] | None:
        """The finding that was written for this content and, because of a crash, never entered in the journal.

        Args:
            name: The radiograph's, relative to the watched folder, byte for byte.
            source: What the finding calls it.
            sha256: Of its content; ``None`` where it could not be read.
            known: Whether the journal knows the finding in this file.

        Returns:
            The finding's file, relative to the folder, and the finding.
        """
        for base in _bases(name):
            for file in _candidates(base, sha256):
                path = self._path(file)
                if not os.path.lexists(path):
                    if file == base + b".json":
                        continue  # the earlier one may have been taken away
                    break
                finding = _read(path)
                if finding and (finding.source, finding.sha256) == (source, sha256) and not known(file):
                    return file, finding
        return None

    def write(self, name: bytes, answered: Answered) -> tuple[bytes, Finding]:
        """Write the heat map, then the finding: ``stage`` and ``publish`` in one."""
        return self.publish(name, self.stage(name, answered))

    def stage(self, name: bytes, answered: Answered) -> Staged:
        """Write a finding and its heat map where they are not seen; both are on the disk when this returns.

        This takes most of the time, and may be called from several threads at once for files of different names.

        Args:
            name: The radiograph's, relative to the watched folder, byte for byte.
            answered: The answer.

        Raises:
            OSError: The disk is full, read-only or gone. Nothing is left of it then.
        """
        return self._stage(_bases(name)[0], answered)

    def publish(self, name: bytes, staged: Staged) -> tuple[bytes, Finding]:
        """Let the heat map appear, then the finding; both names are on the disk when this returns.

        Args:
            name: The same.
            staged: From ``stage``, for this one use.

        Returns:
            The finding's file, and the finding with the path of its heat map, both relative to the folder.

        Raises:
            OSError: The disk is full, read-only or gone. Nothing incomplete is visible then.
        """
        usual, renamed = _bases(name)
        try:
            if os.path.lexists(self._path(staged.file)):  # somebody took the name in the meantime
                self.discard(staged)
                staged = self._stage(usual, staged.answered)
            self._publish(staged)
        except OSError as error:
            if error.errno not in _IMPOSSIBLE_NAMES:
                raise
            staged = self._stage(renamed, staged.answered)
            self._publish(staged)
        return staged.file, staged.finding

    def discard(self, staged: Staged) -> None:
        """Give up what will not be published."""
        for unfinished, _ in staged.parts:
            self._unfinished.discard(unfinished)

    def _stage(self, base: bytes, answered: Answered) -> Staged:
        finding, parts = answered.finding, []
        file = next(file for file in _candidates(base, finding.sha256) if not os.path.lexists(self._path(file)))
        if self._heatmaps and answered.grey is not None and answered.answer is not None:
            picture = os.fsdecode(file.removesuffix(b".json")) + heatmap.SUFFIX
            png = heatmap.png(answered.grey, answered.answer)
            parts.append((self._unfinished.write(png), self.folder / picture))
            finding = with_heatmap(finding, picture)
        try:
            text = msgspec.json.format(to_json(finding), indent=2) + b"\n"
            parts.append((self._unfinished.write(text), self._path(file)))
        except BaseException:
            for unfinished, _ in parts:
                self._unfinished.discard(unfinished)
            raise
        return Staged(answered, file, finding, tuple(parts))

    def _publish(self, staged: Staged) -> None:
        left = list(staged.parts)
        try:
            _make_folder(self._path(staged.file).parent)
            while left:
                unfinished, path = left[0]
                self._unfinished.finish(unfinished, path)
                del left[0]
                _sync_folder(path.parent)
        except BaseException:
            for unfinished, _ in left:
                self._unfinished.discard(unfinished)
            raise

    def _path(self, file: bytes) -> Path:
        return self.folder / os.fsdecode(file)


def _bases(name: bytes) -> tuple[bytes, bytes]:
    return name, b"renamed/" + hashlib.sha256(name).hexdigest()[:16].encode()


def _candidates(base: bytes, sha256: str | None) -> Iterator[bytes]:
    yield base + b".json"
    content = b"unread" if sha256 is None else sha256[:8].encode()
    yield b"%b.%b.json" % (base, content)
    number = 2
    while True:
        yield b"%b.%b-%d.json" % (base, content, number)
        number += 1


def _read(path: Path) -> Finding | None:
    try:
        return from_json(path.read_bytes())
    except (OSError, msgspec.DecodeError):
        return None


def _make_folder(folder: Path) -> None:
    if folder.is_dir():
        return
    if os.path.lexists(folder):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder))
    _make_folder(folder.parent)
    folder.mkdir()
    _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    # Makes a new name in it survive a power cut.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
