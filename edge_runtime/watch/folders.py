"""Which folder is watched, where its results go, and whether both will do."""

import os
from pathlib import Path

from edge_runtime.config.config import DEFAULT_FILE, Configuration
from edge_runtime.errors import UsageError
from edge_runtime.locate import default_results


def watched_folders(chosen: Configuration) -> tuple[Path, Path]:
    """The configured folder, and where its results go; with a camera, ``films`` where none is configured.

    Raises:
        UsageError: No folder is configured.
    """
    folder, results = chosen.settings.watch.folder, chosen.settings.watch.results
    if folder is None and chosen.settings.camera.device:
        folder = _folder_for_films()
    if folder is None:
        raise UsageError(
            "no folder to watch is named; name one with 'edge-pneumo watch DIR', or set folder in the section [watch] "
            f"of {chosen.file or DEFAULT_FILE}"
        )
    return folder, results or default_results(folder)


def _folder_for_films() -> Path:
    """The folder that a camera photographs into where none is named: made, in the current one.

    Raises:
        UsageError: It cannot be made.
    """
    folder = Path("films")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the folder {folder.absolute()} for films cannot be made ({error.strerror}); name another one with "
            "'edge-pneumo watch DIR --camera DEVICE'"
        ) from error
    return folder


def check_folders(folder: Path, results: Path) -> None:
    """Refuse a folder that cannot be watched, or that would be watched with its own results in it.

    Raises:
        UsageError: The sentence says which and why.
    """
    try:
        with os.scandir(folder):
            pass
    except FileNotFoundError:
        raise UsageError(f"there is no folder {folder}; make it, or check its spelling") from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file; name the folder that radiographs arrive in") from None
    except OSError as error:
        raise UsageError(f"{folder} cannot be looked through ({error.strerror}); check its permissions") from error
    if folder.resolve().is_relative_to(results.resolve()):
        raise UsageError(f"findings in {results} would be taken for radiographs; name another folder with --results")
