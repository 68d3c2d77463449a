"""Models that were installed on this machine: kept by their hash, one of them current, the earlier ones remembered.

::

    models/
      models.json       which is current, which were before it, what is known of each: ``Record``
      <sha256>.tflite   the bundles
      .lock             held while the record is changed

A bundle is on the disk before the record names it, and the record is replaced as a whole, so that a power cut leaves
either the old choice or the new one. A bundle's file never changes; what is current does, and whoever looks at
``stamp`` notices. ``installing`` makes the changes.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from edge_runtime.errors import BundleError
from edge_runtime.model import installed
from edge_runtime.model.bundle import Sha256

CURRENT: Final = "installed"
"""How a setting names the current model."""
VARIABLE: Final = "EDGE_PNEUMO_MODELS"
SYSTEM: Final = Path("/var/lib/edge-pneumo")
RECORD: Final = "models.json"

Stamp = tuple[int, int, int] | None


class Kept(msgspec.Struct, frozen=True):
    """A model in the store.

    Attributes:
        name: The model's own.
        sha256: Of the whole bundle; also its file's name.
        installed: When, RFC 3339.
        proven_on: The engine that gave the golden vectors then.
        bytes: Of the bundle.
    """

    name: str
    sha256: Sha256
    installed: str
    proven_on: str
    bytes: int


class Record(msgspec.Struct, frozen=True):
    """What the store remembers.

    Attributes:
        schema: Version of this format.
        current: The model that answers where the settings name none; ``None`` for the program's own default.
        before: What was current before it, the latest first.
        models: All that are kept, in the order of their installation.
    """

    schema: Literal["edge-pneumo/models/1"] = "edge-pneumo/models/1"
    current: Sha256 | None = None
    before: tuple[Sha256 | None, ...] = ()
    models: tuple[Kept, ...] = ()

    def kept(self, sha256: str | None) -> Kept | None:
        return next((model for model in self.models if model.sha256 == sha256), None)


def folder(environment: Mapping[str, str], system: Path = SYSTEM) -> Path:
    """Where the models are kept: as a variable says, with the service's state, else with the user's own data.

    A person who may look into the service's folder shares its models.
    """
    if named := environment.get(VARIABLE):
        return Path(named)
    if state := environment.get("STATE_DIRECTORY", "").split(":")[0]:
        return Path(state) / "models"
    if os.access(system, os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        return system / "models"
    data = environment.get("XDG_DATA_HOME")
    return (Path(data) if data else Path(environment.get("HOME", "/")) / ".local/share") / "edge-pneumo" / "models"


def is_name(named: Path) -> bool:
    """Whether this is the bare name of a model and no file's."""
    return str(named) == CURRENT or installed.is_name(named)


def find(named: Path | None, environment: Mapping[str, str]) -> Path:
    """The file of a bundle.

    Args:
        named: ``installed`` for the current one of the store, the name of one that comes with the program, or a file;
            ``None`` for the current one, or where none was ever installed the program's default.
        environment: Says where the store is.

    Raises:
        BundleError: The store cannot be read, or holds no current model and ``installed`` asks for it.
    """
    if named is not None and str(named) != CURRENT:
        return installed.find(named)
    place = folder(environment)
    current = read(place).current
    if current is not None:
        return file_of(place, current)
    if named is None:
        return installed.path()
    raise BundleError(
        f"no model is installed in {place}; install one with 'edge-pneumo model install FILE', "
        f"or name one of {', '.join(installed.names())}"
    )


def file_of(place: Path, sha256: str) -> Path:
    """Where the bundle with that hash is kept."""
    return place / f"{sha256}.tflite"


def stamp(place: Path) -> Stamp:
    """Differs after each change of what is current; ``None`` where there is no record, or none that can be seen."""
    try:
        found = (place / RECORD).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def read(place: Path) -> Record:
    """The record; an empty one where nothing was ever installed.

    Raises:
        BundleError: It cannot be read or is damaged.
    """
    file = place / RECORD
    try:
        return msgspec.json.decode(file.read_bytes(), type=Record)
    except (FileNotFoundError, NotADirectoryError):
        return Record()
    except OSError as error:
        raise BundleError(
            f"the installed models in {place} cannot be read ({error.strerror}); check its permissions, or name a "
            "model with --bundle"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BundleError(
            f"the list of installed models {file} is damaged ({error}); move it away and install the model again"
        ) from error
