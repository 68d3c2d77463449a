"""What a check has come to."""

from typing import Literal

import msgspec

Status = Literal["ok", "warn", "fail", "skip"]


class Verdict(msgspec.Struct, frozen=True):
    """Of one check.

    Attributes:
        status: ``ok``; ``warn``: it works, and may not for long or not well; ``fail``: it does not work, or answers
            may be lost; ``skip``: this could not be looked at, or there is nothing to look at.
        found: What was found, a sentence's part.
        advice: What to do, a sentence without its full stop, for ``warn`` and ``fail``; else ``None``.
    """

    status: Status
    found: str
    advice: str | None = None


class Check(msgspec.Struct, frozen=True):
    """A verdict and what it is about; the fields are those of ``Verdict``."""

    name: str
    status: Status
    found: str
    advice: str | None


def ok(found: str) -> Verdict:
    """In order."""
    return Verdict("ok", found)


def warn(found: str, advice: str) -> Verdict:
    """It works, and may not for long or not well."""
    return Verdict("warn", found, advice)


def fail(found: str, advice: str) -> Verdict:
    """It does not work, or answers may be lost."""
    return Verdict("fail", found, advice)


def skip(why: str) -> Verdict:
    """This could not be looked at, or there is nothing to look at."""
    return Verdict("skip", why)
