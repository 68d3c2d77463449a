"""Decoding in a process of its own, which is started anew when it has crashed or had to be killed."""

import os
import pickle
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge_runtime.config.settings import Limits
from edge_runtime.errors import ImageError
from edge_runtime.gate import Gate, Screened, ScreenedHere, Screening
from edge_runtime.radiograph import careful, shared
from edge_runtime.radiograph.decode import MOST_PIXELS, TOO_LARGE, Abandoned, Seen, inspect
from edge_runtime.radiograph.forked import Forked
from edge_runtime.radiograph.process import Spawned, Worker, has_said, worker_command
from edge_runtime.radiograph.reduce import Sides
from edge_runtime.radiograph.room import memory_bytes
from edge_runtime.radiograph.screening import AskedScreening, printable_sentence, understood
from edge_runtime.radiograph.shared import REPLY, REQUEST

DECODE_SECONDS: Final = 30.0
"""How long decoding one file may take, if nothing else is said."""

# It loads an interpreter, numpy and OpenCV, which takes a small board seconds.
_START_SECONDS: Final = 60.0
_TRIES: Final = 2
_TICK_MILLISECONDS: Final = 250


class _Unavailable(Exception):  # noqa: N818 (it is nobody's fault, and not for a person's eyes)
    """The worker cannot be started."""


class _Died(Exception):  # noqa: N818
    """The worker ended while it decoded."""


