"""Copying the journal and the findings while a watcher works, so that the copy is one that a watcher can go on with.

1. The journal is copied first, as it is at one moment. A finding is on the disk before the journal knows it, so that
   every finding the copied journal knows is there to be copied, unless somebody took it away. Newer ones may come with
   it; a watcher that finds them without a row takes them over.
2. A finding and a heat map get their names when they are complete, so that whatever has a name can be copied. Heat maps
   are looked for when all findings have been copied: a heat map is there before its finding.
3. The copy grows under a hidden name beside the target, is forced to the disk, read again from there and compared, and
   gets its name last. What exists is not overwritten.
4. ``SHA256SUMS`` in it holds the hash of each file, for ``sha256sum -c``.

No link is followed, and hidden files are left out: the watcher's lock and what it has not finished.
"""

import contextlib
import errno
import os
import shutil
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime import inside
from edge_runtime.backup.target import ArchiveTarget, FolderTarget, Target, is_archive
from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.journal import reader as journal_reader
from edge_runtime.locate import JOURNAL
from edge_runtime.sinks.names import photograph_of

SUMS: Final = b"SHA256SUMS"
_FINDING: Final = b".json"
_MAP: Final = b".heatmap.png"
_PHOTOGRAPH: Final = photograph_of(_FINDING)
_NAMES: Final = frozenset({errno.EINVAL, errno.EILSEQ, errno.ENAMETOOLONG})


@dataclass(frozen=True, slots=True)
class Backup:
    """What was copied.

    Attributes:
        answers: Rows of the journal.
        findings: Files.
        heatmaps: Files.
        photographs: Files, where a camera took some.
        size: Bytes of all files.
    """

    answers: int
    findings: int
    heatmaps: int
    size: int
    photographs: int = 0


