"""The unit file of the service, from its template: what the sandbox lets through, and how it is written down.

The template is ``systemd/edge-pneumo.service`` of the checkout, which the wheel carries as a file of this package.
"""

import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from edge_runtime.camera.choice import Choice
from edge_runtime.config.settings import InputChoice
from edge_runtime.errors import UsageError
from edge_runtime.service.devices import device_lines, network_lines

if TYPE_CHECKING:
    from edge_runtime.model.engines.edgetpu_devices import Bus

UNIT: Final = "edge-pneumo.service"
USER: Final = "edge-pneumo"
STATE: Final = Path("/var/lib/edge-pneumo")
CONFIGURATION: Final = Path("/etc/edge-pneumo")
DEFAULT_FOLDER: Final = Path("/incoming")

# From this systemd on the pause before a restart can grow.
_GROWING_PAUSE = 254
_PACKAGE: Final = Path(__file__).parents[1]
_PLACEHOLDER = re.compile(r"@([A-Z_]+)@")
_CHOICES = "[X-edge-pneumo]"
# systemd reads these in a path as something else, and not everywhere the same way.
_UNSPEAKABLE = re.compile(r'[\x00-\x1f\x7f:"\\]')
_UNSPEAKABLE_IN_A_COMMAND = re.compile(r'[\x00-\x1f\x7f"\\]')
_HOMES = tuple(Path(name) for name in ("/home", "/root", "/run/user"))
# Libraries, and how they and the local time are found; a "-" before what need not exist.
_SYSTEM = (
    "-/lib -/lib64 /usr/lib -/usr/lib64 -/usr/local/lib",
    "-/etc/ld.so.cache -/etc/alternatives -/etc/localtime",
)


class Choices(msgspec.Struct, frozen=True, kw_only=True):
    """What was said to ``service install``, now or earlier; ``None`` where nothing was.

    Attributes:
        folder: To watch.
        results: Where findings go.
        input: Whether answered files are left or moved.
        camera: Its word; empty for none, whatever the settings say.
        config: The settings file.
        memory: Limit in 2**20 bytes.
    """

    folder: Path | None = None
    results: Path | None = None
    input: InputChoice | None = None
    camera: str | None = None
    config: Path | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """The program that is installed as a service.

    Attributes:
        python: Its interpreter, as it is called.
        readable: Files and folders that the interpreter and the packages consist of.
        fingerprint: Differs where another version of the program lies there; empty where it is not installed, but runs
            from its sources.
    """

    python: Path
    readable: tuple[Path, ...]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Service:
    """What the service is to do, and what its sandbox needs for it.

    Attributes:
        program: What runs.
        folder: The watched folder, absolute.
        results: ``None`` for the place in the state directory.
        input: Whether answered files are left or moved.
        camera: What photographs films into the folder, by choice or by the settings; ``None`` for nothing.
        edge_tpus: Where one is plugged in or wanted.
        groups: That may use what is named here.
        camera_word: As it was said to ``service install``; ``None`` where nothing was, so that the settings tell.
        config: A settings file other than the default one.
        pins: Whether a light or a button is wired to the board's pins.
        readable: More that is only read, such as a model's file.
        writable: More that is written to, such as a folder for answered files.
        generates_code: Whether the engine writes machine code at run time.
        memory: Limit in 2**20 bytes.
    """

    program: Program
    folder: Path
    results: Path | None
    input: InputChoice
    config: Path | None
    readable: tuple[Path, ...]
    writable: tuple[Path, ...]
    generates_code: bool
    memory: int
    camera: Choice | None = None
    camera_word: str | None = None
    edge_tpus: "tuple[Bus, ...]" = ()
    groups: tuple[str, ...] = ()
    pins: bool = False

    @property
    def writes_to_folder(self) -> bool:
        """Whether it moves files out of the watched folder, or photographs some into it."""
        return self.input == "move" or self.camera is not None


def template() -> str:
    """The packaged template; in a checkout, the one there."""
    packaged = _PACKAGE / UNIT
    if not packaged.exists():
        packaged = _PACKAGE.parent / "systemd" / UNIT
    return packaged.read_text(encoding="utf-8")


def this_program(package: Path = _PACKAGE, executable: str = sys.executable) -> Program:
    """The program that runs now."""
    python = Path(executable)
    found = {Path(sys.prefix), *_chain(python)}
    if Path(sys.base_prefix) != Path("/usr"):
        found.add(Path(sys.base_prefix))
    else:
        found.discard(Path("/usr"))
    if not package.is_relative_to(sys.prefix) or Path(sys.prefix) == Path("/usr"):
        found.add(package)  # a checkout
    return Program(python, tuple(sorted(found)), _fingerprint())


