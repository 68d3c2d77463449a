"""What ``watch`` writes to the card for a radiograph, and how often it makes the card write.

    python -m benchmarks.wear [--bundle NAME|FILE] [--files 200]

Radiographs lie in one place and are answered into another: findings and journal alone, with heat maps and without, in
groups as they come and one at a time. As root, where a loop device can be had, the results lie on a file system of
their own (ext4 unless ``--mkfs`` says otherwise) on such a device, and what the kernel wrote to it is counted: data,
the file system's own structures and its journal, and the requests to empty the disk's cache. Else it is what the
kernel says that this process had written, ``write_bytes`` in ``/proc/self/io``, which knows of files' pages alone: the
file system's structures and its journal come on top of it.

The sum counts until all is on the disk, the journal's checkpoint at the end included.
"""

import argparse
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import material
from edge_runtime.model.classifier import Classifier
from edge_runtime.watch.answering import watch
from edge_runtime.watch.behind import GROUP

_DEVICE_MEGABYTES = 1024


@dataclass(frozen=True)
class Written:
    """What has been written so far; of a kind that cannot be had here, nothing.

    Attributes:
        data: Bytes.
        requests: Of writing.
        flushes: Requests to empty the disk's cache.
    """

    data: int
    requests: int | None = None
    flushes: int | None = None


Meter = Callable[[], Written]


@contextmanager
def loop_device(place: Path, mkfs: Sequence[str]) -> Generator[tuple[Path, Meter], None, None]:
    """An empty file system on a device of its own, and its meter.

    Raises:
        OSError: It cannot be had here.
        subprocess.CalledProcessError: Likewise.
    """
    image, folder = place / "disk", place / "mounted"
    folder.mkdir(exist_ok=True)
    with image.open("wb") as file:
        file.truncate(_DEVICE_MEGABYTES << 20)
    with ExitStack() as after:
        after.callback(image.unlink)
        _run(*mkfs, image)
        device = Path(_run("losetup", "--find", "--show", image))
        after.callback(_run, "losetup", "--detach", device)
        _run("mount", device, folder)
        after.callback(_run, "umount", folder)
        yield folder, lambda: _of_device(device)


def _of_device(device: Path) -> Written:
    # Documentation/block/stat.rst of Linux: sectors are 512 bytes whatever the device's are.
    fields = Path("/sys/block", device.name, "stat").read_text().split()
    return Written(int(fields[6]) * 512, int(fields[4]), int(fields[15]) if len(fields) > 15 else None)


def _of_process() -> Written:
    lines = Path("/proc/self/io").read_text().splitlines()
    return Written(next(int(line.split()[1]) for line in lines if line.startswith("write_bytes")))


def measure(
    folder: Path, results: Path, classifier: Classifier, meter: Meter, *, heatmaps: bool, group: int
) -> Written:
    """What answering a folder writes."""
    _run("sync", "--file-system", results.parent)
    before = meter()
    # Settled at once, so that all of them wait and groups are as large as they get.
    watch(folder, results, classifier, once=True, heatmaps=heatmaps, settle=0.0, group=group)
    _run("sync", "--file-system", results.parent)
    after = meter()
    return Written(
        after.data - before.data,
        _difference(after.requests, before.requests),
        _difference(after.flushes, before.flushes),
    )


def _difference(after: int | None, before: int | None) -> int | None:
    return None if after is None or before is None else after - before


def _run(*command: str | Path) -> str:
    return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def metered(place: Path, mkfs: Sequence[str]) -> Generator[tuple[Path, Meter, str], None, None]:
    """A place for results, what measures it, and what that is."""
    with ExitStack() as stack:
        try:
            if os.geteuid() != 0 or shutil.which(mkfs[0]) is None:
                raise OSError("not root, or no mkfs")
            folder, meter = stack.enter_context(loop_device(place, mkfs))
        except (OSError, subprocess.CalledProcessError):
            folder = place / "results"
            folder.mkdir()
            yield folder, _of_process, "write_bytes in /proc/self/io: without the file system's own structures"
            return
        yield folder, meter, f"a loop device with a file system of its own ({' '.join(mkfs)})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.wear", description="What watch writes to the card.")
    material.add_arguments(parser, files=200)
    parser.add_argument("--mkfs", default="mkfs.ext4 -q -F", metavar="COMMAND", help="default: %(default)s")
    args = parser.parse_args(arguments)
    classifier, files = material.classifier(args), material.radiographs(args)
    with material.workplace() as place:
        folder = place / "folder"
        folder.mkdir()
        for number, data in enumerate(files):
            (folder / f"{number:06}.jpeg").write_bytes(data)
        with metered(place, args.mkfs.split()) as (results, meter, what):
            print(f"{len(files)} files, model {classifier.bundle.info.name}; counted: {what}")
            for heatmaps in (False, True):
                for group in (1, GROUP):
                    below = results / f"{heatmaps}-{group}"
                    written = measure(folder, below, classifier, meter, heatmaps=heatmaps, group=group)
                    kept = sum(path.stat().st_size for path in below.rglob("*") if path.is_file())
                    print(
                        f"{'with' if heatmaps else 'without'} heat maps, "
                        f"{'one at a time' if group == 1 else f'groups of up to {group}'}: "
                        f"{written.data / len(files) / 1024:.1f} KiB a radiograph"
                        f"{_times(written.requests, len(files), 'writes')}"
                        f"{_times(written.flushes, len(files), 'flushes')}"
                        f"; kept {kept / len(files) / 1024:.1f} KiB"
                    )


def _times(count: int | None, files: int, what: str) -> str:
    return "" if count is None else f", {count / files:.2f} {what}"


if __name__ == "__main__":
    main()
