"""The system's log: one entry a finding, with fields that can be asked for, by journald's native protocol.

``journalctl -u edge-pneumo EDGE_PNEUMO_LABEL=PNEUMONIA -o verbose`` then finds what it names. An entry is one datagram
(https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).

**No patient is named.** Scanners and people name files after patients, and a log is kept and read by others than the
findings are. So an entry names a file by the first 12 characters of its content's SHA-256, which the finding and
``edge-pneumo results`` tell too; by its name only where ``names = true`` in the section ``[log]`` says so. Pixels are
never logged.
"""

import contextlib
import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

from edge_runtime.finding import Finding

SOCKET: Final = Path("/run/systemd/journal/socket")
IDENTIFIER: Final = "edge-pneumo"
# Of syslog(3).
_WARNING, _NOTICE, _INFO = "4", "5", "6"
# A datagram may hold some 200 KB; a field of ours holds a sentence.
_LONGEST = 4096
_PREFIX = "EDGE_PNEUMO_"


class Journald:
    """A sink that writes to the system's log; what cannot be written at once is left out, and counted.

    Args:
        address: Of journald's socket.
        names: Whether files are named.
    """

    def __init__(self, address: Path = SOCKET, *, names: bool = False) -> None:
        self._address, self._names = os.fspath(address), names
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)
        self.dropped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def accept(self, finding: Finding) -> None:
        sha256 = finding.sha256 or ""
        fields = {
            "MESSAGE": self._message(finding),
            "PRIORITY": _NOTICE if finding.status == "rejected" else _INFO,
            f"{_PREFIX}STATUS": finding.status,
            f"{_PREFIX}LABEL": finding.label,
            f"{_PREFIX}PROBABILITY": finding.probability,
            f"{_PREFIX}CONFIDENCE": finding.confidence,
            f"{_PREFIX}REASON": finding.reason,
            f"{_PREFIX}DISTANCE": finding.distance,
            f"{_PREFIX}OPERATING_POINT": finding.operating_point,
            f"{_PREFIX}SHA256": sha256,
            f"{_PREFIX}MODEL": finding.model.name,
            f"{_PREFIX}MODEL_SHA256": finding.model.sha256,
            f"{_PREFIX}ENGINE": finding.engine,
            f"{_PREFIX}MILLISECONDS": finding.milliseconds.get("total"),
            f"{_PREFIX}INFER_MILLISECONDS": finding.milliseconds.get("infer"),
        }
        if self._names:
            fields[f"{_PREFIX}SOURCE"] = finding.source
        self._send(fields)

    def note(self, sentence: str) -> None:
        """Say something that is no finding; it must name no file, unless names are wanted."""
        self._send({"MESSAGE": sentence, "PRIORITY": _WARNING})

    def _message(self, finding: Finding) -> str:
        name = finding.source if self._names else finding.sha256[:12] if finding.sha256 else "a file without content"
        words: list[str] = [finding.label or finding.status]
        if finding.probability is not None:
            words.append(f"{100 * finding.probability:.1f} %")
        if finding.confidence == "uncertain":
            words.append("uncertain")
        words += [f"{finding.milliseconds['total']:.0f} ms", name]
        return "  ".join(words) + (f": {finding.reason}" if finding.reason else "")

    def _send(self, fields: Mapping[str, object]) -> None:
        dropped = {f"{_PREFIX}DROPPED": self.dropped or None}
        try:
            self._socket.sendto(encode({"SYSLOG_IDENTIFIER": IDENTIFIER, **fields, **dropped}), self._address)
        except (OSError, ValueError):  # no journald just now, or it cannot follow
            self.dropped += 1
        else:
            self.dropped = 0


def encode(fields: Mapping[str, object]) -> bytes:
    """One entry in the native protocol; fields without a value are left out, long ones cut off.

    Args:
        fields: Names in capitals; values are written as text.
    """
    parts = []
    for name, value in fields.items():
        if value is None or value == "":
            continue
        data = str(value)[:_LONGEST].encode("utf-8", "backslashreplace")
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)


def is_log(file: int, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what is written to this descriptor goes to journald (``JOURNAL_STREAM`` of systemd.exec(5)).

    Args:
        file: Such as that of stderr.
        environment: Of this process.
    """
    device, _, inode = environment.get("JOURNAL_STREAM", "").partition(":")
    with contextlib.suppress(OSError, ValueError):
        found = os.fstat(file)
        return (found.st_dev, found.st_ino) == (int(device), int(inode))
    return False
