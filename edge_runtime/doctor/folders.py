"""The watched folder and the results folder: are they there, and may the watcher use them?"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip, warn
from edge_runtime.errors import UsageError
from edge_runtime.finding import printable
from edge_runtime.sources.mounts import silent_type

if TYPE_CHECKING:
    from edge_runtime.service.access import Account

_NO_FOLDER: Final = skip("no folder to watch is named; 'edge-pneumo doctor DIR' looks at one")
_SUDO: Final = "run this with sudo"
_LOOKED_AT: Final = 100_000


def watched_folder(_machine: Machine, subject: Subject) -> Verdict:
    """Is it there, and may the watcher read it, and change it where it moves files or photographs some into it?"""
    folder, results = subject.folder, subject.results
    if folder is None or results is None:
        return _NO_FOLDER
    writes = subject.value("watch.input") == "move" or bool(subject.value("camera.device"))
    verdict = _usable(folder, subject.account, writes=writes)
    if verdict.status == "ok" and folder.resolve().is_relative_to(results.resolve()):
        return fail(
            f"{printable(folder)} lies in the results folder, whose findings would be taken for radiographs",
            "name another folder with --results",
        )
    return verdict


def results_folder(_machine: Machine, subject: Subject) -> Verdict:
    """May the watcher write to it, or make it?"""
    results = subject.results
    if results is None:
        return _NO_FOLDER
    try:
        is_there = results.exists()
    except OSError:
        return skip(f"{printable(results)} is not yours to look at; {_SUDO}")
    if is_there and os.statvfs(results).f_flag & os.ST_RDONLY:
        return skip("its file system is read-only")
    if is_there:
        return _usable(results, subject.account, writes=True)
    if subject.is_service:
        return ok(f"{printable(results)} is not there yet; the service makes it")
    verdict = _usable(results.parent, subject.account, writes=True)
    return ok(f"{printable(results)} is not there yet; the watcher makes it") if verdict.status == "ok" else verdict


def inotify(machine: Machine, subject: Subject) -> Verdict:
    """Does the folder tell of new files at once, and does the system let the watcher hear of all of them?"""
    if subject.folder is None:
        return _NO_FOLDER
    try:
        with os.scandir(subject.folder):
            pass
    except OSError as error:
        return skip(f"the watched folder cannot be looked through ({error.strerror})")
    mountinfo = machine.text("/proc/self/mountinfo")
    kind = silent_type(os.path.realpath(subject.folder), os.fsencode(mountinfo or ""))
    if kind is not None:
        return ok(
            f"the folder lies on {kind}, which does not tell of new files: it is looked through every few seconds"
        )
    limits = {name: machine.text(f"/proc/sys/fs/inotify/max_user_{name}") for name in ("watches", "instances")}
    watches, instances = (int(text) if text and text.isdecimal() else None for text in limits.values())
    if watches is None or instances is None:
        return skip("/proc/sys/fs/inotify does not say")
    folders = _folders(subject.folder)
    if folders >= watches or not instances:
        name = "max_user_watches=524288" if folders >= watches else "max_user_instances=1024"
        return warn(
            f"{folders} folders to watch, and the system lets a user watch {watches}: new files are found late",
            f"say 'sudo sysctl -w fs.inotify.{name}', and write that line into /etc/sysctl.d/90-edge-pneumo.conf",
        )
    return ok(f"new files are told of at once: {folders} folder{'' if folders == 1 else 's'} of {watches}")


def _usable(folder: Path, who: "Account | None", *, writes: bool) -> Verdict:
    name = printable(folder)
    if who is None or who.user == os.geteuid():
        return _mine(folder, writes=writes)
    if os.geteuid() != 0:
        verdict = _mine(folder, writes=False) if not folder.exists() else ok(name)
        return (
            verdict if verdict.status == "fail" else skip(f"whether {who.name} may use {name} only root sees; {_SUDO}")
        )
    from edge_runtime.service.access import check_folder

    try:
        check_folder(folder, who, writes)
    except UsageError as error:
        cause, _, advice = str(error).partition("; ")
        return fail(cause, advice.removesuffix(", and install again"))
    return ok(f"{name}, {'read and written' if writes else 'read'} by {who.name}")


def _mine(folder: Path, *, writes: bool) -> Verdict:
    """For whoever runs this."""
    name = printable(folder)
    try:
        is_folder = folder.is_dir()
        is_there = is_folder or folder.exists()
    except OSError as error:
        return fail(f"{name} cannot be looked at ({error.strerror})", "check its permissions")
    if not is_there:
        return fail(f"there is no folder {name}", "make it, or check its spelling and whether its disk is mounted")
    if not is_folder:
        return fail(f"{name} is a file", "name a folder")
    wanted = os.R_OK | os.X_OK | (os.W_OK if writes else 0)
    if not os.access(folder, wanted, effective_ids=os.access in os.supports_effective_ids):
        what = "read and change" if writes else "read"
        return fail(f"this user may not {what} {name}", "let it, by 'chmod' or 'setfacl', or run as one who may")
    return ok(f"{name}, {'read and written' if writes else 'read'} by this user")


def _folders(root: Path) -> int:
    """The folder and those in it; as many as a look may count."""
    count = 0
    for _ in os.walk(root):
        count += 1
        if count == _LOOKED_AT:
            break
    return count
