"""What ``watch`` adds to the model: throughput, and the time from a file's last byte to its durable finding.

    python -m benchmarks.pipeline [--bundle NAME|FILE] [--data DIR] [--files 624] [--rounds 5]

The floor is a loop on one thread that reads, decodes, squashes and infers, with OpenCV and the engine alone, and keeps
nothing. Watch does that, and screens, hashes, writes, forces to the disk and enters in the journal, with a process of
its own for decoding, as the program has it. Both take turns over the same files with the same engine on one thread;
watch's own threads are its own. What cannot be left out of a durable finding is timed besides: a small file forced, its
name forced, and a line of a log forced.
"""

import argparse
import os
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks import material
from edge_runtime.config.settings import Limits
from edge_runtime.finding import Finding
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.forked import forked_worker
from edge_runtime.radiograph.isolated import IsolatedDecoder, isolated
from edge_runtime.watch.answering import watch

_SETTLE = 0.2  # seconds; the program's default is 0.8


class Stopwatch:
    """A sink that notes when it is told an answer, by the clock and in the process' own time, both in seconds."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.processor: list[float] = []
        self._told = threading.Condition()

    def accept(self, _finding: Finding) -> None:
        with self._told:
            self.times.append(time.perf_counter())
            self.processor.append(time.process_time())
            self._told.notify_all()

    def wait_for(self, count: int) -> float:
        """When the answer of that number came."""
        with self._told:
            if not self._told.wait_for(lambda: len(self.times) >= count, 60.0):
                raise TimeoutError("no answer within a minute")
            return self.times[count - 1]


def bare(path: Path, classifier: Classifier) -> None:
    """One file by the floor."""
    grey = np.asarray(cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_GRAYSCALE))
    size = classifier.bundle.info.input
    pixels = cv2.resize(grey, (size.width, size.height), interpolation=cv2.INTER_LINEAR_EXACT)
    classifier.engine.invoke(np.asarray(pixels, np.uint8).reshape(1, size.height, size.width, 1))


def bare_seconds(paths: Sequence[Path], classifier: Classifier) -> float:
    """Seconds a file by the floor."""
    start = time.perf_counter()
    for path in paths:
        bare(path, classifier)
    return (time.perf_counter() - start) / len(paths)


def forced_seconds(folder: Path, number: int) -> float:
    """Seconds for the three forced writes of a finding, and nothing else."""
    data, hidden = b"x" * 1600, folder / ".hidden"
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    top = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        start = time.perf_counter()
        file = os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(file, data)
        os.fsync(file)
        os.close(file)
        hidden.replace(folder / f"{number}.json")
        os.fsync(top)
        os.write(log, data)
        os.fdatasync(log)
        return time.perf_counter() - start
    finally:
        os.close(log)
        os.close(top)


def watch_seconds(
    folder: Path,
    results: Path,
    classifier: Classifier,
    decoder: IsolatedDecoder | None,
    *,
    heatmaps: bool,
    left_out: int = 0,
) -> float:
    """Seconds a file by ``watch``, from one answer to the last; ``left_out``: answers before that, at the start."""
    told = Stopwatch()
    watch(
        folder,
        results,
        classifier,
        once=True,
        heatmaps=heatmaps,
        settle=0.0,
        sinks=[told],
        decoder=None if decoder is None else decoder.decode,
        screen=None if decoder is None else decoder.screen,
    )
    return (told.times[-1] - told.times[left_out]) / (len(told.times) - 1 - left_out)


def latencies(
    files: Sequence[bytes], place: Path, classifier: Classifier, decoder: IsolatedDecoder, *, heatmaps: bool
) -> tuple[list[float], list[float], list[float]]:
    """Files that arrive one at a time: seconds from the last byte to the durable finding, by the floor, and forced."""
    folder, aside = place / "arriving", place / "aside"
    folder.mkdir()
    aside.mkdir()
    told, stop = Stopwatch(), threading.Event()
    ready = threading.Event()
    watching = threading.Thread(
        target=watch,
        args=(folder, place / "answers", classifier),
        kwargs={
            "heatmaps": heatmaps,
            "settle": _SETTLE,
            "stop": stop,
            "sinks": [told],
            "on_start": ready.set,
            "decoder": decoder.decode,
            "screen": decoder.screen,
        },
    )
    watching.start()
    ready.wait()
    time.sleep(0.5)  # until it hears what arrives
    waited, floor, forced = [], [], []
    for number, data in enumerate(files, start=1):
        (folder / f"{number}.jpeg").write_bytes(data)
        written = time.perf_counter()
        waited.append(told.wait_for(number) - written)
        # The engine is at rest now: the watcher's thread waits for the next file.
        (aside / f"{number}.jpeg").write_bytes(data)
        floor.append(bare_seconds([aside / f"{number}.jpeg"], classifier))
        forced.append(forced_seconds(aside, number))
    stop.set()
    watching.join()
    return waited, floor, forced


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pipeline", description="What watch adds to the model.")
    material.add_arguments(parser, files=624)
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--arriving", type=int, default=40, metavar="N", help="files that arrive one at a time")
    args = parser.parse_args(arguments)
    with (
        forked_worker() as worker,  # before anything else, as the watcher does
        material.workplace() as place,
        isolated(Limits(), stop=threading.Event(), first=worker) as decoder,
    ):
        classifier, files = material.classifier(args), material.radiographs(args)
        print(f"{len(files)} files, model {classifier.bundle.info.name}, {classifier.engine.name}")
        print("floor: a loop on one thread of read, decode, squash and infer that keeps nothing")
        _throughput(files, place, classifier, decoder, args.rounds)
        for heatmaps in (False, True):
            name = "with heat maps" if heatmaps else "without heat maps"
            below = place / name
            below.mkdir()
            waited, floor, forced = latencies(files[: args.arriving + 2], below, classifier, decoder, heatmaps=heatmaps)
            after = [seconds - _SETTLE for seconds in waited[2:]]
            least = [one + other for one, other in zip(floor[2:], forced[2:], strict=True)]
            print(
                f"last byte to durable finding {name}: settling {_SETTLE:g} s + "
                f"{1e3 * statistics.median(after):.1f} ms; over the floor {material.ratio(after, floor[2:])}; "
                f"over the floor and the forced writes alone ({1e3 * statistics.median(forced[2:]):.1f} ms) "
                f"{material.ratio(after, least)}"
            )


def _throughput(
    files: Sequence[bytes], place: Path, classifier: Classifier, decoder: IsolatedDecoder, rounds: int
) -> None:
    folder = place / "folder"
    folder.mkdir()
    paths = [folder / f"{number:06}.jpeg" for number in range(len(files))]
    for path, data in zip(paths, files, strict=True):
        path.write_bytes(data)

    def watched(results: str, *, heatmaps: bool) -> float:
        return watch_seconds(folder, place / results, classifier, decoder, heatmaps=heatmaps)

    ways: dict[str, Callable[[str], float]] = {
        "bare": lambda _: bare_seconds(paths, classifier),
        "watch": lambda name: watched(f"a{name}", heatmaps=False),
        "watch with heat maps": lambda name: watched(f"b{name}", heatmaps=True),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    bare_seconds(paths[:20], classifier)
    for number in range(rounds):
        for way, measure in ways.items():
            seconds[way].append(measure(str(number)))
    for way, found in seconds.items():
        print(
            f"{way}: {1e3 * statistics.median(found):.2f} ms a file; "
            f"throughput over the floor's {material.ratio(seconds['bare'], found)}"
        )


if __name__ == "__main__":
    main()
