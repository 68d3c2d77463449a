"""The folder of findings: one JSON file an answer, and its heat map."""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import msgspec

from edge_runtime.answer import Answered
from edge_runtime.errors import UsageError
from edge_runtime.finding import Finding, from_json, to_json, with_heatmap
from edge_runtime.model import heatmap

JOURNAL = "journal.sqlite"
_LOCK = ".lock"
# One for each folder is enough, because one process writes; what a power cut leaves of it is written over next time.
_UNFINISHED = ".unfinished"

# The name, longer by a suffix, is not possible there: too long, a folder where a file should be or the other way round,
# characters that the file system cannot store.
_IMPOSSIBLE_NAMES = frozenset(
    {errno.ENAMETOOLONG, errno.ENOTDIR, errno.EEXIST, errno.EISDIR, errno.EINVAL, errno.EILSEQ}
)


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
        """Write the heat map, then the finding; both are on the disk when this returns.

        Args:
            name: The radiograph's, relative to the watched folder, byte for byte.
            answered: The answer.

        Returns:
            The finding's file, and the finding with the path of its heat map, both relative to the folder.

        Raises:
            OSError: The disk is full, read-only or gone. Nothing incomplete is visible then.
        """
        usual, renamed = _bases(name)
        try:
            return self._write(usual, answered)
        except OSError as error:
            if error.errno not in _IMPOSSIBLE_NAMES:
                raise
            return self._write(renamed, answered)

    def _write(self, base: bytes, answered: Answered) -> tuple[bytes, Finding]:
        finding = answered.finding
        file = next(file for file in _candidates(base, finding.sha256) if not os.path.lexists(self._path(file)))
        path = self._path(file)
        _make_folder(path.parent)
        if self._heatmaps and answered.grey is not None and answered.answer is not None:
            picture = os.fsdecode(file.removesuffix(b".json")) + heatmap.SUFFIX
            _write_atomically(self.folder / picture, heatmap.png(answered.grey, answered.answer))
            finding = with_heatmap(finding, picture)
        _write_atomically(path, msgspec.json.format(to_json(finding), indent=2) + b"\n")
        return file, finding

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


def _write_atomically(path: Path, data: bytes) -> None:
    unfinished = path.with_name(_UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


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
