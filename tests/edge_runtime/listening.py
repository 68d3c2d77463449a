"""When a folder is listened to."""

import contextlib
import time
from pathlib import Path

DEADLINE = 60.0


def wait_until_listened_to(folder: Path) -> None:
    """Wait until this process has an inotify watch on a folder: what happens there from now on is heard."""
    watch = f" ino:{folder.stat().st_ino:x} "
    deadline = time.monotonic() + DEADLINE
    while not any(watch in line for line in _watches()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _watches() -> list[str]:
    lines: list[str] = []
    for file in Path("/proc/self/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            lines += [line for line in file.read_text().splitlines() if line.startswith("inotify")]
    return lines
