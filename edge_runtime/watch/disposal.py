"""What happens to a radiograph's file once it has been answered: nothing, or it is moved to ``done`` or ``refused``.

A file is moved only after the journal has committed its answer, by these rules:

1. ``ward/scan.jpeg`` goes to ``done/ward/scan.jpeg`` if it was classified, to ``refused/ward/scan.jpeg`` if it was
   rejected. Nothing is overwritten: where that name is taken, it becomes ``scan-2.jpeg``, ``scan-3.jpeg`` and so on.
2. Only a regular file that was read is moved. One that could not be read stays where it is, to be answered when its
   permissions allow it; so do links, pipes and devices, and a file too large to be read.
3. Only the file that was answered is moved: one of another inode, size or modification time is left alone.
4. On one file system it is renamed. Else it is copied under a hidden name, the copy is forced to the disk, read again
   and compared by size and SHA-256 with what was answered, given its name, the name is forced to the disk, and then
   alone the original is removed, if it is still the same by rule 3. So whatever happens to the power, the file lies in
   one of the two places or in both.
5. What a crash left undone is done when the file is next found in the folder: the journal knows it, so it is not
   answered again. A complete copy that is there already is not made a second time.
6. Where a file went is entered in the journal (``place``), together with the next answers, so that it costs the disk
   little. A power cut may lose the last of these entries; the files lie where rule 1 says.
7. A file that cannot be moved stays where it is, and a sentence says why, once. Each look through the folder tries it
   again.
"""

import contextlib
import ctypes
import errno
import hashlib
import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Protocol

from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import printable
from edge_runtime.naming import Naming
from edge_runtime.sources import beneath

_PARTIAL: Final = b".edge-pneumo-unfinished"
_BLOCK: Final = 1 << 20
_MOST_NUMBERS: Final = 100_000
_RENAME_NOREPLACE: Final = 1
# The file system cannot rename without replacing: NFS, some FUSE ones.
_CANNOT: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})


class Ledger(Protocol):
    """What the journal is asked, and told."""

    def verdict(self, name: bytes, state: FileState) -> tuple[str, str | None] | None:
        """The status and SHA-256 of the answer to this file as it lies there; ``None`` where there is none."""
        ...

    def move(self, moves: Sequence[tuple[bytes, bytes]]) -> None:
        """Remember where files of these names went, at the next opportunity."""
        ...


