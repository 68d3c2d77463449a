"""A model that was compiled for an Edge TPU, inside the bundle of the model it was compiled of.

Two members of the bundle's archive: the compiled model, which is read only where an Edge TPU is to run it, and what is
known of it. It belongs to that one model by its hash: same inputs, same outputs, same golden vectors.
"""

import hashlib
import zipfile
import zlib
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from edge_runtime.errors import BundleError

MODEL: Final = "edgetpu.tflite"
INFO: Final = "edgetpu.json"
CUSTOM_OPERATOR: Final = b"edgetpu-custom-op"
"""What the compiler makes of the operators that the Edge TPU runs."""

Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a compiled model.

    Attributes:
        of_sha256: Of the ``.tflite`` that it was compiled of, which has to be the bundle's.
        sha256: Of the compiled model.
        compiler: Its version; empty where it did not say.
        on_cpu: So many operators were left to the CPU.
    """

    of_sha256: Sha256
    sha256: Sha256
    compiler: str = ""
    on_cpu: Annotated[int, Meta(ge=0)] = 0


def members(model: bytes, compiled: Compiled, of_sha256: str) -> dict[str, bytes]:
    """What goes into a bundle.

    Raises:
        ValueError: It was compiled of another model than that with ``of_sha256``, or is no compiled model.
    """
    if (compiled.of_sha256, compiled.sha256) != (of_sha256, hashlib.sha256(model).hexdigest()):
        raise ValueError("a compiled model that was compiled of another model")
    if CUSTOM_OPERATOR not in model:
        raise ValueError("a compiled model of which nothing runs on an Edge TPU")
    return {MODEL: model, INFO: msgspec.json.format(msgspec.json.encode(compiled), indent=2)}


def decode(info: bytes | None, of_sha256: str) -> Compiled | None:
    """What a bundle says of its compiled model; ``None`` where it has none.

    Raises:
        ValueError: It is damaged, or another model's.
    """
    if info is None:
        return None
    compiled = msgspec.json.decode(info, type=Compiled)
    if compiled.of_sha256 != of_sha256:
        raise ValueError("its compiled model is another model's")
    return compiled


def read(path: Path, compiled: Compiled) -> bytes:
    """The compiled model, from the bundle's file, its checksum compared.

    Raises:
        BundleError: It cannot be read, or is not the one that ``compiled`` tells of.
    """
    again = "copy or download the bundle again"
    try:
        with zipfile.ZipFile(path) as archive:
            model = archive.read(MODEL)
    except (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BundleError(f"the compiled model in {path} cannot be read ({error}); {again}") from error
    if hashlib.sha256(model).hexdigest() != compiled.sha256:
        raise BundleError(f"{path} is damaged: the compiled model's checksum is not the recorded one; {again}")
    return model
