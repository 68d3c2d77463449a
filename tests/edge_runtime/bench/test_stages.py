from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.bench.stages import full_size, stages, timed
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.finding import from_json
from edge_runtime.model import bundle
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.engines import open_engine
from edge_runtime.sinks.files import ResultsFolder


@pytest.fixture(scope="module")
def opened(tiny_bundle: Path) -> Bundle:
    return bundle.read(tiny_bundle)


def test_radiograph_is_full_size_and_the_same_each_time(opened: Bundle) -> None:
    data = full_size(opened)

    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert picture.shape == (989, 1328)
    assert full_size(opened) == data


def test_each_stage_does_its_work(opened: Bundle, tmp_path: Path) -> None:
    engines = {"infer": open_engine(opened, 1), "infer, threads": open_engine(opened, 2)}
    with ResultsFolder(tmp_path, heatmaps=False) as results:
        found = stages(full_size(opened), opened, engines, results, SYSTEM_CLOCK)
        outcomes = {name: turn() for name, turn in found.items()}
        found["write"]()

    grey, pixels, picture = outcomes["decode"], outcomes["prepare"], outcomes["heat map"]
    assert list(found) == ["decode", "prepare", "screen", "infer", "infer, threads", "heat map", "write"]
    assert isinstance(grey, np.ndarray)
    assert grey.shape == (989, 1328)
    assert isinstance(pixels, np.ndarray)
    assert pixels.shape == (1, 224, 224, 1)
    assert isinstance(picture, bytes)
    assert picture.startswith(b"\x89PNG")
    assert len([from_json(path.read_bytes()) for path in tmp_path.glob("*.json")]) == 2


def test_median_and_quartiles_are_of_the_rounds_after_the_first() -> None:
    time = [0.0]
    milliseconds = count(0)  # of each call 0, 1, 2, ...

    def turn() -> None:
        time[0] += next(milliseconds) / 1000

    found = timed({"stage": turn}, Clock(now=SYSTEM_CLOCK.now, seconds=lambda: time[0]), 0)

    assert (found["stage"].low, found["stage"].median, found["stage"].high) == (2.0, 3.0, 4.0)


def test_stages_take_turns_and_end_after_their_time() -> None:
    time, order = [0.0], []

    def turn(name: str) -> None:
        order.append(name)
        time[0] += 0.1

    turns = {name: (lambda name=name: turn(name)) for name in ("a", "b")}
    timed(turns, Clock(now=SYSTEM_CLOCK.now, seconds=lambda: time[0]), 3.0)

    assert order[:4] == ["a", "b", "a", "b"]
    assert 28 <= len(order) <= 34
