"""``edge-pneumo bench --share``: this device's rows for the table of devices that people measured."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import cv2
import msgspec

from edge_runtime.bench.device import DeviceInfo, this_device
from edge_runtime.bench.stages import Times, folder_on_disk, full_size, stages, timed
from edge_runtime.board.throttling import Reading, look
from edge_runtime.clock import Clock
from edge_runtime.distribution import version
from edge_runtime.errors import UsageError
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import is_reproduced, verify_golden
from edge_runtime.model.engines import Engine, default_threads, open_engine, usable_cpus
from edge_runtime.sinks.files import ResultsFolder

SCHEMA: Final = "edge-pneumo/device/1"
WHERE: Final = (
    'To share them, open a pull request that adds these rows to docs/devices.md, under "Measured", and put the '
    "file into its text."
)
STAGES: Final = ("decode", "prepare", "screen", "infer", "infer, threads", "heat map", "write")
HEADER: Final = (
    "| device | system | engine | model | " + " | ".join(STAGES) + " | held back |",
    "|" + "---|" * (len(STAGES) + 5),
)


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle's model.

    Attributes:
        model: Its name.
        sha256: Of the bundle.
        engine: The library and its version, and the threads of the stage ``infer, threads``.
        reproduced: Whether its golden vectors are the converter's.
        milliseconds: Of each stage, by name; ``infer`` is on one thread.
    """

    model: str
    sha256: str
    engine: str
    reproduced: bool
    milliseconds: dict[str, Times]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """What one device shares.

    Attributes:
        schema: Of these fields.
        day: ``2026-01-31``.
        edge_pneumo: Its version.
        opencv: Its version.
        device: What it is.
        held_back: What held its processor back before or afterwards, such as ``throttled``.
        celsius: Of the processor, before and afterwards; ``None`` where nobody says.
        measured: By bundle.
    """

    schema: str = SCHEMA
    day: str
    edge_pneumo: str
    opencv: str
    device: DeviceInfo
    held_back: tuple[str, ...]
    celsius: tuple[float | None, float | None]
    measured: tuple[Measured, ...]

    @property
    def is_good(self) -> bool:
        """Whether all golden vectors are reproduced."""
        return all(one.reproduced for one in self.measured)


def measure_device(
    clock: Clock,
    *,
    seconds: float,
    bundles: Sequence[Path] | None = None,
    root: Path = Path("/"),
    read_board: Callable[[], Reading] = look,
    note: Callable[[str], None] = lambda _: None,
) -> Row:
    """Measure the stages of every bundle that comes with the program, on a radiograph that is drawn for it.

    Args:
        clock: For the durations and the day.
        seconds: For each bundle, about.
        bundles: Their files; ``None`` for those that come with the program.
        root: Where ``/proc`` and ``/sys`` are.
        read_board: How the machine is held back.
        note: Told what is measured now.

    Raises:
        EdgePneumoError: A bundle or the engine cannot be used, or nothing can be written.
    """
    opened = [bundle.read(file) for file in bundles or [installed.path(name) for name in installed.names()]]
    picture = full_size(opened[0])
    before = read_board()
    measured = []
    for one in opened:
        note(f"measuring {one.info.name}")
        measured.append(_measured(one, picture, clock, seconds))
    after = read_board()
    return Row(
        day=clock.now().date().isoformat(),
        edge_pneumo=_version(),
        opencv=cv2.__version__,
        device=this_device(root, cpus=usable_cpus()),
        held_back=tuple(sorted(before.now | after.now)),
        celsius=(_celsius(before), _celsius(after)),
        measured=tuple(measured),
    )


def to_json(row: Row) -> str:
    """All that is shared."""
    return msgspec.json.format(msgspec.json.encode(row), indent=1).decode()


def write(row: Row, folder: Path) -> Path:
    """Write the row as JSON into ``edge-pneumo-<device>-<day>.json``; an earlier one of that day is replaced.

    Raises:
        UsageError: It cannot be written.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", row.device.model.lower()).strip("-") or "device"
    path = folder / f"edge-pneumo-{slug}-{row.day}.json"
    try:
        path.write_text(to_json(row) + "\n")
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}); go to a folder that you may write to"
        ) from error
    return path


def markdown(row: Row) -> list[str]:
    """The row's lines in the table ``HEADER``, one a bundle: medians, and the middle half in brackets."""
    device = row.device
    clock = "" if device.megahertz is None else f", {device.megahertz} MHz"
    what = f"{device.model}: {device.cpus} x {device.processor}{clock}, {device.megabytes / 1000:.1f} GB"
    system = f"{device.system}, Linux {device.kernel}, {device.machine}, Python {device.python}"
    held = ", ".join(row.held_back) or "no"
    if row.celsius[1] is not None:
        held += f"; {row.celsius[1]:.0f} °C"
    lines = []
    for one in row.measured:
        engine = f"edge-pneumo {row.edge_pneumo}, {one.engine}, OpenCV {row.opencv}"
        model = one.model if one.reproduced else f"{one.model}, golden vectors NOT reproduced"
        cells = [what, system, engine, model, *(_cell(one.milliseconds.get(stage)) for stage in STAGES), held]
        lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return lines


def _measured(opened: Bundle, picture: bytes, clock: Clock, seconds: float) -> Measured:
    threads = default_threads()
    engines: dict[str, Engine] = {"infer": open_engine(opened, 1)}
    last = engines["infer"]
    if threads > 1:
        last = engines["infer, threads"] = open_engine(opened, threads)
    with (
        TemporaryDirectory(prefix="edge-pneumo-", dir=folder_on_disk()) as folder,
        ResultsFolder(Path(folder), heatmaps=False) as results,
    ):
        found = timed(stages(picture, opened, engines, results, clock), clock, seconds)
    return Measured(
        model=opened.info.name,
        sha256=opened.sha256,
        engine=last.name,
        reproduced=all(is_reproduced(verify_golden(engine, opened.golden), engine) for engine in engines.values()),
        milliseconds=found,
    )


def _cell(times: Times | None) -> str:
    return "" if times is None else f"{_figure(times.median)} ({_figure(times.low)} to {_figure(times.high)})"


def _figure(milliseconds: float) -> str:
    return f"{milliseconds:.2f}" if milliseconds < 10 else f"{milliseconds:.0f}"


def _celsius(reading: Reading) -> float | None:
    return None if reading.temperature is None else round(reading.temperature.celsius, 1)


def _version() -> str:
    try:
        return version("edge-pneumo")
    except ModuleNotFoundError:
        return "(checkout)"
