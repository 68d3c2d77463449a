"""Which camera is meant by a word, and which ones are there."""

import fcntl
import importlib.util
import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from edge_runtime.config.check import nearest
from edge_runtime.errors import UsageError
from edge_runtime.finding import printable

Kind = Literal["picamera2", "usb", "network", "file"]

WAYS: Final = "picamera2, a number such as 0, /dev/video0, rtsp://ADDRESS/PATH or a video file"

_PICAMERA2: Final = re.compile(r"picamera2(?::(\d{1,2}))?")
_SCHEMES: Final = ("rtsp", "rtsps", "http", "https")
# <linux/videodev2.h>
_VIDIOC_QUERYCAP: Final = 0x80685600
_QUERYCAP: Final = struct.Struct("16s32s32sIII12x")
_CAPTURES: Final = 0x00000001 | 0x00001000  # in one plane or several
_CAPTURES_NOT: Final = 0x00008000 | 0x00004000 | 0x00000002  # a codec or scaler in memory
# Of the Raspberry Pi's own camera ports and scalers: raw sensor data, which picamera2 alone makes a picture of.
_RAW_DRIVERS: Final = ("unicam", "rp1-cfe", "bcm2835-isp", "pispbe", "rpi-hevc-dec", "bcm2835-codec", "rpivid")


@dataclass(frozen=True, slots=True)
class Choice:
    """A camera that was named.

    Attributes:
        kind: ``picamera2``: on a Raspberry Pi's camera port. ``usb``: a V4L2 device. ``network``: a stream. ``file``: a
            video file, which ends.
        number: Of a ``picamera2`` camera.
        word: As it was named.
        place: A device's path, an address, or a file's path.
        name: For a person and a finding: an address without its password, a file without its folder.
    """

    kind: Kind
    number: int
    word: str
    place: str
    name: str


def parse(word: str) -> Choice:
    """The camera that is meant by the setting ``device`` or the option ``--camera``. It need not be there.

    Raises:
        UsageError: None can be meant, or there is no such file.
    """
    if found := _PICAMERA2.fullmatch(word):
        number = int(found[1] or 0)
        return Choice("picamera2", number, word, "", f"picamera2:{number}")
    if word.isascii() and word.isdigit() and len(word) <= 2:
        return Choice("usb", 0, word, f"/dev/video{int(word)}", f"/dev/video{int(word)}")
    if word.startswith("/dev/"):
        return Choice("usb", 0, word, word, printable(word))
    if "://" in word:
        return _network(word)
    if Path(word).is_dir():
        raise UsageError(f"{word} is a folder and no camera; name one: {WAYS}")
    if Path(word).exists():
        return Choice("file", 0, word, word, printable(Path(word).name))
    close = nearest(word.lower(), ["picamera2", "/dev/video0"])
    meant = f"did you mean {close}?" if close else f"name one: {WAYS}"
    raise UsageError(f"there is no camera {word!r}; {meant} ('edge-pneumo camera' lists those that are there)")


def has_password(word: str) -> bool:
    """Whether a camera's word holds what not everybody should read."""
    return "://" in word and "@" in word


def shown(word: str) -> str:
    """A camera's word without a password."""
    return re.sub(r"(?<=://).*@", "", word)


def there() -> Iterator[tuple[str, str]]:
    """The cameras of this machine: the word for each, and what it is called; none in the network."""
    from edge_runtime.camera.devices import picamera

    for number, model in picamera.models():
        yield ("picamera2" if number == 0 else f"picamera2:{number}"), model
    for path in sorted(Path("/dev").glob("video[0-9]*"), key=lambda path: int(path.name[5:] or 0)):
        card = _card(path)
        if card is not None:
            yield str(path), card


def has_picamera2() -> bool:
    """Whether the library for a Raspberry Pi's camera port is installed for this program; it is not loaded."""
    return importlib.util.find_spec("picamera2") is not None


def _network(word: str) -> Choice:
    try:
        parts = urlsplit(word)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if parts.scheme.lower() not in _SCHEMES or not host:
        raise UsageError(
            f"{shown(word)!r} is no address of a camera; there are {', '.join(f'{one}://' for one in _SCHEMES)}, as in "
            "rtsp://192.168.1.20/stream"
        )
    return Choice("network", 0, word, word, printable(shown(word).partition("?")[0]))


def _card(path: Path) -> str | None:
    """What a device that gives pictures calls itself; ``None`` for all others, and where it may not be asked."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        return "may not be used by this user: sudo usermod -aG video NAME, then log in anew"
    except OSError:
        return None
    try:
        answer = fcntl.ioctl(handle, _VIDIOC_QUERYCAP, bytes(_QUERYCAP.size))
    except OSError:
        return None
    finally:
        os.close(handle)
    driver, card, _, _, _, capabilities = _QUERYCAP.unpack(answer)
    if not capabilities & _CAPTURES or capabilities & _CAPTURES_NOT or _text(driver).startswith(_RAW_DRIVERS):
        return None
    return _text(card)


def _text(field: bytes) -> str:
    return printable(os.fsdecode(field.partition(b"\0")[0]))
