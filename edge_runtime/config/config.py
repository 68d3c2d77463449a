"""Settings: from a TOML file, overridden by environment variables, overridden by the command line.

Each is optional, and what none of the three names has its default. ``systemd/config.toml`` is an example with all of
them; ``settings`` says what they are. A variable is ``EDGE_PNEUMO_`` and the key in capitals, its dot an underscore:
``EDGE_PNEUMO_WATCH_ORDER`` is ``order`` in ``[watch]``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from edge_runtime.config.check import SECTIONS, TYPES, WrongError, convert, flatten, nearest
from edge_runtime.config.settings import (
    CameraSettings,
    EngineChoice,
    Limits,
    LogSettings,
    Retention,
    Settings,
    WatchSettings,
)
from edge_runtime.errors import UsageError
from edge_runtime.model import store

__all__ = [
    "DEFAULT_FILE",
    "TYPES",
    "VARIABLES",
    "CameraSettings",
    "Configuration",
    "EngineChoice",
    "Limits",
    "LogSettings",
    "Origin",
    "Retention",
    "Settings",
    "WatchSettings",
    "problems",
    "read_file",
    "resolve",
]

DEFAULT_FILE: Final = Path("/etc/edge-pneumo/config.toml")
_PREFIX: Final = "EDGE_PNEUMO_"
VARIABLES: Final[Mapping[str, str]] = {key: _PREFIX + key.replace(".", "_").upper() for key in TYPES}
"""The environment variable of each setting, by its key."""
# Paths that a file may give relative to its own folder. Others are relative to the watched folder.
_BESIDE_THE_FILE: Final = ("bundle", "watch.folder", "watch.results")
# How much like a setting's name a variable's is that can only mean it, and one that has a section's name already.
_MISSPELT: Final = 0.8
_ALIKE: Final = 0.6


class Origin(msgspec.Struct, frozen=True):
    """Where a value was said.

    Attributes:
        kind: A settings file, an environment variable, or an option of the command.
        name: The file's path, the variable's or the option's name.
        line: In the file.
    """

    kind: Literal["file", "variable", "flag"]
    name: str
    line: int | None = None

    def __str__(self) -> str:
        return self.name if self.line is None else f"{self.name}, line {self.line}"


class Configuration(msgspec.Struct, frozen=True):
    """The settings in force.

    Attributes:
        settings: Their values.
        origins: Where each was said, by its key; what nobody said has its default and is not among them.
        file: The settings file that was read, or ``None``.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    file: Path | None = None

    def value(self, key: str) -> Any:
        """Of the setting with that key, such as ``watch.order``."""
        found: Any = self.settings
        for name in key.split("."):
            found = getattr(found, name)
        return found


def resolve(
    flags: Mapping[str, Any], file: Path | None, environment: Mapping[str, str], *, default_file: Path = DEFAULT_FILE
) -> Configuration:
    """Join the three places.

    Args:
        flags: What the command line says, by key; ``None`` says nothing.
        file: The settings file that it names, or ``None`` for the default one, which need not exist.
        environment: Such as ``os.environ``; an empty variable says nothing.
        default_file: Where the default one lies.

    Raises:
        UsageError: The file is missing, cannot be read or is no TOML, or a key or value in it or in the environment is
            wrong; the sentence names where, and the nearest right name.
    """
    values: dict[str, Any] = {}
    origins: dict[str, Origin] = {}
    path = file or (default_file if default_file.exists() else None)
    if path is not None:
        values, lines = read_file(path)
        origins = {key: Origin("file", str(path), lines[key]) for key in values}
    said = _from_environment(environment)
    values |= said
    origins |= {key: Origin("variable", VARIABLES[key]) for key in said}
    given = {key: value for key, value in flags.items() if value is not None}
    values |= given
    origins |= {key: Origin("flag", _flag(key, value)) for key, value in given.items()}
    return Configuration(_settings(values), origins, path)


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """Read a settings file.

    Returns:
        What it says by key, and in which lines.

    Raises:
        UsageError: It is missing, cannot be read, is no TOML, or has a wrong key or value, which is named.
    """
    values, lines, wrong = _check(path)
    if wrong:
        more = f" ({len(wrong) - 1} more: see 'edge-pneumo config check {path}')" if len(wrong) > 1 else ""
        raise UsageError(wrong[0] + more)
    return values, lines


