"""Changing which model is current: installing one, going back to the one before, removing one. See ``store``."""

import contextlib
import errno
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from edge_runtime.errors import BundleError, UsageError
from edge_runtime.finding import timestamp
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.store import RECORD, VARIABLE, Kept, Record, file_of, read

_LOCK: Final = ".lock"
_FILE_MODE, _FOLDER_MODE = 0o644, 0o755
_LEAST_OF_A_HASH: Final = 4

Prove = Callable[[Bundle], str]
"""Replays a bundle's golden vectors on this machine and names the engine; raises ``EdgePneumoError``."""


def install(place: Path, file: Path, prove: Prove, now: datetime) -> Record:
    """Prove a bundle, keep it and make it current; what was current stays kept. Nothing changes where that fails.

    Args:
        place: The store's folder; made if it is missing.
        file: The bundle; stays where it is.
        prove: On this machine.
        now: For the record.

    Returns:
        The new record.

    Raises:
        EdgePneumoError: The bundle is refused, or the store cannot be written; the sentence says why.
    """
    opened = bundle.read(file)
    refuse_failed_parity(opened)
    engine = prove(opened)
    with _changing(place):
        record = read(place)
        size = _keep(place, file, opened.sha256)
        kept = record.kept(opened.sha256) or Kept(opened.info.name, opened.sha256, timestamp(now), engine, size)
        models = (*(model for model in record.models if model.sha256 != kept.sha256), kept)
        before = record.before if record.current == kept.sha256 else (record.current, *record.before)
        return _replace(place, Record(current=kept.sha256, before=before, models=models))


def rollback(place: Path, prove: Prove) -> Record:
    """Make current what was current before, if this machine still proves it.

    Returns:
        The new record; its ``current`` is ``None`` when that is the program's own default.

    Raises:
        EdgePneumoError: There was none before, or it is refused; the sentence says why.
    """
    with _changing(place):
        record = read(place)
        if not record.before:
            raise UsageError(f"there is no earlier model in {place} to go back to; see 'edge-pneumo model list'")
        earlier, *rest = record.before
        prove(bundle.read(installed.path() if earlier is None else file_of(place, earlier)))
        return _replace(place, Record(current=earlier, before=tuple(rest), models=record.models))


def remove(place: Path, named: str) -> Kept:
    """Delete a model that is neither current nor the one before.

    Args:
        place: The store's folder.
        named: The beginning of its hash, at least 4 characters, or its name where one model alone has it.

    Returns:
        What was known of it.

    Raises:
        UsageError: No model or several are called so, or it must stay.
    """
    with _changing(place):
        record = read(place)
        found = [
            model
            for model in record.models
            if model.name == named or (len(named) >= _LEAST_OF_A_HASH and model.sha256.startswith(named))
        ]
        if len(found) != 1:
            which = "several installed models are" if found else "no installed model is"
            raise UsageError(f"{which} called {named!r}; name one by its hash, see 'edge-pneumo model list'")
        (model,) = found
        if model.sha256 == record.current:
            raise UsageError(f"{named} is the current model; install another or roll back first")
        if record.before[:1] == (model.sha256,):
            raise UsageError(f"{named} is what 'edge-pneumo model rollback' goes back to; it is kept")
        before = tuple(sha256 for sha256 in record.before if sha256 != model.sha256)
        models = tuple(other for other in record.models if other is not model)
        # The record first: a power cut leaves a file too many, and never a name without its file.
        _replace(place, Record(current=record.current, before=before, models=models))
        file_of(place, model.sha256).unlink(missing_ok=True)
        return model


def refuse_failed_parity(opened: Bundle) -> None:
    """Look at the converter's verdict on the comparison with the float model.

    Raises:
        BundleError: It failed, or there is none.
    """
    verdict, broken = opened.parity.get("passed"), opened.parity.get("broken") or ()
    if verdict is True and not broken:
        return
    if verdict is None:
        raise BundleError(
            f"{opened.path} holds no verdict of its converter's comparison with the float model; "
            "make it again with 'python -m convert'"
        )
    limits = "; ".join(map(str, broken)) if isinstance(broken, (list, tuple)) else str(broken)
    raise BundleError(
        f"{opened.path} is too far from its float model, says its converter's parity report"
        f"{f' ({limits})' if limits else ''}; convert it again, see docs/converting.md"
    )


@contextmanager
def _changing(place: Path) -> Generator[None, None, None]:
    """One at a time; whatever the disk says becomes a sentence."""
    try:
        if not place.is_dir():
            place.mkdir(parents=True, exist_ok=True)
            place.chmod(_FOLDER_MODE)  # the service reads what root installs; the folder above says who may look
        lock = os.open(place / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _FILE_MODE)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for part in place.glob(".*.part"):  # of one that was killed
                part.unlink()
            yield
        finally:
            os.close(lock)
    except OSError as error:
        hint = "run with sudo" if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else "mend that"
        raise UsageError(
            f"the models in {place} cannot be changed ({error.strerror}); {hint}, or name another folder with "
            f"{VARIABLE}; the current model stays"
        ) from error


def _keep(place: Path, file: Path, sha256: str) -> int:
    """Copy the bundle to its place, unless it is there; its size."""
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != sha256:
        raise BundleError(f"{file} was changed while it was read; install it again")
    kept = file_of(place, sha256)
    with contextlib.suppress(FileNotFoundError):
        if kept.read_bytes() == data:
            return len(data)
    _write(kept, data)
    return len(data)


def _replace(place: Path, record: Record) -> Record:
    _write(place / RECORD, msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")
    return record


def _write(path: Path, data: bytes) -> None:
    """Whole and on the disk under its name, or not at all."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), _FILE_MODE)
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
