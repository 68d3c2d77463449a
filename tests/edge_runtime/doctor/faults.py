"""The faults that ``doctor`` must name: ``python -m tests.edge_runtime.doctor.faults`` prints what it says of each."""

import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.edge_runtime.doctor.boards import Board, healthy_board
from tests.edge_runtime.doctor.plants import CannotPlantError, devices, disk, machine, program

Plant = Callable[[Board], object]


@dataclass(frozen=True)
class Fault:
    """Something that is out of order.

    Attributes:
        name: In words.
        check: The one that must name it.
        status: How.
        said: Must be in what it says.
        plant: Puts it into a board; it may be a generator, which takes it away at the end.
        hides: Checks that cannot look while it is there, and must say so.
        hides_without_root: The same, for whoever is not root.
    """

    name: str
    check: str
    status: str
    said: str
    plant: Plant
    hides: tuple[str, ...] = ()
    hides_without_root: tuple[str, ...] = ()


_OF_THE_SETTINGS = (
    *("watched folder", "new files", "results folder", "file system", "disk space", "retention", "storage health"),
    *("disk writes", "journal", "camera", "coral", "gpio", "watcher"),
)

FAULTS = (
    Fault("Debian 11", "operating system", "warn", "release 12", machine.old_release),
    Fault("a 32-bit system", "operating system", "fail", "32-bit", program.userland_of_32_bit),
    Fault("a Raspberry Pi Zero of the first kind", "board", "fail", "Zero W", machine.first_pi_zero),
    Fault("/proc/cpuinfo hidden", "processor", "fail", "ProcSubset", machine.hidden_cpuinfo, hides=("model",)),
    Fault("too little memory", "memory", "fail", "182 MB", machine.little_memory),
    Fault("memory taken by others", "memory", "warn", "59 MB", machine.memory_in_use, ("model",)),
    Fault(
        "a memory limit that nobody enforces",
        "memory limit",
        "warn",
        "cgroup_enable",
        machine.limit_that_is_not_enforced,
    ),
    Fault("swapping onto the card", "swap", "warn", "294 MB", machine.swapping_onto_the_card),
    Fault("a processor at 84 °C", "temperature", "warn", "84 °C", machine.heat),
    Fault("under-voltage", "power", "fail", "under-voltage now", machine.under_voltage),
    Fault("throttled since the start", "throttling", "warn", "soft temperature limit", machine.throttled_earlier),
    Fault("a clock that stands at 1970", "clock", "fail", "1970", machine.clock_of_1970),
    Fault("a clock behind the findings", "clock", "fail", "latest finding", machine.clock_that_went_back),
    Fault("a clock that nobody sets", "clock", "warn", "timedatectl", machine.clock_that_nobody_sets),
    Fault("Python 3.9", "python", "fail", "3.9.2", program.python_of_bullseye),
    Fault(
        "numpy without its library",
        "numpy",
        "fail",
        "openblas",
        program.numpy_that_does_not_load,
        ("opencv", "engine", "model", "settings", *_OF_THE_SETTINGS),
    ),
    Fault("numpy 2 for tflite-runtime", "engine", "fail", "numpy<2", program.numpy_2_for_tflite_runtime, ("model",)),
    Fault("no engine", "engine", "fail", "ai-edge-litert", program.no_engine, ("model",)),
    Fault("an engine for another processor", "engine", "fail", "instructions", program.engine_that_crashes, ("model",)),
    Fault("two packages of OpenCV", "opencv", "warn", "opencv-python 4.10.0.84", program.two_of_opencv),
    Fault(
        "OpenCV without libGL",
        "opencv",
        "fail",
        "headless",
        program.opencv_for_a_desktop,
        ("model", "settings", *_OF_THE_SETTINGS),
    ),
    Fault("a damaged model", "model", "fail", "damaged", program.damaged_model),
    Fault("an engine with other numbers", "model", "fail", "does not compute", program.model_of_other_numbers),
    Fault(
        "a misspelt setting",
        "settings",
        "fail",
        "did you mean 'order'",
        program.wrong_setting,
        ("model", *_OF_THE_SETTINGS),
    ),
    Fault(
        "no watched folder", "watched folder", "fail", "there is no folder", disk.folder_that_is_gone, ("new files",)
    ),
    Fault(
        "a folder of somebody else",
        "watched folder",
        "fail",
        "may not read",
        disk.folder_of_somebody_else,
        (),
        ("new files",),
    ),
    Fault(
        "results that may not be written",
        "results folder",
        "fail",
        "may not",
        disk.results_that_may_not_be_written,
        (),
        ("disk writes",),
    ),
    Fault("too few inotify watches", "new files", "warn", "max_user_watches", disk.few_watches),
    Fault("results in memory", "file system", "fail", "tmpfs", disk.results_in_memory, ("storage health",)),
    Fault("results on a stick", "file system", "fail", "vfat", disk.stick_with_vfat, ("storage health",)),
    Fault("results on a share", "file system", "fail", "nfs4", disk.share, ("storage health",)),
    Fault(
        "a read-only disk", "file system", "fail", "read-only", disk.read_only_disk, ("results folder", "disk writes")
    ),
    Fault("a full disk", "disk space", "fail", "MB of 1.5 GB", disk.full_disk),
    Fault("no inodes left", "disk space", "fail", "files can be made", disk.disk_without_inodes),
    Fault("more kept than the disk holds", "retention", "warn", "20000 MB", disk.retention_beyond_the_disk),
    Fault("an error of ext4", "storage health", "fail", "ext4 has met 1 error", disk.file_system_with_an_error),
    Fault("a worn card", "storage health", "fail", "spare blocks", disk.worn_card),
    Fault("a damaged journal", "journal", "fail", "damaged", disk.damaged_journal),
    Fault("no camera", "camera", "fail", "there is no /dev/video0", devices.missing_camera),
    Fault("a camera of somebody else", "camera", "fail", "usermod -aG video", devices.camera_of_somebody_else),
    Fault("no picamera2", "camera", "fail", "python3-picamera2", devices.no_picamera2),
    Fault("no camera on the port", "camera", "fail", "rpicam-hello", program.no_camera_on_the_port),
    Fault("no Edge TPU", "coral", "fail", "there is none", devices.missing_edge_tpu),
    Fault("no library for the Edge TPU", "coral", "warn", "libedgetpu", devices.missing_delegate),
    Fault("an Edge TPU of somebody else", "coral", "fail", "plugdev", devices.edge_tpu_of_somebody_else),
    Fault("a model not compiled for the Edge TPU", "coral", "warn", "not compiled", devices.model_not_compiled),
    Fault("no GPIO lines", "gpio", "fail", "gpiochip", devices.no_gpio),
    Fault("a stopped service", "service", "fail", "does not run", devices.stopped_service),
    Fault("a service that fails", "service", "fail", "9 times", devices.service_that_fails_again_and_again),
    Fault(
        "/proc/cpuinfo hidden from the service",
        "sandbox",
        "fail",
        "ProcSubset",
        devices.sandbox_that_hides_the_processor,
    ),
    Fault("a camera hidden from the service", "sandbox", "fail", "the camera", devices.sandbox_that_hides_the_camera),
    Fault("a killed watcher", "watcher", "fail", "killed", devices.killed_watcher),
)


@contextmanager
def planted(board: Board, fault: Fault) -> Iterator[None]:
    """Put the fault into the board, and take it away at the end.

    Raises:
        CannotPlantError: It cannot be had here.
    """
    found = fault.plant(board)
    if not isinstance(found, Iterator):
        yield
        return
    next(found)
    try:
        yield
    finally:
        next(found, None)


def main() -> None:
    """Print the table."""
    for fault in FAULTS:
        with healthy_board() as board:
            try:
                with planted(board, fault):
                    check = board.examine()[fault.check]
            except CannotPlantError as error:
                print(f"{fault.name}: {error}")
                continue
        named = check.status == fault.status and fault.said in f"{check.found} {check.advice}"
        print(f"{'named' if named else 'NOT NAMED'}  {fault.name}")
        print(textwrap.indent(f"{check.status}  {check.name}: {check.found}\n-> {check.advice}", "    "))


if __name__ == "__main__":
    main()
