"""May the service's user read a folder, or write to it? Asked of the system, which knows of lists and shares, too."""

import errno
import grp
import os
import pwd
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path

from edge_runtime.errors import UsageError

_NOBODY = 65534


@dataclass(frozen=True, slots=True)
class Account:
    """Who asks.

    Attributes:
        name: For the sentence that says how to let this user in.
        user: Its number.
        group: Its own group's.
        groups: Of all groups it is a member of.
    """

    name: str
    user: int
    group: int
    groups: tuple[int, ...]


def account(name: str) -> Account:
    """The user of that name; where there is none yet, one that belongs to nothing."""
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        return Account(name, _NOBODY, _NOBODY, ())
    groups = tuple(group.gr_gid for group in grp.getgrall() if name in group.gr_mem)
    return Account(name, found.pw_uid, found.pw_gid, groups)


def check_folder(folder: Path, who: Account, writes: bool) -> None:
    """Refuse a folder that the service could not use. The way to it does not count: the sandbox has its own.

    Raises:
        UsageError: It is missing, no folder, or not this user's to read (with ``writes``, to change); the sentence
            says how to mend that.
    """
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise UsageError(f"there is no folder {folder}; make it, or check its spelling") from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file; name a folder") from None
    except OSError as error:
        raise UsageError(f"{folder} cannot be looked through ({error.strerror}); check its permissions") from error
    try:
        wanted = os.R_OK | os.X_OK | (os.W_OK if writes else 0)
        if not _may(handle, wanted, who):
            raise UsageError(_remedy(folder, os.fstat(handle), who, writes=writes))
    finally:
        os.close(handle)


def _may(handle: int, wanted: int, who: Account) -> bool:
    """Ask as that user, in a process that ends with the answer."""
    child = os.fork()
    if child == 0:
        status = errno.EACCES
        try:
            os.setgroups(who.groups)
            os.setresgid(who.group, who.group, who.group)
            os.setresuid(who.user, who.user, who.user)
            status = 0 if os.access(".", wanted, dir_fd=handle) else errno.EACCES
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def _remedy(folder: Path, found: os.stat_result, who: Account, *, writes: bool) -> str:
    bits = stat.S_IRGRP | stat.S_IXGRP | (stat.S_IWGRP if writes else 0)
    what = "read and change" if writes else "read"
    if found.st_mode & bits == bits and found.st_gid != 0:
        command = f"sudo usermod -aG {_group(found.st_gid)} {who.name}"
    else:
        access = "rwX" if writes else "rX"
        command = f"sudo setfacl -R -m u:{who.name}:{access},d:u:{who.name}:{access} {shlex.quote(str(folder))}"
    return (
        f"the service's user {who.name} may not {what} {folder}; let it, for instance with '{command}', "
        "and install again"
    )


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
