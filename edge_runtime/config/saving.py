"""Putting settings into a TOML file that a person wrote: their lines and nothing else."""

import json
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from edge_runtime.errors import UsageError

# A comment behind the value stays. Values over several lines are not looked for; they end in ``_refuse_other_changes``.
_VALUE: Final = r"""(?:"[^"\\\n]*"|'[^'\n]*'|[^\s#"']+)"""
_MODE: Final = 0o644


def save(path: Path, settings: Mapping[str, str | int]) -> None:
    """Set keys at the top of a settings file: the file is whole at any moment, and all else in it stays as it is.

    Args:
        path: Of the file; it and its folder are made where they are missing. A link's target is what changes.
        settings: By name; the names are bare TOML keys.

    Raises:
        UsageError: The file cannot be read or written, or the lines have to be changed by hand.
    """
    path = path.resolve()
    try:
        old = path.read_bytes().decode() if path.exists() else ""
        _write(path, edit(old, settings, path).encode())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise UsageError(
            f"the settings cannot be saved in {path} ({reason}); name another file with --config, or run with sudo"
        ) from error


def edit(text: str, settings: Mapping[str, str | int], path: Path) -> str:
    """The text of a settings file with keys set: in their lines, in those that are commented out, else in new ones.

    Args:
        text: TOML.
        settings: By name.
        path: Named in errors.

    Raises:
        UsageError: The text is no TOML, or its lines cannot be told apart; the sentence gives those to put in by hand.
    """
    before = _parse(text, path)
    lines = text.splitlines(keepends=True)
    for name, value in settings.items():
        lines = _set(lines, name, f"{name} = {toml_value(value)}")
    edited = "".join(lines)
    try:
        same = tomllib.loads(edited) == before | dict(settings)
    except tomllib.TOMLDecodeError:
        same = False
    if not same:
        wanted = " and ".join(f"'{name} = {toml_value(value)}'" for name, value in settings.items())
        raise UsageError(f"{path} is laid out in a way this program cannot edit; put in {wanted} by hand")
    return edited


def _parse(text: str, path: Path) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"the settings file {path} is no TOML ({error}); correct it") from error


def toml_value(value: str | int | float | bool) -> str:
    """As it is written in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f") if isinstance(value, str) else str(value)


def _set(lines: list[str], name: str, setting: str) -> list[str]:
    top = next((i for i, line in enumerate(lines) if line.lstrip().startswith("[")), len(lines))
    assignment = re.compile(rf"""(["']?){name}\1[ \t]*=[ \t]*{_VALUE}(?P<rest>[ \t]*(?:#.*)?\r?\n?)""")
    example = re.compile(rf"#[ \t]*{name}[ \t]*=[ \t]*{_VALUE}[ \t]*\r?\n?")
    newline = "\r\n" if any(line.endswith("\r\n") for line in lines) else "\n"
    for i, line in enumerate(lines[:top]):
        if found := assignment.fullmatch(line.lstrip(" \t")):
            return [*lines[:i], setting + found["rest"], *lines[i + 1 :]]
    for i, line in enumerate(lines[:top]):
        if example.fullmatch(line):  # stays as it is: it says what else there is
            return [*lines[:i], line.rstrip("\r\n") + newline, setting + newline, *lines[i + 1 :]]
    end = _end_of_top(lines, top)
    head = [line if line.endswith("\n") else line + newline for line in lines[:end]]
    # A section keeps its distance, and the comment above it.
    between = [newline] if end < top and lines[end].strip() else []
    return [*head, setting + newline, *between, *lines[end:]]


def _end_of_top(lines: list[str], top: int) -> int:
    """Behind the last line above the first section that is not that section's comment."""
    end = top
    if top < len(lines):
        while end and lines[end - 1].lstrip().startswith("#"):
            end -= 1
        while end and not lines[end - 1].strip():
            end -= 1
    return end


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            status = path.stat() if path.exists() else None
            os.fchmod(file.fileno(), status.st_mode & 0o7777 if status else _MODE)
            if status and (status.st_uid, status.st_gid) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