def problems(path: Path) -> list[str]:
    """A sentence for each key and value in a settings file that is wrong, with its line.

    Raises:
        UsageError: It is missing, cannot be read or is no TOML.
    """
    return _check(path)[2]


def _check(path: Path) -> tuple[dict[str, Any], dict[str, int], list[str]]:
    record, lines = _read_toml(path)
    values: dict[str, Any] = {}
    wrong: list[tuple[int, str]] = []
    found_in: dict[str, int] = {}
    for key, value, error in flatten(record):
        line = lines.get(tuple(key.split(".", 1)), lines.get((key,), 1))
        try:
            if error is not None:
                raise error
            values[key] = _placed(path, key, convert(key, value))
            found_in[key] = line
        except WrongError as found:
            wrong.append((line, f"{path}, line {line}: {found}"))
    return values, found_in, [sentence for _, sentence in sorted(wrong)]


def _read_toml(path: Path) -> tuple[dict[str, Any], dict[tuple[str, ...], int]]:
    # Loaded where there is a file: without one, as on most machines, the program starts sooner.
    import tomllib

    from edge_runtime.config.toml_lines import key_lines

    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no settings file {path}; make it, or check its spelling") from None
    except OSError as error:
        raise UsageError(
            f"the settings file {path} cannot be read ({error.strerror}); check its permissions"
        ) from error
    try:
        text = data.decode()
        record = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"the settings file {path} is no TOML (line {line} is no UTF-8); correct it") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the settings file {path} is no TOML ({_with_line(str(error), data)}); correct it") from error
    return record, key_lines(text)


def _with_line(reason: str, data: bytes) -> str:
    return reason.replace("at end of document", f"at the end, line {data.rstrip().count(10) + 1}")


def _placed(file: Path, key: str, value: Any) -> Any:
    if key not in _BESIDE_THE_FILE or (key == "bundle" and store.is_name(value)):
        return value
    return file.parent / value


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    keys = {variable: key for key, variable in VARIABLES.items()}
    for variable, text in environment.items():
        if not variable.startswith(_PREFIX) or not text:
            continue
        try:
            if variable in keys:
                values[keys[variable]] = convert(keys[variable], text, strict=False)
            else:
                _refuse_misspelt(variable)
        except WrongError as error:
            raise UsageError(f"{variable}: {error}") from error
    return values


def _refuse_misspelt(variable: str) -> None:
    """Other variables of this program are no settings; those that look like one are meant as one."""
    word = variable.removeprefix(_PREFIX).lower()
    section = next((section for section in SECTIONS if word.startswith(f"{section}_")), "")
    # With or without the section's name, which is easily forgotten.
    known = {key.rpartition(".")[2]: VARIABLES[key] for key in TYPES if key.startswith(section)}
    close = nearest(word.removeprefix(f"{section}_"), known, _ALIKE if section else _MISSPELT)
    if close:
        raise WrongError(f"there is no such variable; did you mean {known[close]}?")
    if section:
        raise WrongError(f"there is no such variable; there are {', '.join(known.values())}")


def _flag(key: str, value: Any) -> str:
    if key == "watch.folder":
        return "DIR"
    if key == "camera.device":
        return "--camera"
    if key == "watch.heatmaps":
        return "--heatmap" if value else "--no-heatmap"
    return "--" + key.rpartition(".")[2].replace("_", "-")


def _settings(values: Mapping[str, Any]) -> Settings:
    def of(section: str) -> dict[str, Any]:
        begin = f"{section}." if section else ""
        return {key.removeprefix(begin): value for key, value in values.items() if key.rpartition(".")[0] == section}

    sections: dict[str, Any] = {section: struct(**of(section)) for section, struct in SECTIONS.items()}
    return Settings(**of(""), **sections)
