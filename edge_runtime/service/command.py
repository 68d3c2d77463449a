"""``edge-pneumo service``: install the watcher as a service of this machine, say how it stands, remove it."""

import argparse
import os
import pwd
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec

from edge_runtime.camera.choice import has_password
from edge_runtime.config import config
from edge_runtime.config.settings import InputChoice
from edge_runtime.errors import EdgePneumoError, UsageError
from edge_runtime.service.access import Account, account, check_folder
from edge_runtime.service.derived import LEAST_MEBIBYTES, derive
from edge_runtime.service.plan import (
    UNIT_FILE,
    USER_FILE,
    Call,
    Found,
    Run,
    Step,
    describe,
    install_steps,
    perform,
    run_command,
    uninstall_steps,
)
from edge_runtime.service.unit import (
    CONFIGURATION,
    DEFAULT_FOLDER,
    STATE,
    UNIT,
    USER,
    Choices,
    choices_in,
    quoted,
    render,
    template,
)

if TYPE_CHECKING:
    pass

_SYSTEMD = Path("/run/systemd/system")
_INACTIVE = 3  # as systemctl says it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the subcommands of ``service``."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, purpose: str) -> argparse.ArgumentParser:
        return actions.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.")

    install = action("install", "install or update the service and start it; what was said earlier still holds")
    install.add_argument(
        "--folder", type=Path, metavar="DIR", help=f"folder to watch (default: as configured, else {DEFAULT_FOLDER})"
    )
    install.add_argument(
        "--results", type=Path, metavar="DIR", help=f"where findings go (default: as configured, else {STATE}/results)"
    )
    install.add_argument(
        "--input",
        choices=get_args(InputChoice),
        help="leave answered files, or move them (default: leave)",
    )
    install.add_argument(
        "--camera",
        metavar="DEVICE",
        help="photograph films into the folder, as 'watch --camera' does; '' for none (default: as configured)",
    )
    install.add_argument("--config", type=Path, metavar="FILE", help=f"settings (default: {config.DEFAULT_FILE})")
    install.add_argument(
        "--memory", type=_mebibytes, metavar="MIB", help="memory limit (default: 2048, at most three quarters of all)"
    )
    action("status", "say whether the service runs, and what it has answered")
    for command in (install, action("uninstall", "stop and remove the service; findings, settings and input stay")):
        command.add_argument("--dry-run", action="store_true", help="print what would be done, and do nothing")


def run(arguments: argparse.Namespace) -> int:
    """Do it.

    Raises:
        EdgePneumoError: It cannot be done; the message says why and what to do.
    """
    if arguments.action == "status":
        return status(run_command)
    if not arguments.dry_run:
        _refuse_without_root(arguments.action)
        if not _SYSTEMD.is_dir():
            raise UsageError("this machine was not started by systemd; run 'edge-pneumo watch DIR' by other means")
    if arguments.action == "uninstall":
        return uninstall(run_command, dry_run=arguments.dry_run)
    said = {name: getattr(arguments, name) for name in Choices.__struct_fields__}
    said |= {name: path.resolve() for name, path in said.items() if isinstance(path, Path)}
    return install(Choices(**said), run_command, dry_run=arguments.dry_run)


def install(
    said: Choices,
    call: Call,
    *,
    dry_run: bool,
    check: Callable[[Path, Account, bool], None] = check_folder,
) -> int:
    """Install or update the service, and start it anew if something has changed.

    Args:
        said: What was said this time.
        call: What runs a command.
        dry_run: Print what would be done.
        check: Refuses a folder that the user cannot read or, if the third is set, change.
    """
    installed = _read(UNIT_FILE)
    choices = _joined(choices_in(installed or ""), said)
    service = derive(choices)
    if not service.program.fingerprint:
        raise UsageError("edge-pneumo runs from its sources here; install it first, as with 'pip install .'")
    unit = render(template(), service, choices, systemd=systemd_version(call))
    found = look(call, service.folder, service.results)
    if service.folder != DEFAULT_FOLDER or found.has_folder:
        if os.geteuid() == 0:
            check(service.folder, account(USER), service.writes_to_folder)
        elif not found.has_folder:
            raise UsageError(f"there is no folder {service.folder}; make it, or check its spelling")
    if service.results is not None and found.has_results and os.geteuid() == 0:
        check(service.results, account(USER), True)
    steps = install_steps(found, unit, service.folder, service.results)
    results = service.results or STATE / "results"
    return _do(
        steps,
        call,
        dry_run=dry_run,
        done=f"the service runs: it watches {service.folder}, findings go to {results}",
        nothing=f"nothing to do: the service runs, watches {service.folder}, findings go to {results}",
    )


