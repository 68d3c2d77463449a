"""The bundle: a model and its proof in one file, a valid ``.tflite`` with a zip behind it.

Every TFLite tool opens it (the convention TFLite uses for associated files), every zip tool lists it. Members:

``bundle.json``       what the model is: ``BundleInfo``
``labels.txt``        the classes in the order of the scores, one a line
``golden.npz``        inputs with the exact outputs the converter saw: ``Golden``
``gate.npz``          what tells a readable frontal chest radiograph from anything else: ``Gate``
``parity.json``       the converter's comparison with the float model
``calibration.json``  the images whose activations set the integer ranges

and, where the model was compiled for an Edge TPU too:

``edgetpu.tflite``    the compiled model, with the same inputs and outputs; read when an Edge TPU is to run it
``edgetpu.json``      what it was compiled of, and its checksum: ``compiled.Compiled``
"""

import hashlib
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from edge_runtime.errors import BundleError
from edge_runtime.gate import store as gate_store
from edge_runtime.gate.store import Gate
from edge_runtime.model import compiled, installed
from edge_runtime.model.compiled import Compiled

SCHEMA: Final = "edge-pneumo/bundle/2"
Labels = tuple[Literal["normal"], Literal["bacterial"], Literal["viral"]]
LABELS: Labels = ("normal", "bacterial", "viral")

_TFLITE_MARK = b"TFL3"  # at bytes 4 to 8
_NEXT_STEP = "make a bundle with 'python -m convert', or leave out --bundle to use the installed one"
_REINSTALL = "install edge-pneumo again, or name a bundle with --bundle"
_GET_AGAIN = "copy or download the bundle again"

Positive = Annotated[int, Meta(gt=0)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class InputGeometry(msgspec.Struct, frozen=True):
    """The model's input in pixels."""

    height: Positive = 224
    width: Positive = 224
    channels: Literal[1] = 1


class OperatingPoint(msgspec.Struct, frozen=True):
    """A named trade between sensitivity and specificity: PNEUMONIA from this probability on."""

    threshold: Annotated[float, Meta(ge=0.0, le=1.0)]


class UncertainBand(msgspec.Struct, frozen=True):
    """Probabilities from ``low`` to ``high``, both included, at which the answer is worth little."""

    low: Annotated[float, Meta(ge=0.0, le=1.0)]
    high: Annotated[float, Meta(ge=0.0, le=1.0)]

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"an uncertain band from {self.low} to {self.high}")


class Histogram(msgspec.Struct, frozen=True):
    """Counts between edges: ``counts[i]`` values in ``[edges[i], edges[i + 1])``, those outside in the outer ones.

    ``positive`` says how many of each count are of pneumonia radiographs; it is empty where that is not known.
    """

    edges: tuple[float, ...]
    counts: tuple[Annotated[int, Meta(ge=0)], ...]
    positive: tuple[Annotated[int, Meta(ge=0)], ...] = ()

    def __post_init__(self) -> None:
        if len(self.edges) != len(self.counts) + 1 or list(self.edges) != sorted(self.edges):
            raise ValueError(f"a histogram of {len(self.counts)} counts between {len(self.edges)} edges")
        if self.positive and (
            len(self.positive) != len(self.counts)
            or any(p > c for p, c in zip(self.positive, self.counts, strict=True))
        ):
            raise ValueError("a histogram with more pneumonia radiographs than radiographs")


class Reference(msgspec.Struct, frozen=True):
    """What the radiographs the model was validated on look like to it: what drift is measured against."""

    probability: Histogram
    distance: Histogram


class BundleInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What ``bundle.json`` says.

    Attributes:
        schema: Version of the bundle's format.
        name: Of the model, such as ``full``.
        created: RFC 3339.
        labels: The classes in the order of the scores.
        input: The model's input.
        temperature: Divides the logits before the softmax, so that probabilities are calibrated.
        operating_points: Thresholds by name.
        default_operating_point: The one used unless another is chosen.
        uncertain: Probabilities at which the answer is worth little; ``None`` where it was not measured.
        reference: What drift is measured against; ``None`` where it was not measured.
        tflite_bytes: Length of the ``.tflite`` at the start of the file; ``write`` fills it in.
        tflite_sha256: Of those bytes; ``write`` fills it in.
        source_sha256: Of the ``.keras`` the model was converted from.
        data_manifest_sha256: Of the training data's manifest, where there is one.
        route: The quantizer.
        versions: Of the packages that made the bundle.
    """

    schema: Literal["edge-pneumo/bundle/2"] = SCHEMA
    name: str
    created: str
    labels: Labels = LABELS
    input: InputGeometry = InputGeometry()
    temperature: Annotated[float, Meta(gt=0.0)] = 1.0
    operating_points: dict[str, OperatingPoint] = msgspec.field(
        default_factory=lambda: {"balanced": OperatingPoint(threshold=0.5)}
    )
    default_operating_point: str = "balanced"
    uncertain: UncertainBand | None = None
    reference: Reference | None = None
    tflite_bytes: Annotated[int, Meta(ge=0)] = 0
    tflite_sha256: str = ""
    source_sha256: Sha256
    data_manifest_sha256: Sha256 | None = None
    route: Literal["tf-lite-converter", "litert-quantizer"]
    versions: dict[str, str]

    def __post_init__(self) -> None:
        if self.default_operating_point not in self.operating_points:
            raise ValueError(f"the default operating point {self.default_operating_point!r} is not among its own")


class Golden(msgspec.Struct, frozen=True):
    """Inputs, and the exact outputs an engine must give for them.

    Attributes:
        pixels: ``uint8`` of shape ``(n, height, width, 1)``.
        scores: ``int8`` of shape ``(n, 3)``.
        maps: ``int8`` of shape ``(n, rows, columns, 3)``.
        features: ``int8`` of shape ``(n, channels)``.
    """

    pixels: NDArray[np.uint8]
    scores: NDArray[np.int8]
    maps: NDArray[np.int8]
    features: NDArray[np.int8]

    def __post_init__(self) -> None:
        n = len(self.pixels)
        for name, array, dtype, rank in (
            ("pixels", self.pixels, np.uint8, 4),
            ("scores", self.scores, np.int8, 2),
            ("maps", self.maps, np.int8, 4),
            ("features", self.features, np.int8, 2),
        ):
            if array.dtype != dtype or array.ndim != rank or len(array) != n or n == 0:
                raise ValueError(f"golden {name} are {array.dtype} of shape {array.shape}")


class Bundle(msgspec.Struct, frozen=True):
    """A bundle that has been read and checked.

    Attributes:
        path: Where it was read from.
        info: What the model is.
        sha256: Of the whole file.
        tflite: The model alone; its hash has been compared.
        vectors: Reads the golden vectors; most commands need none.
        parity: The converter's comparison with the float model.
        calibration: The images that set the integer ranges.
        gate: What is refused.
        compiled: Of the model for an Edge TPU, which ``read_compiled`` reads; ``None`` where there is none.
    """

    path: Path
    info: BundleInfo
    sha256: str
    tflite: bytes
    vectors: Callable[[], Golden]
    parity: dict[str, Any]
    calibration: dict[str, Any]
    gate: Gate
    compiled: Compiled | None = None

    @property
    def golden(self) -> Golden:
        """Inputs with the outputs they must give, read anew each time.

        Raises:
            BundleError: They are damaged.
        """
        return self.vectors()

    def __repr__(self) -> str:
        return f"Bundle({self.path}, {self.info.name})"  # and not all that is in it


def read(path: Path) -> Bundle:
    """Read a bundle and compare its checksums.

    Raises:
        BundleError: It is missing, cannot be read, is no bundle, is damaged, or is of a newer format.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        next_step = _REINSTALL if path.parent == installed.FOLDER else _NEXT_STEP
        raise BundleError(f"there is no model bundle at {path}; {next_step}") from None
    except OSError as error:
        raise BundleError(
            f"the model bundle {path} cannot be read ({error.strerror}); check its permissions"
        ) from error
    if data[4:8] != _TFLITE_MARK:
        raise BundleError(f"{path} is no .tflite file; {_NEXT_STEP}")
    try:
        members = _unzip(data)
        info = _decode_info(members["bundle.json"], path)
        tflite = data[: info.tflite_bytes]
        digest = hashlib.sha256(tflite)
        if digest.hexdigest() != info.tflite_sha256:
            raise BundleError(f"{path} is damaged: the model's checksum is not the recorded one; {_GET_AGAIN}")
        gate = gate_store.from_bytes(members["gate.npz"])
        vectors = partial(_read_golden, members["golden.npz"], info, gate, path)
        parity = msgspec.json.decode(members["parity.json"], type=dict[str, Any])
        calibration = msgspec.json.decode(members["calibration.json"], type=dict[str, Any])
        found = compiled.decode(members.get(compiled.INFO), info.tflite_sha256)
    except KeyError as error:
        # Zip finds an archive even in a foreign file that only happens to carry one, such as a .tflite with metadata.
        raise BundleError(
            f"{path} is no edge-pneumo bundle, or was cut off (it lacks {error.args[0]}); {_NEXT_STEP}"
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        raise BundleError(f"{path} is damaged: the archive in it cannot be read; {_GET_AGAIN}") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise BundleError(f"{path} is damaged ({error}); {_GET_AGAIN}") from error
    digest.update(memoryview(data)[info.tflite_bytes :])
    return Bundle(
        path=path,
        info=info,
        sha256=digest.hexdigest(),
        tflite=tflite,
        vectors=vectors,
        parity=parity,
        calibration=calibration,
        gate=gate,
        compiled=found,
    )


def read_compiled(bundle: Bundle) -> bytes:
    """The model that was compiled for an Edge TPU: a ``.tflite``, its checksum compared.

    It is read from the bundle's file again, since most machines never need it.

    Raises:
        BundleError: The bundle has none, cannot be read any more, or is damaged.
    """
    if bundle.compiled is None:
        raise BundleError(
            f"the model {bundle.info.name} was not compiled for an Edge TPU; compile it (docs/coral.md) and install "
            'that, or set accelerator = "cpu"'
        )
    return compiled.read(bundle.path, bundle.compiled)


def tflite_bytes(bundle: Bundle | Path) -> bytes:
    """The model alone, its checksum compared: what a TFLite interpreter runs."""
    return (bundle if isinstance(bundle, Bundle) else read(bundle)).tflite


def write(
    path: Path,
    tflite: bytes,
    info: BundleInfo,
    *,
    golden: Golden,
    parity: Mapping[str, Any],
    calibration: Mapping[str, Any],
    gate: Gate,
    edgetpu: tuple[bytes, Compiled] | None = None,
) -> BundleInfo:
    """Write a bundle: complete and on the disk, or not at all.

    The same arguments give the same bytes.

    Args:
        path: Where to; an older file there is replaced.
        tflite: The model.
        info: What it is; ``tflite_bytes`` and ``tflite_sha256`` are filled in here.
        golden: Inputs with the outputs the converter saw.
        parity: The comparison with the float model, as JSON can hold it.
        calibration: The calibration set's manifest, as JSON can hold it.
        gate: What the device refuses.
        edgetpu: The model compiled for an Edge TPU, and what is known of it; ``None`` where there is none.

    Returns:
        ``info`` as written.

    Raises:
        BundleError: ``tflite`` is no TFLite model.
        ValueError: The golden vectors are not of the model's input size, or the gate is of other features than theirs,
            or the compiled model is of another model.
        OSError: The file cannot be written.
    """
    if tflite[4:8] != _TFLITE_MARK:
        raise BundleError(f"what should become {path} is no .tflite model; convert a trained model first")
    _check_golden(golden, info)
    _check_gate(gate, golden)
    info = msgspec.structs.replace(info, tflite_bytes=len(tflite), tflite_sha256=hashlib.sha256(tflite).hexdigest())
    arrays = io.BytesIO()
    np.savez_compressed(arrays, pixels=golden.pixels, scores=golden.scores, maps=golden.maps, features=golden.features)
    members = {
        "bundle.json": _json(info),
        "labels.txt": "".join(f"{label}\n" for label in info.labels).encode(),
        "golden.npz": arrays.getvalue(),
        "gate.npz": gate_store.to_bytes(gate),
        "parity.json": _json(dict(parity)),
        "calibration.json": _json(dict(calibration)),
    }
    if edgetpu is not None:
        members |= compiled.members(*edgetpu, info.tflite_sha256)
    import tempfile  # a device never writes a bundle

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(tflite)
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
                for member, data in members.items():
                    entry = zipfile.ZipInfo(member)  # dated 1980, so that the same content is the same file
                    entry.external_attr = 0o644 << 16
                    archive.writestr(entry, data, zipfile.ZIP_DEFLATED)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return info


def _read_golden(data: bytes, info: BundleInfo, gate: Gate, path: Path) -> Golden:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            golden = Golden(arrays["pixels"], arrays["scores"], arrays["maps"], arrays["features"])
        _check_golden(golden, info)
        _check_gate(gate, golden)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, KeyError, ValueError) as error:
        raise BundleError(f"{path} is damaged (its golden vectors cannot be read: {error}); {_GET_AGAIN}") from error
    return golden


def _check_golden(golden: Golden, info: BundleInfo) -> None:
    shape = (info.input.height, info.input.width, info.input.channels)
    if golden.pixels.shape[1:] != shape or golden.scores.shape[1] != len(info.labels):
        raise ValueError(f"golden vectors {golden.pixels.shape} -> {golden.scores.shape} for a model input of {shape}")


def _check_gate(gate: Gate, golden: Golden) -> None:
    if len(gate.features.mean) != golden.features.shape[1]:
        raise ValueError(f"a gate of {len(gate.features.mean)} features for a model of {golden.features.shape[1]}")


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


def _unzip(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist() if name != compiled.MODEL}
    except zipfile.BadZipFile as error:
        # Without the directory at its end a bundle that was cut off looks like a plain .tflite, but for this name.
        if b"PK\x03\x04" in data and b"bundle.json" in data:
            raise
        raise KeyError("bundle.json") from error


def _decode_info(data: bytes, path: Path) -> BundleInfo:
    schema = msgspec.json.decode(data, type=dict[str, Any]).get("schema")
    if schema != SCHEMA:
        raise BundleError(f"{path} is of the format {schema!r}, this program reads {SCHEMA!r}; update edge-pneumo")
    return msgspec.json.decode(data, type=BundleInfo)
