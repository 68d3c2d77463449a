"""Where a watcher keeps its results, and finding them again."""

import argparse
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_runtime.errors import UsageError

JOURNAL: Final = "journal.sqlite"
"""The journal's name in the results folder."""

SERVICE_RESULTS: Final = Path("/var/lib/edge-pneumo/results")
"""Where the service keeps them."""


def default_results(folder: Path) -> Path:
    """The service's state folder under systemd, else a folder beside the watched one."""
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return Path(state) / "results"
    folder = folder.resolve()
    return folder.with_name(f"{folder.name}-results") if folder.name else Path("/edge-pneumo-results")


def add_folder_argument(parser: argparse.ArgumentParser) -> None:
    """Add the optional word that ``find_results`` takes."""
    parser.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="DIR",
        help="the results, or the watched folder they lie beside (default: those of the settings, of this folder or of "
        "the service)",
    )


def configured_results() -> Path | None:
    """Where a watcher keeps its results by the environment or the settings file; ``None`` where they say nothing.

    Raises:
        UsageError: Something in them is wrong.
    """
    from edge_runtime.config import config  # only where nobody names a folder

    said = config.resolve({}, None, os.environ).settings.watch
    if said.results is not None:
        return said.results
    return None if said.folder is None else default_results(said.folder)


def find_results(
    folder: Path | None,
    *,
    configured: Callable[[], Path | None] = configured_results,
    service: Path = SERVICE_RESULTS,
) -> Path:
    """The folder with the journal: the one given, or the one a watcher of it uses; the latter, too, if it is to come.

    Args:
        folder: The results or the watched folder. For ``None`` the settings tell, else the current folder, else the
            service's results, the first of them that has a journal.
        configured: What the settings say.
        service: The service's results.

    Raises:
        UsageError: There is no such folder, or it must not be looked into.
    """
    places = [folder] if folder is not None else [found for found in (configured(), Path(), service) if found]
    for place in places:
        for results in (place, default_results(place)):
            if _has_journal(results):
                return results
    named = places[0]
    try:
        is_folder = stat.S_ISDIR(named.stat().st_mode)
    except FileNotFoundError:
        raise UsageError(f"there is no folder {named}; name the results or the watched folder") from None
    if not is_folder:
        raise UsageError(f"{named} is a file; name the results or the watched folder")
    return default_results(named)


def _has_journal(results: Path) -> bool:
    try:
        (results / JOURNAL).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise UsageError(f"{results} cannot be looked into ({error.strerror}); check its permissions") from error
    return True
