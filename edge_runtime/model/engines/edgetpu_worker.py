"""The process that an Edge TPU's library runs in: one that aborts or hangs takes no more than this with it.

It is asked over a socket: the length of a message in 8 bytes, then the message. The first one says what to open, the
second is the compiled model, each further one is the pixels of a radiograph. Each answer is a byte, ``GIVEN`` or
``FAILED``, and then the outputs one behind the other, or a sentence. It ends when the socket does. ``edgetpu`` starts
it.
"""

import contextlib
import ctypes
import importlib
import signal
import socket
import struct
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from edge_runtime.errors import BundleError, EdgePneumoError, EngineError
from edge_runtime.model.bundle import BundleInfo
from edge_runtime.model.engines import litert

GIVEN: Final = b"\1"
FAILED: Final = b"\0"
LENGTH: Final = struct.Struct("<Q")
_PR_SET_PDEATHSIG: Final = 1


class Opening(msgspec.Struct, frozen=True):
    """What to open.

    Attributes:
        library: The delegate's, by its name or path.
        device: As the library takes it; empty for any.
        info: What the model should be.
    """

    library: str
    device: str
    info: BundleInfo


def main(descriptor: int) -> None:
    """Open the Edge TPU and answer for it until the socket ends.

    Args:
        descriptor: Of the socket.
    """
    _withdraw()
    with socket.socket(fileno=descriptor) as connection:
        try:
            opening = msgspec.json.decode(receive(connection), type=Opening)
            engine = _open(opening, receive(connection))
            send(connection, GIVEN, engine.name.encode())
        except EdgePneumoError as error:
            send(connection, FAILED, str(error).encode())
            return
        with contextlib.suppress(ConnectionError):
            while True:
                geometry = opening.info.input
                pixels = np.frombuffer(receive(connection), np.uint8)
                pixels = pixels.reshape(1, geometry.height, geometry.width, geometry.channels)
                try:
                    outputs = engine.invoke(pixels)
                except (RuntimeError, ValueError) as error:
                    send(connection, FAILED, _one_line(error).encode())
                    continue
                parts = (outputs.scores, outputs.maps, outputs.features)
                send(connection, GIVEN, b"".join(part.tobytes() for part in parts))


def send(connection: socket.socket, *parts: bytes) -> None:
    """Send a message."""
    message = b"".join(parts)
    connection.sendall(LENGTH.pack(len(message)) + message)


def receive(connection: socket.socket) -> bytes:
    """The next message.

    Raises:
        ConnectionError: The other end is gone.
        TimeoutError: It did not say enough within the socket's time.
    """
    return _exactly(connection, LENGTH.unpack(_exactly(connection, LENGTH.size))[0])


def _exactly(connection: socket.socket, length: int) -> bytes:
    found = bytearray()
    while len(found) < length:
        part = connection.recv(min(length - len(found), 1 << 20))
        if not part:
            raise ConnectionError
        found += part
    return bytes(found)


def _open(opening: Opening, model: bytes) -> litert.LiteRtEngine:
    found = litert.find_library()
    module = importlib.import_module(found.interpreter.__module__)
    delegate = _load(module, opening)
    interpreter = partial(found.interpreter, experimental_delegates=[delegate])
    try:
        # What is left to the CPU of a compiled model is next to nothing.
        return litert.LiteRtEngine(model, opening.info, litert.Library(found.name, interpreter), threads=1)
    except BundleError as error:
        raise EngineError(
            f"the Edge TPU's library refuses the compiled model ({_one_line(error.__cause__ or error)}); compile it "
            "anew, or install a library that was built for this interpreter's TensorFlow"
        ) from error


def _load(module: Any, opening: Opening) -> Any:
    try:
        return module.load_delegate(opening.library, {"device": opening.device} if opening.device else {})
    except OSError as error:
        raise EngineError(
            f"the Edge TPU's library {opening.library} does not load ({_one_line(error)}); install it (docs/coral.md)"
        ) from error
    except AttributeError as error:  # it has no such function
        raise EngineError(
            f"{opening.library} is no library for TFLite ({_one_line(error)}); install that of the Edge TPU"
        ) from error
    except ValueError as error:  # the library does not say why
        raise EngineError(
            f"the Edge TPU {opening.device} does not open: another program may be using it, or this user may not, or "
            "it has to be plugged in anew"
            if opening.device
            else "its library finds none"
        ) from error


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _withdraw() -> None:
    """Outlive no parent, and leave Ctrl-C and the service's end to it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    with contextlib.suppress(OSError, ImportError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")
