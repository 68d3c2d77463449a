"""The watcher of a results folder, as it is seen from outside: does one run, and how does it stand?"""

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from edge_runtime.health import state_file
from edge_runtime.health.state_file import Process

NOT_WORKING: Final = 3
DEAD: Final = 4

Life = Literal["alive", "elsewhere", "ended", "failed", "dead", "none"]


def look(
    results: Path,
    environment: Mapping[str, str] = os.environ,
    *,
    service: Path | None = None,
    here: Process | None = None,
) -> dict[str, Any]:
    """How the last watcher with these results stands, as JSON can hold it.

    Args:
        results: The folder of findings.
        environment: May name a runtime directory.
        service: Where the state of a service lies, if not where it usually does.
        here: A process of this machine; ``None`` for this one.

    Returns:
        ``life``: ``alive``; ``elsewhere``: in another container, from where this is what it wrote last; ``ended``: in
        good order; ``failed``: it could not go on; ``dead``: killed, or the power failed; ``none``: there was none.
        Then the fields of ``state_file.Record`` and ``health.State``, unless there was none.
    """
    options = {} if service is None else {"service": service}
    record = state_file.read(results, environment, **options)
    if record is None:
        return {"life": "dead" if state_file.has_lost_one(results) else "none"}
    life: Life = state_file.life(record, here)
    if life == "ended" and record.failure is not None:
        life = "failed"
    state: dict[str, Any] = msgspec.to_builtins(record.state)
    return {
        "life": life,
        "process": record.process.pid,
        "folder": record.folder,
        "written": record.written,
        "ended": record.ended,
        "failure": record.failure,
        **state,
    }


def exit_status(watcher: dict[str, Any]) -> int:
    """Of ``edge-pneumo status``: 4 for a watcher that died, 3 for one that runs and cannot work, else 0."""
    if watcher["life"] in ("dead", "failed"):
        return DEAD
    if watcher["life"] not in ("alive", "elsewhere"):
        return 0
    return NOT_WORKING if watcher["paused"] is not None or watcher["silent_since"] is not None else 0


def describe(watcher: dict[str, Any], disk: dict[str, Any] | None) -> list[str]:
    """The same for a person: lines of text.

    Args:
        watcher: From ``look``.
        disk: A ``space.Space``.
    """
    lines = [f"watcher      {_life(watcher)}"]
    if watcher["life"] != "none" and "state" in watcher:
        lines += _state(watcher) if watcher["life"] in ("alive", "elsewhere") else []
        if watcher["last_error"] is not None:
            lines.append(f"last error   {_local(watcher['last_error']['since'])}: {_words(watcher['last_error'])}")
    if disk is not None:
        lines.append(f"disk         {_disk(disk)}")
    return lines


def _life(watcher: dict[str, Any]) -> str:
    life = watcher["life"]
    if life == "none":
        return "none runs"
    if "state" not in watcher:
        return "NONE RUNS: the last one was killed, or its service failed; 'journalctl -u edge-pneumo' says more"
    if life == "ended":
        return f"none runs: the last one ended at {_local(watcher['ended'])}, as it was told to"
    if life == "failed":
        return f"NONE RUNS: the last one ended at {_local(watcher['ended'])}: {_one_line(watcher['failure'])}"
    if life == "dead":
        return f"NONE RUNS: the last one was killed, or the power failed, after {_local(watcher['written'])}"
    where = f"process {watcher['process']}"
    if life == "elsewhere":
        where = f"in another container, as of {_local(watcher['written'])}"
    state = watcher["state"].upper() if watcher["paused"] else watcher["state"]
    return f"{state} since {_local(watcher['since'])} ({where}), watching {_one_line(watcher['folder'])}"


def _state(watcher: dict[str, Any]) -> list[str]:
    lines = []
    if watcher["paused"] is not None:
        lines.append(f"paused       {_trouble(watcher['paused'])}; it goes on by itself")
    if watcher["silent_since"] is not None:
        lines.append(f"HANGS        no sign of progress since {_local(watcher['silent_since'])}")
    lines += [f"degraded     {_trouble(trouble)}" for trouble in watcher["degraded"]]
    backlog = watcher["backlog"]
    more = " or more" if backlog["more"] else ""
    lines.append(f"waiting      {_files(backlog['files'], more)}")
    lines.append(
        f"rate         {watcher['last_minute']} in the last minute, {watcher['last_hour']} in the last hour, "
        f"{watcher['answered'] + watcher['rejected']} since {_local(watcher['started'])}"
    )
    if watcher["engine"]:
        lines.append(f"engine       {_one_line(watcher['engine'])}")
    return lines


def _files(count: int, more: str) -> str:
    return f"{count}{more} file{'' if count == 1 and not more else 's'}"


def _disk(disk: dict[str, Any]) -> str:
    if disk["is_read_only"]:
        return "READ-ONLY: no finding can be written to it"
    words = f"{disk['free_bytes'] / 1e9:.1f} of {disk['size_bytes'] / 1e9:.1f} GB free where the results lie"
    if disk["findings_left"] is None:
        return words
    each = disk["finding_bytes"] / 1e3
    return f"{words}: room for about {_rounded(disk['findings_left'])} findings of {each:.0f} kB"


def _rounded(count: int) -> str:
    """To two digits: it is an estimate."""
    step = 10 ** max(len(str(count)) - 2, 0)
    return f"{count // step * step:,}"


def _trouble(trouble: Mapping[str, str]) -> str:
    return f"since {_local(trouble['since'])}: {_words(trouble)}"


def _words(trouble: Mapping[str, str]) -> str:
    return _one_line(trouble["reason"])


def _local(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _one_line(text: str) -> str:
    # A folder's name and an error may hold line ends and escape sequences.
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
