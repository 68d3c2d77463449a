"""Edge TPUs that tests plug in, tell what to do, and pull out: the other end of ``coral.c``.

A compiler (``cc``) is needed; where there is none, what needs this is skipped. None of this is an Edge TPU: it shows
what becomes of a library's and a device's behaviour, not how either of them behaves.
"""

import contextlib
import hashlib
import shutil
import socket
import subprocess
import threading
from pathlib import Path
from typing import Any, Final, Literal, Self

import flatbuffers
import msgspec
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge_runtime.model import bundle
from edge_runtime.model.compiled import CUSTOM_OPERATOR, Compiled
from edge_runtime.model.engines import litert
from tests.bundles import PASSED

FOLDER_VARIABLE: Final = "EDGE_PNEUMO_TEST_CORALS"
COMPILER: Final = shutil.which("cc")
_SOURCE = Path(__file__).with_suffix(".c")

Behaviour = Literal[
    "works", "lies", "fails", "crashes", "hangs", "stays shut", "hangs when opened", "crashes when opened"
]


def sockets(root: Path) -> Path:
    """Where those of the devices lie, for ``FOLDER_VARIABLE``."""
    return root / "c"


def build(folder: Path, compiler: str | None = COMPILER) -> Path:
    """Compile the library; needs a compiler."""
    assert compiler is not None
    library = folder / "libedgetpu.so.1"
    command = [compiler, "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(library), str(_SOURCE)]
    subprocess.run(command, check=True)
    return library


def compiled_model(tflite: bytes) -> bytes:
    """What the compiler makes of a model all of which it maps: one operator from its inputs to its outputs."""
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    graph = model.subgraphs[0]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = CUSTOM_OPERATOR, 1
    operator = schema.OperatorT()
    kept = [*graph.inputs, *graph.outputs]
    graph.tensors = [graph.tensors[index] for index in kept]
    for tensor in graph.tensors:
        tensor.buffer = 0
    graph.inputs, graph.outputs = [0], list(range(1, len(kept)))
    operator.inputs, operator.outputs = graph.inputs, graph.outputs
    operator.opcodeIndex, operator.customOptions = 0, list(b"the chip's program")
    graph.operators, model.operatorCodes, model.buffers = [operator], [code], [schema.BufferT()]
    model.metadata = model.metadataBuffer = model.signatureDefs = None
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def with_compiled(source: Path, path: Path, name: str | None = None) -> Path:
    """Write a bundle again, with its model compiled in it."""
    old = bundle.read(source)
    made = compiled_model(old.tflite)
    known = Compiled(of_sha256=old.info.tflite_sha256, sha256=hashlib.sha256(made).hexdigest(), compiler="16.0")
    info = msgspec.structs.replace(old.info, name=name or old.info.name)
    bundle.write(
        path, old.tflite, info, golden=old.golden, parity=PASSED, calibration=old.calibration, gate=old.gate,
        edgetpu=(made, known),
    )  # fmt: skip
    return path


class Coral:
    """An Edge TPU, plugged in while the context lasts; the bundle's own model computes what it gives.

    It is used by one process at a time, as a real one is. ``behaviour`` may be set at any time.

    Args:
        root: Gets what stands in ``sys`` and ``dev`` of a USB Accelerator, and its socket.
        tflite: The model.
        number: Among several.
        behaviour: What it does at first.

    Attributes:
        behaviour: What it does with the next opening and the next inference.
        opened: How often it was opened.
        answered: How many inferences it was asked for.
    """

    def __init__(self, root: Path, tflite: bytes, number: int = 0, behaviour: Behaviour = "works") -> None:
        self.behaviour: Behaviour = behaviour
        self.opened = self.answered = 0
        self._path, self._tflite = sockets(root) / f"usb:{number}", tflite
        self._place = root / f"sys/bus/usb/devices/1-{number + 1}"
        self._node = root / f"dev/bus/usb/001/{number + 2:03d}"
        self._user: socket.socket | None = None
        self._free = threading.Lock()

    def __enter__(self) -> Self:
        self.plug_in()
        return self

    def __exit__(self, *_: object) -> None:
        self.pull_out()

    def plug_in(self) -> None:
        """As a USB Accelerator that has its program."""
        for folder in (self._path.parent, self._place, self._node.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self._node.touch()
        said = {"idVendor": "18d1", "idProduct": "9302", "busnum": "1", "devnum": str(int(self._node.name))}
        for name, text in (said | {"speed": "5000"}).items():
            (self._place / name).write_text(f"{text}\n")
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(str(self._path))
        self._socket.listen()
        threading.Thread(target=self._run, args=(self._socket,), daemon=True).start()

    def pull_out(self) -> None:
        """While it computes, or not; what had it open finds its end."""
        shutil.rmtree(self._place, ignore_errors=True)
        self._node.unlink(missing_ok=True)
        self._path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        if self._user is not None:
            with contextlib.suppress(OSError):
                self._user.shutdown(socket.SHUT_RDWR)

    def _run(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                user, _ = listener.accept()
                threading.Thread(target=self._serve, args=(user,), daemon=True).start()

    def _serve(self, user: socket.socket) -> None:
        with user, contextlib.suppress(OSError):
            self.opened += 1
            if self.behaviour == "hangs when opened":
                user.recv(1)  # until it is killed
            elif self.behaviour == "crashes when opened":
                user.sendall(b"a")
            elif self.behaviour == "stays shut" or not self._free.acquire(blocking=False):
                user.sendall(b"n")
            else:
                try:
                    self._user = user
                    self._compute(user)
                finally:
                    self._free.release()

    def _compute(self, user: socket.socket) -> None:
        interpreter: Any = litert.find_library().interpreter(model_content=self._tflite, num_threads=1)
        interpreter.allocate_tensors()
        user.sendall(b"o")
        place = interpreter.get_input_details()[0]
        size = int(np.prod(place["shape"]))
        while pixels := user.recv(size, socket.MSG_WAITALL):
            self.answered += 1
            if self.behaviour == "hangs":
                user.recv(1)
                return
            if self.behaviour in ("fails", "crashes"):
                user.sendall(b"e" if self.behaviour == "fails" else b"a")
                continue
            interpreter.set_tensor(place["index"], np.frombuffer(pixels, np.uint8).reshape(place["shape"]))
            interpreter.invoke()
            found = [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]
            wrong = 100 if self.behaviour == "lies" else 0
            user.sendall(b"o" + b"".join((one ^ np.int8(wrong)).tobytes() for one in found))
