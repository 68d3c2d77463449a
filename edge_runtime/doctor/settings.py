"""The settings: are they right?"""

from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.doctor.verdict import Verdict, fail, ok, skip
from edge_runtime.finding import printable


def settings(_machine: Machine, subject: Subject) -> Verdict:
    """Is what the settings file and the environment say known, and possible?"""
    if subject.unread is not None:
        return skip(subject.unread)
    if subject.wrong:
        more = f" ({len(subject.wrong) - 1} more)" if len(subject.wrong) > 1 else ""
        cause, mark, advice = subject.wrong[0].rpartition("; ")
        if not mark:
            cause, advice = advice, "correct it"
        stop = "" if advice.endswith("?") else ";"
        file = f"{stop} see 'edge-pneumo config check {printable(subject.file)}'" if subject.file else ""
        return fail(f"{cause}{more}", f"{advice}{file}")
    return ok("none: everything has its default" if subject.file is None else f"{printable(subject.file)} is right")
