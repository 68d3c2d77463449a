"""Which watcher is examined: the service, where there is one and nobody names a folder, else one of this person's."""

import argparse
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.packages import load
from edge_runtime.errors import UsageError
from edge_runtime.locate import default_results

if TYPE_CHECKING:  # it needs numpy, which may be what is broken here
    from edge_runtime.config.config import Configuration
    from edge_runtime.service.access import Account

UNIT: Final = "edge-pneumo.service"
_UNIT_FOLDERS: Final = ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system")
_USER: Final = "edge-pneumo"
_GROUPS: Final = "SupplementaryGroups="
_SETTINGS: Final = "/etc/edge-pneumo/config.toml"


@dataclass(frozen=True, slots=True)
class Subject:
    """A watcher.

    Attributes:
        configuration: Its settings; ``None`` where they are wrong or cannot be read.
        file: Its settings file; ``None`` where there is none.
        wrong: What is wrong with the settings, in sentences.
        unread: Why the settings could not be read at all; ``None`` where they were.
        folder: The watched one; ``None`` where none is named.
        results: Where findings go; ``None`` where that cannot be said.
        unit: Text of the service's unit, where the service is examined.
        account: Whose the service is; ``None`` for whoever runs this.
    """

    configuration: "Configuration | None" = None
    file: Path | None = None
    wrong: tuple[str, ...] = ()
    unread: str | None = None
    folder: Path | None = None
    results: Path | None = None
    unit: str | None = None
    account: "Account | None" = None

    def value(self, key: str) -> Any:
        """Of a setting, such as ``watch.order``; ``None`` where the settings cannot be used."""
        return None if self.configuration is None else self.configuration.value(key)

    @property
    def is_service(self) -> bool:
        """Whether the installed service is examined."""
        return self.unit is not None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what names a watcher; the same words as for ``watch``."""
    parser.add_argument(
        "folder",
        nargs="?",
        type=Path,
        metavar="DIR",
        help="a watched folder (default: the service's, where it is installed, else the one that is configured)",
    )
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="where findings go (default: as the watcher of DIR has it)"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"settings (default: {_SETTINGS}, if it exists)")


def find(
    machine: Machine, folder: Path | None = None, results: Path | None = None, config: Path | None = None
) -> Subject:
    """The watcher that is meant.

    Args:
        machine: Where its settings and its unit lie.
        folder: The watched one, as it is named.
        results: Likewise.
        config: Likewise.
    """
    unit = None if folder or results or config else _unit(machine)
    known = Subject(
        folder=folder,
        results=results or (None if folder is None else default_results(folder)),
        unit=unit,
        account=None if unit is None else _account(machine, _USER, unit),
    )
    broken = load(machine, "cv2")  # and numpy with it: what reads the settings needs them, and might crash
    if broken is not None:
        return replace(known, unread=f"OpenCV or numpy does not load: {broken}")
    try:
        return (
            _of_this_person(machine, known, results, config) if unit is None else _of_the_service(machine, known, unit)
        )
    except ImportError as error:
        return replace(known, unread=f"the program does not load ({error})")


def _unit(machine: Machine) -> str | None:
    return next((found for place in _UNIT_FOLDERS if (found := machine.text(f"{place}/{UNIT}")) is not None), None)


def _of_this_person(machine: Machine, known: Subject, results: Path | None, config: Path | None) -> Subject:
    from edge_runtime.config.config import resolve

    default = machine.path(_SETTINGS)
    file = config or (default if default.exists() else None)
    try:
        flags = {"watch.folder": known.folder, "watch.results": results}
        chosen = resolve(flags, config, machine.environment, default_file=default)
    except UsageError as error:
        return replace(known, file=file, wrong=_wrong(file, error))
    watch = chosen.settings.watch
    derived = None if watch.folder is None else default_results(watch.folder)
    return replace(known, configuration=chosen, file=file, folder=watch.folder, results=watch.results or derived)


def _of_the_service(machine: Machine, known: Subject, unit: str) -> Subject:
    from edge_runtime.config.config import resolve
    from edge_runtime.service.unit import DEFAULT_FOLDER, STATE, choices_in, settings_of

    choices = choices_in(unit)
    default = machine.path(_SETTINGS)
    file = choices.config or (default if default.exists() else None)
    try:
        chosen = resolve(settings_of(choices), choices.config, {}, default_file=default)
    except UsageError as error:
        return replace(known, file=file, wrong=_wrong(file, error))
    watch = chosen.settings.watch
    return replace(
        known,
        configuration=chosen,
        file=file,
        folder=watch.folder or DEFAULT_FOLDER,
        results=watch.results or STATE / "results",
    )


def _wrong(file: Path | None, error: UsageError) -> tuple[str, ...]:
    from edge_runtime.config.config import problems

    try:
        return tuple(problems(file) if file is not None else []) or (str(error),)
    except UsageError:
        return (str(error),)


def _account(machine: Machine, name: str, unit: str) -> "Account | None":
    """The user of that name, with the groups that the unit adds; ``None`` where the machine has none."""
    from edge_runtime.service.access import Account

    groups = [line.split(":") for line in (machine.text("/etc/group") or "").splitlines()]
    added = [word for line in unit.splitlines() if line.startswith(_GROUPS) for word in line[len(_GROUPS) :].split()]
    of = tuple(
        int(fields[2]) for fields in groups if len(fields) == 4 and (name in fields[3].split(",") or fields[0] in added)
    )
    for line in (machine.text("/etc/passwd") or "").splitlines():
        fields = line.split(":")
        if fields[0] == name and len(fields) > 3:
            return Account(name, int(fields[2]), int(fields[3]), of)
    return None
