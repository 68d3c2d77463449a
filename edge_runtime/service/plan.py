"""What installing or removing the service takes, as steps that can be printed before they are done; and doing them."""

import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge_runtime.errors import EdgePneumoError
from edge_runtime.service.unit import CONFIGURATION, DEFAULT_FOLDER, STATE, UNIT, USER

UNIT_FILE: Final = Path("/etc/systemd/system") / UNIT
USER_FILE: Final = Path("/etc/sysusers.d") / f"{USER}.conf"
USER_LINE: Final = f'u {USER} - "edge-pneumo service" {STATE}\n'


@dataclass(frozen=True, slots=True)
class Write:
    """Write a file that root owns and everybody may read, as a whole or not at all."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Remove a file."""

    path: Path


@dataclass(frozen=True, slots=True)
class Run:
    """Run a command."""

    words: tuple[str, ...]


Step = Write | Remove | Run
Call = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


@dataclass(frozen=True, slots=True)
class Found:
    """What is there already.

    Attributes:
        unit: Text of the installed unit, or ``None``.
        user_file: Text of the file that declares the user, or ``None``.
        has_user: Whether there is such a user.
        has_folder: Whether there is the folder to watch.
        has_results: Whether there is the folder for results, if another one than the service's own is wanted.
        has_configuration: Whether there is a folder for settings.
        enabled: Whether the service starts with the machine.
        active: Whether it runs, or is about to.
    """

    unit: str | None
    user_file: str | None
    has_user: bool
    has_folder: bool
    has_results: bool
    has_configuration: bool
    enabled: bool
    active: bool


def install_steps(found: Found, unit: str, folder: Path, results: Path | None) -> list[Step]:
    """What is to be done so that the service is there and runs; nothing where it is and does.

    Args:
        found: What is there.
        unit: The unit's text.
        folder: To watch. If it is missing and the default one, it is made, for members of the service's group to write.
        results: Another place for findings than the service's own; made if it is missing.
    """
    steps: list[Step] = []
    if found.user_file != USER_LINE:
        steps.append(Write(USER_FILE, USER_LINE))
    if found.user_file != USER_LINE or not found.has_user:
        steps.append(Run(("systemd-sysusers", str(USER_FILE))))
    if folder == DEFAULT_FOLDER and not found.has_folder:
        steps.append(_make_folder(folder, "root", "2775"))
    if results is not None and not found.has_results:
        steps.append(_make_folder(results, USER, "2750"))
    if not found.has_configuration:
        steps.append(Run(("install", "-d", "-m", "755", str(CONFIGURATION))))
    if found.unit != unit:
        steps += [Write(UNIT_FILE, unit), Run(("systemctl", "daemon-reload"))]
    if not found.enabled:
        steps.append(Run(("systemctl", "enable", "--quiet", UNIT)))
    if found.unit != unit and found.active:
        steps.append(Run(("systemctl", "restart", UNIT)))
    elif not found.active:
        steps.append(Run(("systemctl", "start", UNIT)))
    return steps


def uninstall_steps(found: Found) -> list[Step]:
    """What is to be done so that the service is gone; its findings, settings, user and input stay."""
    steps: list[Step] = []
    if found.enabled or found.active:
        steps.append(Run(("systemctl", "disable", "--quiet", "--now", UNIT)))
    steps += [Remove(path) for path, there in ((UNIT_FILE, found.unit), (USER_FILE, found.user_file)) if there]
    if found.unit is not None:
        steps.append(Run(("systemctl", "daemon-reload")))
    return steps


def describe(step: Step) -> str:
    """What ``--dry-run`` prints."""
    if isinstance(step, Write):
        return "\n".join([f"write {step.path}:", *(f"    {line}".rstrip() for line in step.text.splitlines())])
    if isinstance(step, Remove):
        return f"remove {step.path}"
    return f"run {' '.join(step.words)}"


def perform(step: Step, call: Call) -> None:
    """Do a step.

    Raises:
        EdgePneumoError: It failed; the message says what, and what to do.
    """
    try:
        if isinstance(step, Write):
            _write(step.path, step.text)
        elif isinstance(step, Remove):
            step.path.unlink(missing_ok=True)
        else:
            _run(step.words, call)
    except OSError as error:
        raise EdgePneumoError(
            f"{error.filename} cannot be changed ({error.strerror}); mend that and do the same again"
        ) from error


def run_command(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command and keep what it says; a missing one ends with status 127."""
    try:
        return subprocess.run(list(words), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        return subprocess.CompletedProcess(list(words), 127, "", f"there is no {words[0]} here")


def _run(words: Sequence[str], call: Call) -> None:
    result = call(words)
    if result.returncode == 0:
        return
    if words[0] == "systemctl" and words[1] in ("start", "restart"):
        raise EdgePneumoError(f"the service is installed and does not start; see why: journalctl -u {UNIT} -n 20")
    said = " ".join(result.stderr.split()) or f"status {result.returncode}"
    raise EdgePneumoError(f"'{' '.join(words)}' failed ({said}); mend that and do the same again")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.new")
    with unfinished.open("w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), 0o644)
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _make_folder(folder: Path, owner: str, mode: str) -> Run:
    return Run(("install", "-d", "-o", owner, "-g", USER, "-m", mode, str(folder)))
