"""The folder of findings: one JSON file an answer, and its heat map."""

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Callable, Container, Iterable, Sequence
from pathlib import Path
from typing import Self

import msgspec

from edge_runtime.answer import Answered, drawn
from edge_runtime.errors import UsageError
from edge_runtime.finding import Finding, from_json
from edge_runtime.locate import JOURNAL as JOURNAL
from edge_runtime.sinks.names import FINDING, IMPOSSIBLE, bases, candidates, heatmap_of, is_impossible, is_there
from edge_runtime.sinks.staged import Part, Staged
from edge_runtime.sinks.unfinished import UnfinishedFiles

_LOCK = ".lock"


class ResultsFolder:
    """Findings in a folder that one process at a time may write to.

    The finding of ``sub/scan.jpeg`` is ``sub/scan.jpeg.json``, its heat map ``sub/scan.jpeg.heatmap.png``. No finding
    is ever overwritten: that of another content under the same name is ``sub/scan.jpeg.<start of its sha256>.json``.
    Where a name is impossible, a hash of it in ``renamed/`` takes its place.

    A finding is there completely or not at all, whatever happens to the power, and its heat map is there before it.

    Args:
        folder: Made if it is missing.
        heatmaps: Whether to write them; the attribute of that name may be set at any time.
        unfinished: Makes what writes to the disk.

    Raises:
        UsageError: The folder cannot be made or written to, or another process has it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        heatmaps: bool = True,
        unfinished: Callable[[Path], UnfinishedFiles] = UnfinishedFiles,
    ) -> None:
        self.folder = folder
        self.heatmaps = heatmaps
        self._root = os.path.join(os.fsencode(folder), b"")  # noqa: PTH118  (bytes)
        self._unfinished = unfinished(folder)
        # Folders with new names that are not on the disk yet.
        self._unsynced: set[bytes] = set()
        try:
            self._make_folder(os.fsencode(folder.absolute()))
            self._sync()
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
        for base in bases(name):
            for file in candidates(base, sha256):
                if not is_there(self._root + file):
                    if file == base + FINDING:
                        continue  # the earlier one may have been taken away
                    break
                finding = self._finding(file)
                if finding and (finding.source, finding.sha256) == (source, sha256) and not known(file):
                    return file, finding
        return None

    def answered(self, file: bytes) -> tuple[Finding, bytes | None] | None:
        """A finding that lies here and, where heat maps are wanted, the bytes of its heat map; else ``None``."""
        finding = self._finding(file)
        if finding is None:
            return None
        if not self.heatmaps:
            return finding, None
        try:
            return finding, Path(os.fsdecode(self._root + heatmap_of(file))).read_bytes()
        except OSError:
            return None

    def write(self, name: bytes, answered: Answered) -> tuple[bytes, Finding]:
        """Write the heat map, then the finding: ``stage`` and ``publish`` of one.

        Raises:
            OSError: The disk is full, read-only or gone. Nothing is left of it then.
        """
        staged = self.stage(name, answered)
        self.publish([staged])
        return staged.file, staged.finding

    def stage(self, name: bytes, answered: Answered, *, write: bool = True) -> Staged:
        """Draw the heat map, and write it and the finding where they are not seen.

        This takes most of the time, and may be called from several threads at once for files of different names. What
        the disk refuses is kept in memory, for ``publish`` to write.

        Args:
            name: The radiograph's, relative to the watched folder, byte for byte.
            answered: The answer.
            write: Whether to write at once; else ``publish`` does.
        """
        picture = drawn(answered) if self.heatmaps else None
        staged = Staged(name, answered.finding, picture, answered.same_as)
        self._choose_name(staged)
        if write:
            with contextlib.suppress(OSError):
                self._write(staged)
        return staged

    def publish(self, group: Sequence[Staged]) -> None:
        """Let the heat maps appear, then the findings; all of them and their names are on the disk when this returns.

        After an error it may be called again with the same group, and goes on where it was. Until then nothing
        unfinished of the group is on the disk; what has appeared already is complete.

        Args:
            group: From ``stage``, of different names.

        Raises:
            OSError: The disk is full, read-only or gone. Nothing incomplete is visible then.
        """
        try:
            taken: set[bytes] = set()
            for staged in group:
                if not staged.is_visible and (staged.file in taken or is_there(self._root + staged.file)):
                    self._choose_name(staged, taken)  # somebody has taken it in the meantime
                taken.add(staged.file)
            # All written before the first is forced: then they get their places on the disk together.
            for staged in group:
                self._write(staged)
            for staged in group:
                self._force(staged)
            self._appear([part for staged in group if (part := staged.picture) is not None], group)
            self._appear([staged.text for staged in group], group)
        except BaseException:
            for staged in group:
                self.discard(staged)
            raise

    def discard(self, staged: Staged) -> None:
        """Leave nothing of it on the disk but what is visible already."""
        for part in staged.parts():
            if part.file is not None:
                self._unfinished.discard(part.file)
                part.file = None

    def _choose_name(self, staged: Staged, taken: Container[bytes] = ()) -> None:
        """The first free name for a finding; one that is impossible is found out here, or when it is to appear."""
        usual, renamed = bases(staged.name)
        base = renamed if staged.is_renamed or is_impossible(self._root + heatmap_of(usual + FINDING)) else usual
        for file in candidates(base, staged.finding.sha256):
            if file not in taken and not is_there(self._root + file):
                self.discard(staged)
                staged.call(file)
                return

    def _write(self, staged: Staged) -> None:
        for part in staged.parts():
            if part.file is None and not part.is_visible:
                part.file = self._unfinished.write(part.data)

    def _force(self, staged: Staged) -> None:
        for part in staged.parts():
            if part.file is not None:
                self._unfinished.force(part.file)

    def _appear(self, parts: Iterable[Part], group: Sequence[Staged]) -> None:
        for part in parts:
            try:
                self._give_name(part)
            except OSError as error:
                if error.errno not in IMPOSSIBLE:
                    raise
                staged = next(staged for staged in group if part in staged.parts())
                if staged.is_renamed:
                    raise  # the other name is no better
                self._rename(staged)
        self._sync()

    def _give_name(self, part: Part) -> None:
        if part.file is not None:
            path = self._root + part.name
            folder = path.rpartition(b"/")[0]
            self._make_folder(folder)
            self._unsynced.add(folder)
            self._unfinished.finish(part.file, path)
            part.file, part.is_visible = None, True

    def _rename(self, staged: Staged) -> None:
        """Publish one for which there is no place under its own name."""
        staged.is_renamed = True
        self._choose_name(staged)
        self._write(staged)
        self._force(staged)
        for part in staged.parts():
            self._give_name(part)
            self._sync()

    def _sync(self) -> None:
        """Make new names survive a power cut."""
        while self._unsynced:
            folder = self._unsynced.pop()
            try:
                self._unfinished.force_names(folder)
            except BaseException:
                self._unsynced.add(folder)
                raise

    def _finding(self, file: bytes) -> Finding | None:
        try:
            return from_json(Path(os.fsdecode(self._root + file)).read_bytes())
        except (OSError, msgspec.DecodeError):
            return None

    def _make_folder(self, folder: bytes) -> None:
        try:
            if stat.S_ISDIR(os.stat(folder).st_mode):  # noqa: PTH116  (bytes)
                return
        except FileNotFoundError:
            if os.path.lexists(folder):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(folder)) from None
        else:
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fsdecode(folder))
        parent = os.path.dirname(folder)  # noqa: PTH120  (bytes)
        self._make_folder(parent)
        os.mkdir(folder)  # noqa: PTH102  (bytes)
        self._unsynced.add(parent)
