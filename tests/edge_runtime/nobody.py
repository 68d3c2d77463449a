"""Permissions mean nothing to root, and tests in a container are root."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def folder_of_nobody() -> Iterator[Path]:
    """A folder of one's own that permissions apply to: inside, root is the user ``nobody``."""
    folder = Path(tempfile.mkdtemp(prefix="edge-pneumo-"))
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, _NOBODY, -1)
        os.seteuid(_NOBODY)
    try:
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        for path in folder.rglob("*"):
            if path.is_dir():
                path.chmod(0o700)
        shutil.rmtree(folder)