class IsolatedDecoder:
    """Decodes in a worker process; used by one thread, but for what ``screen`` returns.

    1. The structure of a file is looked at in this process, and what is refused for that never reaches the worker.
    2. A worker that dies while it decodes is started again and given the file once more, because anything may have
       ended it. If it dies again, the file is refused.
    3. A worker that takes longer than it may is killed, and the file is refused.
    4. It may take as much memory as the file's header calls for, and at most half of the machine's or the service's.
    5. Where no worker can be started, decoding goes on in this process.
    6. The worker looks at the picture it has decoded through the gate, too: it has a lock of its interpreter to itself.
       Where it cannot, this process does.

    Args:
        seconds: How long decoding one file may take.
        most_pixels: A larger picture is refused.
        memory: Bytes that it may take; ``None`` for half of what there is.
        stop: Ends a decoding that lasts.
        alive: Called some times a second while the worker is waited for.
        note: Takes a sentence for the person who runs this, when a worker cannot be started.
        command: What starts the worker, given the descriptor that it shares.
        first: The first worker, which has been started already; only its successors are started so.
    """

    def __init__(
        self,
        *,
        seconds: float = DECODE_SECONDS,
        most_pixels: int = MOST_PIXELS,
        memory: int | None = None,
        stop: threading.Event | None = None,
        alive: Callable[[], None] = lambda: None,
        note: Callable[[str], None] = lambda _: None,
        command: Callable[[int], Sequence[str]] = worker_command,
        first: Forked | None = None,
    ) -> None:
        self._seconds = seconds
        self._most_pixels = most_pixels
        self._memory = memory_bytes() // 2 if memory is None else memory
        self._stop = threading.Event() if stop is None else stop
        self._alive = alive
        self._note = note
        self._command = command
        self._file = shared.make() if first is None else os.dup(first.file)
        self._worker: Worker | None = first
        self._is_ready = False
        self._has_noted = False
        # What the worker has: the gate, and the picture it decoded last.
        self._gate: Gate | None = None
        self._grey: NDArray[np.uint8] | None = None
        self._screening: Screening | None = None

    def start(self) -> None:
        """Start the worker, if none is there, and do not wait for it."""
        if self._worker is None:
            try:
                self._worker = Spawned(self._command(self._file), self._file)
            except OSError as error:
                self._say_unavailable(str(error))

    def limit(self, limits: Limits) -> None:
        """Other limits from the next file on; may be called from any thread."""
        self._seconds, self._most_pixels = limits.decode_seconds, limits.megapixels * 10**6

    def decode(self, data: bytes, *, least: Sides | None = None) -> NDArray[np.uint8]:
        """As ``careful.decode``.

        Raises:
            ImageError: As ``careful.decode``, or the decoder crashed on it or took too long.
            Abandoned: ``stop`` was set meanwhile.
        """
        seen = inspect(data, least=least, most_pixels=self._most_pixels)
        if seen.memory > self._memory:
            raise ImageError(TOO_LARGE)
        if self._screening is not None:
            self._screening.result()  # said before anything else is
            self._screening = None
        code = 0
        for _ in range(_TRIES):
            try:
                self._make_ready()
                return self._ask(seen)
            except _Died:
                code = self._end()
            except _Unavailable as error:
                self._end()
                self._say_unavailable(str(error))
                return careful.decode(data, least=least, most_pixels=self._most_pixels)
        raise ImageError(f"the decoder crashed on it ({_cause(code)})")

    def screen(self, grey: NDArray[np.uint8], gate: Gate) -> Screening:
        """Begin with ``gate.before``.

        Args:
            grey: What ``decode`` returned last; another picture is looked at in this process.
            gate: From the bundle.
        """
        is_there, self._grey = grey is self._grey, None
        if is_there and self._worker is not None:
            try:
                self._ask_to_screen(gate)
            except OSError:
                self._end()
            else:
                self._screening = AskedScreening(self._screened, partial(has_said, self._worker), grey, gate)
                return self._screening
        return ScreenedHere(grey, gate)

    def close(self) -> None:
        """End the worker."""
        self._end()
        os.close(self._file)

    @property
    def process(self) -> int | None:
        """Of the worker, its id; ``None`` where there is none."""
        return None if self._worker is None else self._worker.id

    def _make_ready(self) -> None:
        if self._worker is not None and self._worker.has_ended():
            self._end()  # it ended between two files
        self.start()
        if self._worker is None:
            raise _Unavailable("it cannot be started")
        if not self._is_ready:
            try:
                said = self._wait(_START_SECONDS)
            except (_Died, TimeoutError) as error:
                raise _Unavailable("it does not start") from error
            if said != shared.READY:
                raise _Unavailable("something else answers")
            self._is_ready = True

    def _ask(self, seen: Seen) -> NDArray[np.uint8]:
        assert self._worker is not None
        self._grey = None
        try:
            shared.write(self._file, seen.data)
            self._worker.ask(REQUEST.pack(shared.DECODE, len(seen.data), seen.by, seen.memory))
            self._grey = self._believe(self._wait(self._seconds))
            return self._grey
        except BrokenPipeError as error:
            raise _Died from error
        except TimeoutError as error:
            self._end()
            raise ImageError(f"decoding it takes longer than {self._seconds:g} s") from error
        except OSError as error:  # no memory for the file or the picture
            self._end()
            raise ImageError(TOO_LARGE) from error
        finally:
            shared.give_back(self._file)

    def _believe(self, reply: bytes) -> NDArray[np.uint8]:
        """What the worker says, as far as it can be true: a file may have made it say anything."""
        if len(reply) < REPLY.size:
            raise _Died
        kind, first, second = REPLY.unpack_from(reply)
        said = reply[REPLY.size :]
        if kind == shared.PICTURE and not said and 0 < first * second <= self._most_pixels:
            return shared.read(self._file, first, second)
        if kind == shared.TOO_LARGE:
            raise ImageError(TOO_LARGE)
        if kind not in (shared.REFUSED, shared.FAILED) or not said or len(said) != first:
            raise _Died
        sentence = printable_sentence(said.decode(errors="replace"))
        raise ImageError(f"the decoder failed on it ({sentence})" if kind == shared.FAILED else sentence)

    def _ask_to_screen(self, gate: Gate) -> None:
        assert self._worker is not None
        if gate is not self._gate:
            pickled = pickle.dumps(gate, pickle.HIGHEST_PROTOCOL)
            shared.write(self._file, pickled)
            self._worker.ask(REQUEST.pack(shared.GATE, len(pickled), 0, 0))
            self._gate = gate
        self._worker.ask(REQUEST.pack(shared.SCREEN, 0, 0, 0))

    def _screened(self, grey: NDArray[np.uint8], gate: Gate) -> tuple[Screened, float]:
        """What the worker says of a picture; where it says nothing that can be true, what this process finds."""
        try:
            found = understood(self._wait(self._seconds), grey)
        except (_Died, OSError):  # TimeoutError is one, too
            found = None
        if found is None:
            self._end()
            return ScreenedHere(grey, gate).result()
        return found

    def _wait(self, seconds: float) -> bytes:
        """The next message of the worker."""
        assert self._worker is not None
        until = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._worker.replies, select.POLLIN)
        while not poll.poll(_TICK_MILLISECONDS):
            self._alive()
            if self._stop.is_set():
                self._end()
                raise Abandoned
            if time.monotonic() >= until:
                raise TimeoutError
        said = os.read(self._worker.replies, REPLY.size + shared.MOST_SAID)
        if not said:
            raise _Died
        return said

    def _end(self) -> int:
        """End the worker, if there is one; how it ended."""
        worker, self._worker, self._is_ready = self._worker, None, False
        self._gate = self._grey = None
        return 0 if worker is None else worker.end()

    def _say_unavailable(self, cause: str) -> None:
        if not self._has_noted:
            self._has_noted = True
            self._note(f"no process of its own can decode ({cause}): a file that crashes the decoder ends this program")


@contextmanager
def isolated(
    limits: Limits,
    *,
    stop: threading.Event,
    alive: Callable[[], None] = lambda: None,
    note: Callable[[str], None] = lambda _: None,
    first: Forked | None = None,
) -> Iterator[IsolatedDecoder]:
    """A decoder with the settings' limits, which ends its worker at last; the rest as for ``IsolatedDecoder``."""
    decoder = IsolatedDecoder(
        seconds=limits.decode_seconds,
        most_pixels=limits.megapixels * 10**6,
        stop=stop,
        alive=alive,
        note=note,
        first=first,
    )
    try:
        yield decoder
    finally:
        decoder.close()


def _cause(code: int) -> str:
    if code >= 0:
        return f"exit status {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
