"""In which line of a TOML text each key stands, which the standard library's reader does not tell."""

import tomllib
from typing import Any

Key = tuple[str, ...]


def key_lines(text: str) -> dict[Key, int]:
    """The line of every key and of every table's header, counted from 1.

    Each statement is read by the standard library's own reader: one ends where what has come so far is TOML.

    Args:
        text: TOML that has been found right.
    """
    found: dict[Key, int] = {}
    table: Key = ()
    statement, start = "", 0
    for number, line in enumerate(text.split("\n"), 1):
        if not statement:
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            start = number
        statement += line + "\n"
        try:
            record = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue  # it goes on in the next line
        paths = _paths(record)
        if statement.lstrip().startswith("["):
            table = paths[-1]
            for path in paths:
                found.setdefault(path, start)
        else:
            for path in paths:
                found.setdefault(table + path, start)
        statement = ""
    return found


def _paths(record: dict[str, Any]) -> list[Key]:
    """Of all that is in it, what holds before what is held."""
    found: list[Key] = []
    for name, value in record.items():
        found.append((name,))
        if isinstance(value, dict):
            found += [(name, *path) for path in _paths(value)]
    return found