def render(text: str, service: Service, choices: Choices, *, systemd: int) -> str:
    """Fill in a template.

    Args:
        text: From ``template``.
        service: What to fill in.
        choices: Written down in the unit, for the next install.
        systemd: Version of the service manager that reads it.

    Raises:
        UsageError: A path cannot be written in a unit.
    """
    written = (service.folder,) if service.writes_to_folder else ()
    writable = (*written, *([service.results] if service.results else []), *service.writable)
    readable = [service.folder, CONFIGURATION, *([service.config] if service.config else []), *service.readable]
    values = {
        "FOLDER": quoted(service.folder),
        "COMMAND": " ".join(_argument(word) for word in command(service)),
        "PYTHON": _argument(service.program.python),
        "RESTART": _restart(systemd),
        "BINDS": "\n".join(
            [f"BindReadOnlyPaths={words}" for words in _SYSTEM]
            + [f"BindReadOnlyPaths={quoted(path)}" for path in service.program.readable]
            # Missing, they are complained of by the program, in better words than systemd's.
            + [f"BindReadOnlyPaths=-{quoted(path)}" for path in readable if path not in writable]
            + [f"BindPaths=-{quoted(path)}" for path in writable]
        ),
        "DEVICES": device_lines(service.camera, service.edge_tpus, service.groups, pins=service.pins),
        "NETWORK": network_lines(service.camera, service.edge_tpus),
        "PROTECT_HOME": "tmpfs" if _is_in_a_home([*service.program.readable, *readable, *writable]) else "yes",
        "DENY_WRITE_EXECUTE": "no" if service.generates_code else "yes",
        "MEMORY_MAX": f"{service.memory}M",
        "CHOICES": "\n".join(
            [f"Program={service.program.fingerprint}"]
            + [f"{name.capitalize()}={value}" for name, value in msgspec.structs.asdict(choices).items() if value]
        ),
    }
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def command(service: Service) -> list[str]:
    """What the service runs."""
    words = [str(service.program.python), "-I", "-X", "faulthandler", "-m", "edge_runtime", "watch"]
    words += [str(service.folder), "--input", service.input]
    if service.camera_word is not None:
        words += ["--camera", service.camera_word]
    if service.results:
        words += ["--results", str(service.results)]
    if service.config:
        words += ["--config", str(service.config)]
    return words


def choices_in(unit: str) -> Choices:
    """What an earlier install was told; in a unit that none wrote, nothing."""
    lines = unit.partition(_CHOICES)[2].splitlines()
    said = {key.lower(): value for key, _, value in (line.partition("=") for line in lines) if value}
    known = {name: said[name] for name in Choices.__struct_fields__ if name in said}
    try:
        return msgspec.convert(known, Choices, strict=False, dec_hook=lambda wanted, value: wanted(value))
    except msgspec.ValidationError:
        return Choices()


def quoted(word: str | Path) -> str:
    """A word of a setting in a unit.

    Raises:
        UsageError: It cannot be written there.
    """
    return _quoted(word, _UNSPEAKABLE)


def _quoted(word: str | Path, unspeakable: "re.Pattern[str]") -> str:
    text = str(word)
    if unspeakable.search(text) or text != os.fsencode(text).decode("utf-8", "replace"):
        raise UsageError(f"a service cannot be given the path {text!r}; rename it, without quotes and colons")
    text = text.replace("%", "%%")
    return f'"{text}"' if not text or re.search(r"[\s;'#]", text) else text


def _argument(word: str | Path) -> str:
    return _quoted(word, _UNSPEAKABLE_IN_A_COMMAND).replace("$", "$$")


def _restart(systemd: int) -> str:
    if systemd < _GROWING_PAUSE:
        return "RestartSec=10"
    return "RestartSec=2\nRestartSteps=8\nRestartMaxDelaySec=5min"


def _is_in_a_home(paths: Iterable[Path]) -> bool:
    return any(path.is_relative_to(home) for path in paths for home in _HOMES)


def _chain(python: Path) -> set[Path]:
    """The interpreter and each link on the way to it: the sandbox needs all of them."""
    found = {python}
    while python.is_symlink():
        python = Path(os.path.normpath(python.parent / python.readlink()))
        found.add(python)
    return {path for path in found if not path.is_relative_to(sys.prefix) or Path(sys.prefix) == Path("/usr")}


def _fingerprint() -> str:
    """The version, and in short which files belong to it."""
    import hashlib
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        found = distribution("edge-pneumo")
    except PackageNotFoundError:
        return ""
    record = (found.read_text("RECORD") or "").encode()
    return f"{found.version} {hashlib.sha256(record).hexdigest()[:12]}"


def settings_of(choices: Choices) -> Mapping[str, object]:
    """The choices that are settings, by their keys."""
    return {
        "watch.folder": choices.folder,
        "watch.results": choices.results,
        "watch.input": choices.input,
        "camera.device": choices.camera,
    }
