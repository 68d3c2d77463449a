"""Inside the emulated board: each stage between two marks for ``count.c``, and its processor time.

    python -m benchmarks.devices.guest MODEL [MODEL ...]

Prints one JSON line a stage, in the order of the marks: model, stage, milliseconds.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2

from edge_runtime.bench.stages import full_size, stages
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.model import bundle, installed
from edge_runtime.model.engines import open_engine
from edge_runtime.sinks.files import ResultsFolder

MARK = 0x65707721


def main(models: list[str]) -> None:
    cv2.setNumThreads(1)
    number = 0
    picture = full_size(bundle.read(installed.path("compact")))
    for model in models:
        opened = bundle.read(installed.path(model))
        with TemporaryDirectory() as folder, ResultsFolder(Path(folder), heatmaps=False) as results:
            engines = {"infer": open_engine(opened, 1)}
            for stage, turn in stages(picture, opened, engines, results, SYSTEM_CLOCK).items():
                number += 1
                print(json.dumps([model, stage, count(turn, number)]), flush=True)


def count(turn: Callable[[], object], number: int) -> float:
    """Let it be executed once to warm up, and once counted; milliseconds of the thread's processor time."""
    turn()
    mark(0)
    started = time.thread_time()
    turn()
    milliseconds = (time.thread_time() - started) * 1e3
    mark(number)
    return milliseconds


def mark(number: int) -> None:
    with contextlib.suppress(OSError):  # the kernel knows of no such process group
        os.getpriority(MARK, number)


if __name__ == "__main__":
    main(sys.argv[1:])