class Disposal:
    """Moves answered files; may be called from any thread.

    Args:
        folder: The watched folder.
        done: Where classified files go; made if it is missing.
        refused: Where rejected files go; likewise.
        ledger: The journal.
        note: Takes one sentence for the person who runs this.

    Raises:
        UsageError: Files cannot be moved out of the folder, or into the others.
    """

    def __init__(
        self, folder: Path, done: Path, refused: Path, ledger: Ledger, *, note: Callable[[str], None] = lambda _: None
    ) -> None:
        folder = folder.resolve()
        self._root = os.fspath(folder)
        self._places = {"classified": _target(folder, done), "rejected": _target(folder, refused)}
        self._ledger, self._note = ledger, note
        self._lock = threading.Lock()
        self._noted: set[str] = set()
        _check(folder, tuple(self._places.values()))

    def dispose(self, name: bytes, state: FileState) -> None:
        """Move a file that has been answered, if it is still the same.

        Args:
            name: Relative to the watched folder.
            state: What the journal knows it by.
        """
        if not stat.S_ISREG(state.mode):
            return
        with self._lock:
            try:
                verdict = self._ledger.verdict(name, state)
            except sqlite3.Error:
                return  # the next look through the folder asks again
            if verdict is None or verdict[1] is None:
                return
            place = self._places[verdict[0]]
            try:
                went = _move(self._root, name, state, os.fspath(place), verdict[1])
            except OSError as error:
                why = f"cannot be moved to {place} ({error.strerror or error}); it stays where it is and is tried again"
                self._note_once(Naming.of(printable(os.fsdecode(name)), why))
                return
            if went is not None:
                self._ledger.move([(name, os.fsencode(place / os.fsdecode(went)))])

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where files are moved to; they are not watched."""
        return tuple(self._places.values())

    def _note_once(self, sentence: str) -> None:
        if sentence not in self._noted and len(self._noted) < 1000:
            self._noted.add(sentence)
            self._note(sentence)


def _target(folder: Path, place: Path) -> Path:
    return (folder / place).resolve()


def _check(folder: Path, places: tuple[Path, ...]) -> None:
    remedy = 'or set input = "leave" in the section [watch]'
    for place in places:
        if folder == place or folder.is_relative_to(place):
            raise UsageError(f"answered files cannot be moved to {place}, which is watched itself; name another folder")
        try:
            place.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                (place / os.fsdecode(_PARTIAL)).unlink()  # what a power cut left of a copy
        except OSError as error:
            raise UsageError(
                f"answered files cannot be moved to {place} ({error.strerror}); let this user write there, {remedy}"
            ) from error
    for place in (folder, *places):
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
            raise UsageError(
                f"answered files cannot be moved {'out of' if place == folder else 'to'} {place}, which this user may "
                f"not write to; allow it (under systemd: ReadWritePaths=), {remedy}"
            )


def _move(root: str, name: bytes, state: FileState, place: str, sha256: str) -> bytes | None:
    """Move a file; its name in ``place``, or ``None`` where it is not there or another one."""
    try:
        with beneath.parent(root, name) as (source, last):
            if not _is_same(source, last, state):
                return None
            with beneath.parent(place, name, make=True) as (target, _):
                try:
                    went = _rename(source, last, target, state)
                except OSError as error:
                    if error.errno != errno.EXDEV:
                        raise
                    went = _copy(source, last, target, state, place, sha256)
    except OSError as error:
        if error.errno == errno.ENOENT and not os.path.lexists(os.path.join(root, os.fsdecode(name))):  # noqa: PTH118
            return None
        raise
    if went is None:
        return None
    return name[: len(name) - len(last)] + went


def _is_same(folder: int, name: bytes, state: FileState) -> bool:
    found = FileState.of(os.stat(name, dir_fd=folder, follow_symlinks=False))
    return found.same_content(state) and stat.S_ISREG(found.mode)


def _rename(source: int, name: bytes, target: int, state: FileState) -> bytes | None:
    for candidate in _candidates(name):
        try:
            rename_to_new(source, name, target, candidate)
        except FileExistsError:
            continue
        if _is_same(target, candidate, state):
            return candidate
        # Replaced in the last instant by one that has not been answered: back with it.
        try:
            rename_to_new(target, candidate, source, name)
        except FileExistsError:
            text = f"it was replaced in that instant, and {printable(os.fsdecode(candidate))} there is not answered"
            raise OSError(errno.EEXIST, text) from None
        return None
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


def _copy(source: int, name: bytes, target: int, state: FileState, place: str, sha256: str) -> bytes | None:
    """Copy and remove; the hidden name lies in ``place`` itself, so that what a power cut leaves is found there."""
    with beneath.parent(place, _PARTIAL) as (top, partial):
        if not _copy_to(source, name, top, partial, state, sha256):
            return None
        for candidate in _candidates(name):
            if _holds(target, candidate, state.size, sha256):
                os.unlink(partial, dir_fd=top)  # an earlier copy, complete: the power was cut before the next step
                break
            try:
                rename_to_new(top, partial, target, candidate)
            except FileExistsError:
                continue
            break
        else:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        beneath.sync(target)
    if not _is_same(source, name, state):
        return None  # written to meanwhile: it is found again, and answered anew
    os.unlink(name, dir_fd=source)
    return candidate


def _copy_to(source: int, name: bytes, target: int, partial: bytes, state: FileState, sha256: str) -> bool:
    """Whether a true copy lies under that name, on the disk; else there is nothing."""
    reading = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=source)
    try:
        if not FileState.of(os.fstat(reading)).same_content(state):
            return False
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        writing = os.open(partial, flags, 0o600, dir_fd=target)
        try:
            while block := os.read(reading, _BLOCK):
                left = memoryview(block)
                while left:
                    left = left[os.write(writing, left) :]
            with contextlib.suppress(OSError):  # a file system without them
                os.fchmod(writing, stat.S_IMODE(state.mode))
            os.utime(writing, ns=(state.mtime_ns, state.mtime_ns))
            os.fsync(writing)
        except BaseException:
            os.unlink(partial, dir_fd=target)
            raise
        finally:
            os.close(writing)
    finally:
        os.close(reading)
    if _holds(target, partial, state.size, sha256):
        return True
    os.unlink(partial, dir_fd=target)
    return False


def _holds(folder: int, name: bytes, size: int, sha256: str) -> bool:
    """Whether a file of this content lies there."""
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError:
        return False
    with os.fdopen(handle, "rb", buffering=0) as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size != size:
            return False
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _candidates(name: bytes) -> Iterator[bytes]:
    yield name
    stem, dot, suffix = name.rpartition(b".")
    if not stem:
        stem, dot, suffix = name, b"", b""
    for number in range(2, _MOST_NUMBERS):
        end = b"-%d%b%b" % (number, dot, suffix)
        yield stem[: max(255 - len(end), 1)] + end


def rename_to_new(source: int, name: bytes, target: int, new: bytes) -> None:
    """Rename a file, never over another one.

    Raises:
        FileExistsError: The name is taken.
        OSError: As of rename(2).
    """
    number = _rename_without_replacing(source, name, target, new)
    if number == 0:
        return
    if number not in _CANNOT:
        raise OSError(number, os.strerror(number))
    # Take the name first: nobody else can have it then, and one's own empty file may be replaced.
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=target))
    try:
        os.rename(name, new, src_dir_fd=source, dst_dir_fd=target)
    except BaseException:
        os.unlink(new, dir_fd=target)
        raise


def _rename_without_replacing(source: int, name: bytes, target: int, new: bytes) -> int:
    """``renameat2`` with ``RENAME_NOREPLACE``, which Python does not offer: 0, or the error's number."""
    rename = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if rename is None:
        return errno.ENOSYS
    return 0 if rename(source, name, target, new, _RENAME_NOREPLACE) == 0 else ctypes.get_errno()
