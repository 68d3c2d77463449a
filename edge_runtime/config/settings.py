"""What can be set: one struct a section of the settings file, with defaults and bounds.

A new setting is a field here and a line in ``systemd/config.toml``; ``config`` makes its environment variable, checks
it and shows it. A new section is a struct here and a field of ``Settings``.
"""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

SlowEngine = Literal["refuse", "allow"]
EngineChoice = Literal["litert", "openvino", "auto"]
AcceleratorChoice = Literal["auto", "edgetpu", "cpu"]
Order = Literal["oldest", "newest"]
InputChoice = Literal["leave", "move"]
Text = Annotated[str, Meta(min_length=1)]
Threads = Annotated[int, Meta(ge=1, le=1024)]
Settle = Annotated[float, Meta(ge=0.0, le=3600.0)]
# Between two looks: a minimum, so that no setting makes a watcher do nothing but look.
Interval = Annotated[float, Meta(ge=0.1, le=86400.0)]
# Of a Raspberry Pi's 40. BCM 0 is reserved for what identifies boards that are plugged on.
Pin = Annotated[int, Meta(ge=0, le=27)]


class WatchSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[watch]``: what is watched, and how.

    Attributes:
        folder: Where radiographs arrive; ``None`` where nothing is said.
        results: Where findings and the journal go; ``None`` for the place that ``watch`` derives from the folder.
        order: Which of the files found together comes first.
        settle: Seconds for which a file must lie unchanged before it is read.
        rescan: Seconds between two looks for what events missed.
        poll: Seconds between two looks where the file system tells of nothing.
        heatmaps: Whether to write them.
        input: Whether answered files stay where they are or are moved.
        done: Where classified files are moved to; a relative folder lies in the watched one.
        refused: Where rejected files are moved to; a relative folder lies in the watched one.
        slow_engine: What to do with an engine that is slower than a plain loop would be; see ``model.pace``.
    """

    folder: Path | None = None
    results: Path | None = None
    order: Order = "oldest"
    settle: Settle = 0.8
    rescan: Interval = 60.0
    poll: Interval = 5.0
    heatmaps: bool = True
    input: InputChoice = "leave"
    done: Path = Path("done")
    refused: Path = Path("refused")
    slow_engine: SlowEngine = "refuse"


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[limits]``: what is refused instead of read or decoded.

    Attributes:
        megabytes: Of one file, in 10**6 bytes.
        megapixels: Of one picture, in 10**6 pixels.
        decode_seconds: For decoding one picture.
    """

    megabytes: Annotated[int, Meta(ge=1, le=4096)] = 512
    megapixels: Annotated[int, Meta(ge=1, le=1000)] = 200
    decode_seconds: Annotated[float, Meta(ge=1.0, le=3600.0)] = 30.0


class Retention(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[retention]``: how long findings and heat maps are kept.

    Attributes:
        days: What is older goes; 0 for never.
        megabytes: The oldest go as long as all together take more, in 10**6 bytes; 0 for no limit.
    """

    days: Annotated[int, Meta(ge=0, le=36500)] = 0
    megabytes: Annotated[int, Meta(ge=0, le=10**9)] = 0


class CameraSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[camera]``: what photographs films on a light box; see ``docs/camera.md``.

    Attributes:
        device: The camera, as ``edge_runtime.camera.choice`` reads it; empty for none.
        preview: Whether to write what it sees, for a person.
        still: Seconds for which a film must lie still and sharp before it is taken.
        width: Of its pictures, in pixels, as near as it can.
        height: Likewise.
    """

    device: str = ""
    preview: bool = True
    still: Annotated[float, Meta(ge=0.1, le=60.0)] = 0.7
    width: Annotated[int, Meta(ge=320, le=4096)] = 1920
    height: Annotated[int, Meta(ge=240, le=4096)] = 1080


class GpioSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[gpio]``: what is wired to a board's pins, by their BCM numbers; 0 for nothing. See ``docs/boards.md``.

    Attributes:
        led: The status light's.
        button: That of the button for a new film.
    """

    led: Pin = 0
    button: Pin = 0


class LogSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``[log]``: what the system's log is told.

    Attributes:
        names: Whether files are named there, which scanners name after patients.
    """

    names: bool = False


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that can be set; ``None`` where nothing is said and the program decides.

    Attributes:
        operating_point: Name of a decision threshold in the bundle.
        bundle: The name of a model, or a model's file; in a settings file, relative to that file's folder.
        engine: What runs the model; ``auto`` for the one that is likely the fastest here.
        threads: For inference.
        accelerator: What may answer in place of the CPU; ``auto`` for an Edge TPU where one is plugged in, ``edgetpu``
            to miss it where none is. See ``docs/coral.md``.
        watch: See ``WatchSettings``.
        limits: See ``Limits``.
        retention: See ``Retention``.
        camera: See ``CameraSettings``.
        gpio: See ``GpioSettings``.
        log: See ``LogSettings``.
    """

    operating_point: Text | None = None
    bundle: Path | None = None
    engine: EngineChoice | None = None
    threads: Threads | None = None
    accelerator: AcceleratorChoice = "auto"
    watch: WatchSettings = WatchSettings()
    limits: Limits = Limits()
    retention: Retention = Retention()
    camera: CameraSettings = CameraSettings()
    gpio: GpioSettings = GpioSettings()
    log: LogSettings = LogSettings()
