"""A small ext4 of its own, which loses its power when it is told to: all that no fsync forced to it is gone.

The kernel itself drops it (``EXT4_IOC_SHUTDOWN``, what xfstests' tests of power cuts use); mounting it again replays
its journal as after a real one. Needs root and loop devices.
"""

import fcntl
import os
import shutil
import struct
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from types import TracebackType

_SHUTDOWN = 0x8004587D  # _IOR('X', 125, __u32)
_FLUSH_JOURNAL, _FLUSH_NOTHING = 1, 2
_LOOP_MAJOR = 7
_LET_GO_SECONDS = 10.0


@cache
def why_not() -> str | None:
    """Why it cannot be had here, or ``None``."""
    if os.geteuid():
        return "mounting needs root"
    if not Path("/dev/loop-control").exists():
        return "there are no loop devices here"
    missing = [name for name in ("mkfs.ext4", "mount", "umount") if shutil.which(name) is None]
    if missing:
        return f"needs {missing[0]}"
    try:
        with tempfile.TemporaryDirectory() as place, LoopDisk(Path(place), megabytes=8):
            return None
    except MountError as error:
        return f"nothing can be mounted here ({error})"


class MountError(OSError):
    """It cannot be mounted here."""


class LoopDisk:
    """A file system in a file.

    Attributes:
        mounted: Where it is.

    Args:
        place: A folder for the file and the mount point.
        megabytes: Its size.
        options: For mounting.
    """

    def __init__(self, place: Path, megabytes: int = 64, options: str = "noatime") -> None:
        self._image, self.mounted, self._options = place / "disk", place / "mounted", f"loop,{options}"
        self.mounted.mkdir(parents=True)
        with self._image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", self._image)
        self._mount()

    def __enter__(self) -> "LoopDisk":
        return self

    def __exit__(self, kind: type[BaseException] | None, _error: object, _trace: TracebackType | None) -> None:
        self.unmount()

    def cut(self, *, names: bool) -> None:
        """Cut the power: from now on every write fails, and what was not forced to the disk is lost.

        Args:
            names: Whether ext4 happened to write its journal just before: names are there then, what was written to
                the files is not.
        """
        handle = os.open(self.mounted, os.O_RDONLY | os.O_DIRECTORY)
        try:
            device = os.fstat(handle).st_dev
            assert os.major(device) == _LOOP_MAJOR, "this is no disk of ours"
            fcntl.ioctl(handle, _SHUTDOWN, struct.pack("I", _FLUSH_JOURNAL if names else _FLUSH_NOTHING))
        finally:
            os.close(handle)

    def fail(self) -> None:
        """Let the kernel find an error in it: with ``errors=remount-ro`` it is read-only until it is mounted anew."""
        device = self.mounted.stat().st_dev
        assert os.major(device) == _LOOP_MAJOR, "this is no disk of ours"
        name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
        (Path("/sys/fs/ext4") / name / "trigger_fs_error").write_text("as a test\n")

    def restart(self) -> None:
        """Mount it again; nothing may have a file open there."""
        self.unmount()
        self._mount()

    def unmount(self) -> None:
        # A process that was killed may take a moment to let go of its files.
        end = time.monotonic() + _LET_GO_SECONDS
        while True:
            try:
                return _run("umount", self.mounted)
            except MountError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def _mount(self) -> None:
        _run("mount", "-o", self._options, self._image, self.mounted)


def _run(*command: str | Path) -> None:
    done = subprocess.run([*command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise MountError(f"{command[0]}: {done.stderr.strip()}")
