"""What a backup is written to: a folder, or a tar archive."""

import contextlib
import gzip
import hashlib
import os
import stat
import tarfile
import zlib
from pathlib import Path
from typing import IO, Final, Protocol

_BLOCK: Final = 1 << 20
_ARCHIVES: Final = (".tar", ".tar.gz", ".tgz")


class Target(Protocol):
    """Takes files, and reads them again in the same order."""

    path: Path

    def add(self, name: bytes, handle: int) -> str:
        """Copy an open file; returns the SHA-256 of what was copied."""
        ...

    def finish(self) -> None:
        """Have everything on the disk."""
        ...

    def digest(self, name: bytes) -> str:
        """The SHA-256 of the next file as the disk has it."""
        ...

    def close(self) -> None: ...


def is_archive(path: Path) -> bool:
    """Whether the name asks for an archive."""
    return path.name.endswith(_ARCHIVES)


class FolderTarget:
    """A folder. Files keep their times and permissions, and their owners where this process may set them.

    Args:
        path: It exists.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, name: bytes, handle: int) -> str:
        path = self._path(name)
        if os.fstat(handle).st_ino == (path.stat().st_ino if path.exists() else None):
            return _sha256(handle)  # made here
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with path.open("xb") as file:
            while block := os.read(handle, _BLOCK):
                digest.update(block)
                file.write(block)
            found = os.fstat(handle)
            with contextlib.suppress(OSError):  # a disk without owners, a user who may not
                os.fchown(file.fileno(), found.st_uid, found.st_gid)
            with contextlib.suppress(OSError):
                os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode) & 0o777)
        with contextlib.suppress(OSError):
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        return digest.hexdigest()

    def finish(self) -> None:
        os.sync()  # at once: each file for itself takes a memory stick many minutes

    def digest(self, name: bytes) -> str:
        handle = os.open(self._path(name), os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)  # from the disk and not from memory
            return _sha256(handle)
        finally:
            os.close(handle)

    def close(self) -> None:
        pass

    def _path(self, name: bytes) -> Path:
        return self.path / os.fsdecode(name)


class ArchiveTarget:
    """A tar archive in the POSIX format, which holds names in any encoding.

    Args:
        path: Of the file to be made.
        compressed: With gzip.
    """

    def __init__(self, path: Path, *, compressed: bool) -> None:
        self.path = path
        self._mode = "gz" if compressed else ""
        self._tar = self._open("w")

    def add(self, name: bytes, handle: int) -> str:
        found = os.fstat(handle)
        info = tarfile.TarInfo(os.fsdecode(name))
        info.size, info.mtime, info.mode = found.st_size, found.st_mtime_ns / 1e9, stat.S_IMODE(found.st_mode) & 0o777
        info.uid, info.gid = found.st_uid, found.st_gid
        with os.fdopen(os.dup(handle), "rb") as file:
            file.seek(0)
            hashing = _Hashing(file)
            self._tar.addfile(info, hashing)  # type: ignore[arg-type]
        self._forget()
        return hashing.digest.hexdigest()

    def finish(self) -> None:
        self._tar.close()
        handle = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
            os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(handle)
        self._tar = self._open("r")

    def digest(self, name: bytes) -> str:
        try:
            info = self._tar.next()
            if info is None or os.fsencode(info.name) != name:
                return ""
            file = self._tar.extractfile(info)
            digest = hashlib.sha256()
            while file is not None and (block := file.read(_BLOCK)):
                digest.update(block)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile):
            return ""
        self._forget()
        return digest.hexdigest()

    def close(self) -> None:
        self._tar.close()

    def _open(self, mode: str) -> tarfile.TarFile:
        return tarfile.open(  # type: ignore[call-overload, no-any-return]
            self.path, f"{mode}:{self._mode}", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
        )

    def _forget(self) -> None:
        # Else it keeps a record of each file in memory.
        self._tar.members.clear()  # type: ignore[attr-defined]


class _Hashing:
    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _sha256(handle: int) -> str:
    digest = hashlib.sha256()
    os.lseek(handle, 0, os.SEEK_SET)
    while block := os.read(handle, _BLOCK):
        digest.update(block)
    return digest.hexdigest()
