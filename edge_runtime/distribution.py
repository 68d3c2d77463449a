"""The version of an installed distribution."""

import os
import sys
from collections.abc import Sequence


def version(name: str, folders: Sequence[str] | None = None) -> str:
    """From the name of its metadata's folder; ``importlib.metadata`` would load Python's mail reader for it.

    Args:
        name: Such as ``ai-edge-litert``.
        folders: Where to look; ``None`` for ``sys.path``.

    Raises:
        ModuleNotFoundError: It is not installed.
    """
    start, end = f"{name.replace('-', '_')}-", ".dist-info"
    for folder in sys.path if folders is None else folders:
        try:
            names = os.listdir(folder or ".")  # noqa: PTH208 (pathlib is no faster here)
        except OSError:
            continue
        for found in names:
            if found.startswith(start) and found.endswith(end):
                return found[len(start) : -len(end)]
    # Installed in another form, or not at all.
    from importlib import metadata

    return metadata.version(name)
