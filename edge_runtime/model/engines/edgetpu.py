"""A Coral Edge TPU, by TFLite's external delegate (``libedgetpu.so.1``), in a process of its own.

Why not in this process: the library aborts the program it is loaded into when the device is pulled out ("transfer on
tag 1 failed. Abort."), and TFLite's ``load_delegate`` holds Python's lock while the library opens a device, so that one
that hangs there stops every thread. A process that hangs is killed, and the kernel closes what it had open, so that the
next one can open it.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from typing import IO, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from edge_runtime.errors import EngineError
from edge_runtime.model.bundle import Bundle, read_compiled
from edge_runtime.model.engines import edgetpu_worker as worker
from edge_runtime.model.engines.edgetpu_devices import LIBRARY, LIBRARY_VARIABLE
from edge_runtime.model.engines.interface import RawOutputs

TOLERANCE: Final = 4
"""By how many integer steps its outputs may differ from the converter's: see docs/coral.md."""

OPEN_SECONDS: Final = 30.0
"""For the interpreter to start, the library to open a device and to give it its program, and for the model."""

INVOKE_SECONDS: Final = 5.0
"""For an inference: some milliseconds, and under a second where the weights are streamed over USB 2."""

_START: Final = (
    "import sys; sys.path[:] = {path!r}; "
    "from edge_runtime.model.engines import edgetpu_worker; edgetpu_worker.main({descriptor})"
)
_LAST_WORDS: Final = 2000
_ENVIRONMENT: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}


class EdgeTpuEngine:
    """A bundle's compiled model on one Edge TPU. It has no quantization of its own: that is the bundle's.

    Attributes:
        name: The device, and the library that hands it its work.
        tolerance: See ``TOLERANCE``.
    """

    tolerance = TOLERANCE

    def __init__(
        self,
        bundle: Bundle,
        device: str,
        *,
        library: str,
        open_seconds: float = OPEN_SECONDS,
        invoke_seconds: float = INVOKE_SECONDS,
    ) -> None:
        """Open it; whether it computes what the converter did is not looked at here.

        Args:
            bundle: One with a compiled model.
            device: Such as ``usb:0``; empty for any.
            library: Its name or path.
            open_seconds: How long that may take.
            invoke_seconds: How long an inference may take.

        Raises:
            BundleError: The bundle holds no compiled model, or is damaged.
            EngineError: The library is missing, or the device does not open, or the library does not take the model.
        """
        model = read_compiled(bundle)
        golden = bundle.golden
        self._shapes = (golden.scores.shape[1:], golden.maps.shape[1:], golden.features.shape[1:])
        self._device = f"the Edge TPU {device}" if device else "the Edge TPU"
        self._invoke_seconds = invoke_seconds
        self._process, self._connection, self._errors = _start()
        try:
            opening = worker.Opening(library, device, bundle.info)
            name = self._ask(open_seconds, msgspec.json.encode(opening), model, says_it_all=True)
        except BaseException:
            self.close()
            raise
        self.name = f"Edge TPU {device}".strip() + f", {name.decode().rpartition(',')[0]}"

    def invoke(self, pixels: NDArray[np.uint8]) -> RawOutputs:
        """Run the model on ``uint8`` pixels of shape ``(1, height, width, 1)``.

        Raises:
            EngineError: The device failed, or its library crashed or hung; it cannot be used any more.
        """
        try:
            said = self._ask(self._invoke_seconds, pixels.tobytes())
        except EngineError:
            self.close()
            raise
        if len(said) != sum(int(np.prod(shape)) for shape in self._shapes):
            self.close()
            raise EngineError(f"{self._device} gives outputs of another size than the model's")
        parts = []
        for shape in self._shapes:
            size = int(np.prod(shape))
            parts.append(np.frombuffer(said[:size], np.int8).reshape(shape))
            said = said[size:]
        return RawOutputs(*parts)

    def close(self) -> None:
        """Give the device up, at once and whatever it is doing. May be called again."""
        self._connection.close()
        with contextlib.suppress(OSError):
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)  # one that the kernel cannot end just now is left behind
        self._errors.close()

    def _ask(self, seconds: float, *messages: bytes, says_it_all: bool = False) -> bytes:
        try:
            self._connection.settimeout(seconds)
            for message in messages:
                worker.send(self._connection, message)
            said = worker.receive(self._connection)
        except TimeoutError as error:
            raise EngineError(f"{self._device} did not answer within {seconds:g} s") from error
        except OSError as error:
            raise EngineError(f"the library of {self._device} crashed ({self._cause()})") from error
        if said[:1] != worker.GIVEN:
            sentence = said[1:].decode(errors="replace")
            raise EngineError(sentence if says_it_all else f"{self._device} failed ({sentence})")
        return said[1:]

    def _cause(self) -> str:
        """How the process ended, and what it said last."""
        if self._errors.closed:
            return "it was given up"
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "it gives no sign"
        try:
            cause = signal.Signals(-code).name if code < 0 else f"exit status {code}"
        except ValueError:
            cause = f"signal {-code}"
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(size - _LAST_WORDS, 0))
        lines = [line.strip() for line in self._errors.read().decode(errors="replace").splitlines() if line.strip()]
        last = "".join(character if character.isprintable() else "?" for character in lines[-1]) if lines else ""
        return f"{cause}: {last}" if last else cause


def library_name(environment: Mapping[str, str] = os.environ) -> str:
    """The library's name or path, as ``load_delegate`` takes it."""
    return environment.get(LIBRARY_VARIABLE) or LIBRARY


def _start() -> tuple["subprocess.Popen[bytes]", socket.socket, IO[bytes]]:
    """The process, what it is asked through, and where it writes what went wrong."""
    with contextlib.ExitStack() as opened:
        try:
            errors = opened.enter_context(os.fdopen(os.memfd_create("edgetpu"), "w+b"))
            ours, theirs = socket.socketpair()
            opened.enter_context(ours)
            with theirs:
                command = _START.format(path=sys.path, descriptor=theirs.fileno())
                process = subprocess.Popen(
                    [sys.executable, "-S", "-E", "-c", command],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=(theirs.fileno(),),
                    env=os.environ | _ENVIRONMENT,
                )
        except (OSError, subprocess.SubprocessError) as error:
            raise EngineError(f"the Edge TPU needs a process of its own, which does not start ({error})") from error
        opened.pop_all()
        return process, ours, errors
