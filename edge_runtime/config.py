"""Settings: from a TOML file, overridden by environment variables, overridden by the command line.

Each is optional, and what none of the three names is left to the program. ``systemd/config.toml`` is an example with
all of them. A new section is a new struct and a field of ``Settings``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

import msgspec
from msgspec import Meta

from edge_runtime.errors import UsageError
from edge_runtime.model import installed

DEFAULT_FILE: Final = Path("/etc/edge-pneumo/config.toml")
EngineChoice = Literal["litert", "openvino", "auto"]
Name = Literal["operating_point", "bundle", "engine", "threads"]
# The environment variable of each setting that has one.
VARIABLES: Final[Mapping[Name, str]] = {
    "operating_point": "EDGE_PNEUMO_OPERATING_POINT",
    "bundle": "EDGE_PNEUMO_BUNDLE",
    "engine": "EDGE_PNEUMO_ENGINE",
    "threads": "EDGE_PNEUMO_THREADS",
}


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What can be set; ``None`` where nothing is said.

    Attributes:
        operating_point: Name of a decision threshold in the bundle.
        bundle: The name of an installed model, or a model's file; in a settings file, relative to that file's folder.
        engine: What runs the model; ``auto`` for the one that is likely the fastest here.
        threads: For inference.
    """

    operating_point: Annotated[str, Meta(min_length=1)] | None = None
    bundle: Path | None = None
    engine: EngineChoice | None = None
    threads: Annotated[int, Meta(ge=1)] | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings in force.

    Attributes:
        settings: Their values.
        origins: The file or variable that each came from; what the command line said is not among them.
    """

    settings: Settings
    origins: Mapping[str, str]


def resolve(
    flags: Settings, file: Path | None, environment: Mapping[str, str], *, default_file: Path = DEFAULT_FILE
) -> Configuration:
    """Join the three places.

    Args:
        flags: What the command line says.
        file: The settings file that it names, or ``None`` for the default one, which need not exist.
        environment: Such as ``os.environ``; an empty variable says nothing.
        default_file: Where the default one lies.

    Raises:
        UsageError: The file is missing, cannot be read or is no TOML, or a key or value in it or in the environment is
            wrong; the sentence names where.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    path = file or (default_file if default_file.exists() else None)
    if path is not None:
        found = _said(read_file(path))
        values |= found
        origins |= dict.fromkeys(found, str(path))
    for name, variable in VARIABLES.items():
        if environment.get(variable):
            values |= _said(_decode({name: environment[variable]}, variable, strict=False))
            origins[name] = variable
    said = _said(flags)
    return Configuration(
        Settings(**(values | said)), {name: origin for name, origin in origins.items() if name not in said}
    )


def read_file(path: Path) -> Settings:
    """Read a settings file.

    Raises:
        UsageError: It is missing, cannot be read, is no TOML, or has a wrong key or value, which is named.
    """
    try:
        record = msgspec.toml.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        raise UsageError(f"there is no settings file {path}; make it, or check its spelling") from None
    except OSError as error:
        raise UsageError(
            f"the settings file {path} cannot be read ({error.strerror}); check its permissions"
        ) from error
    except (msgspec.DecodeError, ValueError) as error:
        raise UsageError(f"the settings file {path} is no TOML ({error}); correct it") from error
    settings = _decode(record, str(path))
    if settings.bundle is None or installed.is_name(settings.bundle):
        return settings
    return msgspec.structs.replace(settings, bundle=path.parent / settings.bundle)


def _decode(record: Mapping[str, Any], origin: str, *, strict: bool = True) -> Settings:
    unknown = sorted(record.keys() - set(Settings.__struct_fields__))
    if unknown:
        raise UsageError(
            f"{origin} has a setting {unknown[0]!r}, which there is not; there are "
            f"{', '.join(sorted(Settings.__struct_fields__))}"
        )
    try:
        return msgspec.convert(record, Settings, strict=strict, dec_hook=_path)
    except msgspec.ValidationError as error:
        # "Expected `int` >= 1 - at `$.threads`"
        expected, _, place = str(error).rpartition(" - at `$.")
        if place == "engine`":  # msgspec does not say which there are
            expected = f"expected one of {', '.join(get_args(EngineChoice))}"
        expected = expected.lower().replace(" | null", "").replace("`", "")
        raise UsageError(f"{origin} has a wrong value for {place.rstrip('`')} ({expected}); correct it") from error


def _path(wanted: type, value: object) -> Path:
    if wanted is not Path or not isinstance(value, str) or not value:
        raise ValueError("expected a path")
    return Path(value)


def _said(settings: Settings) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(settings).items() if value is not None}
