"""What decoding in a process of its own costs ``watch``: throughput, and memory.

    python -m benchmarks.isolation [--bundle NAME|FILE] [--data DIR] [--files 624] [--side 224] [--rounds 7]

The floor is the same watcher that decodes in its own process. Both take turns over the same files with the same engine
on one thread. A damaged JPEG is noticed in both. Besides, one radiograph is decoded many times by either, and the
processor time of each process is counted: on a machine that is busy with other things it is the steadier figure.
"""

import argparse
import statistics
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import material
from benchmarks.pipeline import watch_seconds
from edge_runtime.answer import least_sides
from edge_runtime.config.settings import Limits
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph import careful
from edge_runtime.radiograph.forked import forked_worker
from edge_runtime.radiograph.isolated import IsolatedDecoder, isolated

_LEFT_OUT = 4  # answers at the start, while the pipeline fills
_REPEATS = 100


def processor_seconds(process: int) -> float:
    """What the threads of a process that live have computed."""
    tasks = Path(f"/proc/{process}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def private_bytes(process: int) -> int:
    """What a process holds for itself alone."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.isolation", description="What isolation costs watch.")
    material.add_arguments(parser, files=624)
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default: %(default)s")
    args = parser.parse_args(arguments)
    with (
        forked_worker() as worker,  # before anything else, as the watcher does
        isolated(Limits(), stop=threading.Event(), first=worker) as decoder,
    ):
        decoder.start()
        classifier, files = material.classifier(args), material.radiographs(args)
        print(f"{len(files)} files, model {classifier.bundle.info.name}, {classifier.engine.name}")
        _one_file(files[0], classifier, decoder)
        with material.workplace() as place:
            for heatmaps in (False, True):
                _throughput(files, place, classifier, decoder, args.rounds, heatmaps=heatmaps)
        assert decoder.process is not None
        print(f"the worker holds {private_bytes(decoder.process) / 1e6:.1f} MB for itself")


def _one_file(data: bytes, classifier: Classifier, decoder: IsolatedDecoder) -> None:
    least = least_sides(classifier.bundle)
    decoder.decode(data, least=least)
    assert decoder.process is not None
    here, there, alone = 0.0, 0.0, 0.0
    for _ in range(_REPEATS):
        before, before_there = time.thread_time(), processor_seconds(decoder.process)
        decoder.decode(data, least=least)
        between = time.thread_time()
        there += processor_seconds(decoder.process) - before_there
        here += between - before
        between = time.thread_time()
        careful.decode(data, least=least)
        alone += time.thread_time() - between
    here, there, alone = (1e6 * seconds / _REPEATS for seconds in (here, there, alone))
    print(f"processor time to decode one: {alone:.0f} us here; isolated {here:.0f} us here and {there:.0f} us there")


def _throughput(
    files: Sequence[bytes],
    place: Path,
    classifier: Classifier,
    decoder: IsolatedDecoder,
    rounds: int,
    *,
    heatmaps: bool,
) -> None:
    kind = "with heat maps" if heatmaps else "without heat maps"
    folder = place / kind / "in"
    folder.mkdir(parents=True)
    for number, data in enumerate(files):
        (folder / f"{number:06}.jpeg").write_bytes(data)
    ways = {"here": None, "isolated": decoder}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(rounds + 1):
        for way, chosen in ways.items():
            results = place / kind / f"{way}{number}"
            taken = watch_seconds(folder, results, classifier, chosen, left_out=_LEFT_OUT, heatmaps=heatmaps)
            if number:  # the first warms both up
                seconds[way].append(taken)
    print(
        f"{kind}: {1e3 * statistics.median(seconds['here']):.2f} ms a file; "
        f"isolated takes {material.ratio(seconds['isolated'], seconds['here'])} times as long"
    )


if __name__ == "__main__":
    main()
