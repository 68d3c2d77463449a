"""May somebody use a file of ``/dev``? Asked of the system, which knows of lists, too."""

import enum
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_runtime.service.access import Account


class Use(enum.Enum):
    """Whether somebody may use it; nobody but root can ask for others."""

    ALLOWED = enum.auto()
    FORBIDDEN = enum.auto()
    UNKNOWN = enum.auto()


def use_of(path: Path, wanted: int, who: "Account | None") -> Use:
    """Ask as that user, in a process that ends with the answer.

    Args:
        path: What is to be used.
        wanted: As for ``os.access``.
        who: ``None`` for the user of this process.
    """
    if who is None or who.user == os.geteuid():
        return _said(os.access(path, wanted, effective_ids=os.access in os.supports_effective_ids))
    if os.geteuid() != 0:
        return Use.UNKNOWN
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups(who.groups)
            os.setresgid(who.group, who.group, who.group)
            os.setresuid(who.user, who.user, who.user)
            status = 0 if os.access(path, wanted) else 1
        finally:
            os._exit(status)
    return _said(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0)


def _said(allowed: bool) -> Use:
    return Use.ALLOWED if allowed else Use.FORBIDDEN