def uninstall(call: Call, *, dry_run: bool) -> int:
    """Stop and remove the service."""
    unit = _read(UNIT_FILE)
    choices = choices_in(unit or "")
    found = look(call, choices.folder or DEFAULT_FOLDER, choices.results)
    kept = f"findings stay in {choices.results or STATE / 'results'}, settings in {CONFIGURATION}, the user {USER}"
    return _do(
        uninstall_steps(found),
        call,
        dry_run=dry_run,
        done=f"the service is gone; {kept}, and the input where it is",
        nothing=f"nothing to do: there is no service; {kept} if there were any",
    )


def status(call: Call, tell: Callable[[Path], int] | None = None) -> int:
    """Print whether the service runs and what ``edge-pneumo status`` says of its results.

    Returns:
        3 where it does not run, else what ``edge-pneumo status`` returns.
    """
    unit = _read(UNIT_FILE)
    if unit is None:
        raise UsageError("the service is not installed; install it with 'sudo edge-pneumo service install'")
    active = call(("systemctl", "is-active", UNIT)).stdout.strip() or "unknown"
    enabled = call(("systemctl", "is-enabled", UNIT)).stdout.strip() == "enabled"
    print(f"service    {active}, {'starts' if enabled else 'does not start'} with the machine")
    results = derive(choices_in(unit)).results or STATE / "results"
    said = 0
    if not _may_look(results):
        print(f"           its findings are for members of the group {USER}: sudo usermod -aG {USER} NAME")
    elif results.is_dir():
        said = (tell or _status_of)(results)
    return said if active == "active" else _INACTIVE


def look(call: Call, folder: Path, results: Path | None) -> Found:
    """What is there already."""
    try:
        pwd.getpwnam(USER)
        has_user = True
    except KeyError:
        has_user = False
    return Found(
        unit=_read(UNIT_FILE),
        user_file=_read(USER_FILE),
        has_user=has_user,
        has_folder=folder.is_dir(),
        has_results=results is None or results.is_dir(),
        has_configuration=CONFIGURATION.is_dir(),
        enabled=call(("systemctl", "is-enabled", UNIT)).stdout.strip() == "enabled",
        active=call(("systemctl", "is-active", UNIT)).stdout.strip() in ("active", "activating", "reloading"),
    )


def systemd_version(call: Call) -> int:
    """Such as 252.

    Raises:
        UsageError: There is none.
    """
    words = call(("systemctl", "--version")).stdout.split()
    if len(words) < 2 or not words[1].isdigit():
        raise UsageError("there is no systemctl here; run 'edge-pneumo watch DIR' by other means")
    return int(words[1])


def _do(steps: Sequence[Step], call: Call, *, dry_run: bool, done: str, nothing: str) -> int:
    for step in steps:
        if dry_run:
            print(describe(step))
        else:
            perform(step, call)
            if not isinstance(step, Run):
                print(describe(step).partition("\n")[0].rstrip(":"))
    if not steps:
        print(nothing)
    elif not dry_run:
        print(done)
    return 0


def _joined(earlier: Choices, said: Choices) -> Choices:
    now = {name: value for name, value in msgspec.structs.asdict(said).items() if value is not None}
    joined = msgspec.structs.replace(earlier, **now)
    if joined.camera is not None and has_password(joined.camera):
        raise UsageError(
            "everybody may read a service's unit, and this camera's address has a password in it; write it into "
            f"[camera] of {config.DEFAULT_FILE}, which root and the group {USER} alone need to read"
        )
    for path in (joined.folder, joined.results, joined.config):
        if path is not None:
            quoted(path)
    return joined


def _refuse_without_root(action: str) -> None:
    if os.geteuid() != 0:
        raise UsageError(f"to {action} a service takes root; use sudo, or --dry-run to see what would be done")


def _may_look(results: Path) -> bool:
    try:
        return not results.exists() or os.access(results, os.R_OK | os.X_OK)
    except PermissionError:
        return False


def _status_of(results: Path) -> int:
    from edge_runtime.status import command as status_command

    parser = argparse.ArgumentParser()
    status_command.add_arguments(parser)
    return status_command.run(parser.parse_args([str(results)]))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise EdgePneumoError(f"{path} cannot be read ({error.strerror}); check its permissions") from error


def _mebibytes(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < LEAST_MEBIBYTES:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from {LEAST_MEBIBYTES} up")
    return int(text)