def back_up(results: Path, target: Path) -> Backup:
    """Copy the results; complete and checked when this returns.

    Args:
        results: The folder with the journal.
        target: A folder or an archive to be made.

    Raises:
        UsageError: The target exists, lies in the results or cannot be made, or there is no journal.
        EdgePneumoError: Something cannot be read or written, or reads otherwise than it was written. Nothing is left.
    """
    _check(results, target)
    try:
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".unfinished", dir=target.parent))
    except OSError as error:
        raise UsageError(f"{target} cannot be made ({error.strerror}); name another place") from error
    try:
        made: Target
        if is_archive(target):
            made = ArchiveTarget(scratch / "archive", compressed=target.suffix != ".tar")
        else:
            made = FolderTarget(scratch)
        done = _copy(results, scratch, made)
        _give_name(made.path, target, results)
    except OSError as error:
        if error.errno == errno.EEXIST:
            raise UsageError(f"{target} exists already; nothing is overwritten, name another") from error
        hint = "; a .tar file takes any name" if error.errno in _NAMES else ""
        raise EdgePneumoError(
            f"the copy in {target} cannot be made ({error.strerror or error}){hint}; nothing is left of it"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return done


def _check(results: Path, target: Path) -> None:
    if os.path.lexists(target) or not target.name:
        raise UsageError(f"{target} exists already; nothing is overwritten, name another")
    if target.resolve().is_relative_to(results.resolve()):
        raise UsageError(f"{target} lies in the results it would be a copy of; name another place")
    if not (results / JOURNAL).exists():
        raise UsageError(f"there is no journal in {results}, so that there is nothing to copy; name the results")


def _copy(results: Path, scratch: Path, made: Target) -> Backup:
    answers = _copy_journal(results / JOURNAL, scratch / JOURNAL)
    counts = {_FINDING: 0, _MAP: 0, _PHOTOGRAPH: 0}
    size = 0
    root = inside.open_root(results)
    try:
        with (scratch / os.fsdecode(SUMS)).open("wb") as sums:
            with (scratch / JOURNAL).open("rb") as journal:
                digest = made.add(os.fsencode(JOURNAL), journal.fileno())
                size += os.fstat(journal.fileno()).st_size
            sums.write(_line(os.fsencode(JOURNAL), digest))
            for suffix in counts:  # in this order
                for name, handle in _files(root, suffix):
                    sums.write(_line(name, made.add(name, handle)))
                    counts[suffix] += 1
                    size += os.fstat(handle).st_size
        _as(results / JOURNAL, scratch / os.fsdecode(SUMS))
        with (scratch / os.fsdecode(SUMS)).open("rb") as written:
            made.add(SUMS, written.fileno())
            made.finish()
            written.seek(0)
            for line in written:
                name, digest = _parsed(line)
                if made.digest(name) != digest:
                    raise OSError(errno.EIO, f"{os.fsdecode(name)!r} reads otherwise than it was written")
    finally:
        made.close()
        os.close(root)
    return Backup(answers, counts[_FINDING], counts[_MAP], size, counts[_PHOTOGRAPH])


def _copy_journal(journal: Path, copy: Path) -> int:
    """Copy the journal as it is at one moment; returns how many answers it holds."""

    def look(database: sqlite3.Connection) -> int:
        copy.unlink(missing_ok=True)
        with contextlib.closing(sqlite3.connect(copy)) as copied:
            try:
                database.backup(copied)
                copied.execute("PRAGMA journal_mode = DELETE")  # one file, to be read anywhere
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    raise EdgePneumoError(f"{copy.parent.parent} is full; nothing is left of the copy") from error
                raise
        return journal_reader.count(database)

    answers = journal_reader.read(journal, look)
    _as(journal, copy)
    with contextlib.closing(sqlite3.connect(copy)) as copied:
        problem: str = copied.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if problem != "ok" or journal_reader.count(copied) != answers:
            raise EdgePneumoError(f"the journal {journal} is damaged ({problem}); 'edge-pneumo watch' says what to do")
    return answers


def _as(original: Path, copy: Path) -> None:
    """Let the same people read it."""
    found = original.stat()
    with contextlib.suppress(OSError):
        os.chown(copy, found.st_uid, found.st_gid)
    with contextlib.suppress(OSError):
        copy.chmod(stat.S_IMODE(found.st_mode) & 0o777)


def _files(root: int, suffix: bytes) -> Iterator[tuple[bytes, int]]:
    """The files of that suffix below a folder, each open for a moment, by their names relative to it."""
    for folder, folders, files, handle in os.fwalk(b".", onerror=_unless_gone, dir_fd=root):
        folders[:] = sorted(name for name in folders if not name.startswith(b"."))
        for name in sorted(files):
            if not name.endswith(suffix) or name.startswith(b"."):
                continue
            try:
                file = inside.open_file(handle, name)
            except OSError as error:
                # Removed by the retention in the meantime; a link; a pipe.
                if error.errno in (errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.ENXIO):
                    continue
                raise
            try:
                yield os.path.join(folder, name)[2:], file  # noqa: PTH118
            finally:
                os.close(file)


def _unless_gone(error: OSError) -> None:
    if error.errno != errno.ENOENT:
        raise error


def _line(name: bytes, digest: str) -> bytes:
    # As sha256sum writes it: a backslash in front says that there are some in the name.
    escaped = name.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
    return b"%b%b  %b\n" % (b"\\" if escaped != name else b"", digest.encode(), escaped)


def _parsed(line: bytes) -> tuple[bytes, str]:
    digest, _, name = line.rstrip(b"\n").partition(b"  ")
    if not digest.startswith(b"\\"):
        return name, digest.decode()
    parts = [part.replace(b"\\n", b"\n").replace(b"\\r", b"\r") for part in name.split(b"\\\\")]
    return b"\\".join(parts), digest[1:].decode()


def _give_name(made: Path, target: Path, results: Path) -> None:
    if made.is_dir():
        made.chmod(stat.S_IMODE(results.stat().st_mode))
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        made.rename(target)
    else:
        try:
            os.link(made, target)
        except OSError as error:
            if error.errno == errno.EEXIST or os.path.lexists(target):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST)) from error
            made.rename(target)  # a disk without links, such as a memory stick
    handle = inside.open_root(target.parent)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
