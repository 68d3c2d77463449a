"""What each stage of an answer takes on this machine."""

import itertools
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from edge_runtime.answer import answer
from edge_runtime.clock import SYSTEM_CLOCK
from edge_runtime.finding import Finding
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import default_threads, open_engine
from edge_runtime.radiograph.decode import decode
from edge_runtime.radiograph.prepare import prepare
from edge_runtime.sinks.files import ResultsFolder


@pytest.mark.benchmark(group="1 decode")
def test_decode(benchmark: BenchmarkFixture, radiograph: bytes) -> None:
    benchmark(decode, radiograph)


@pytest.mark.benchmark(group="2 prepare")
def test_prepare(benchmark: BenchmarkFixture, radiograph: bytes) -> None:
    benchmark(prepare, decode(radiograph))


@pytest.mark.benchmark(group="3 infer")
@pytest.mark.parametrize("threads", [1, "all"])
def test_infer(benchmark: BenchmarkFixture, opened_bundle: Bundle, threads: int | str) -> None:
    engine = open_engine(opened_bundle, default_threads() if threads == "all" else int(threads))
    benchmark.extra_info["engine"] = engine.name
    benchmark(engine.invoke, opened_bundle.golden.pixels[:1])


@pytest.mark.benchmark(group="4 file to finding")
@pytest.mark.parametrize("heatmaps", [False, True], ids=["finding", "finding-and-heat-map"])
def test_file_to_finding(
    benchmark: BenchmarkFixture, opened_bundle: Bundle, radiograph: bytes, tmp_path: Path, heatmaps: bool
) -> None:
    classifier = Classifier(opened_bundle, open_engine(opened_bundle))
    path = tmp_path / "radiograph"
    path.write_bytes(radiograph)
    numbers = itertools.count()

    with ResultsFolder(tmp_path / "results", heatmaps=heatmaps) as results:

        def file_to_finding() -> Finding:
            answered = answer(path.name, path.read_bytes(), classifier, clock=SYSTEM_CLOCK, received=SYSTEM_CLOCK.now())
            return results.write(b"%d" % next(numbers), answered)[1]

        finding = benchmark(file_to_finding)

    assert finding.status == "classified"


@pytest.mark.benchmark(group="5 program start to first finding")
def test_start(benchmark: BenchmarkFixture, default_bundle: Path, radiograph: bytes, tmp_path: Path) -> None:
    path = tmp_path / "radiograph"
    path.write_bytes(radiograph)
    command = [sys.executable, "-m", "edge_runtime", "classify", "--json", "--bundle", str(default_bundle), str(path)]

    def start() -> int:
        return subprocess.run(command, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1]).returncode

    assert benchmark.pedantic(start, rounds=5, warmup_rounds=1) == 0  # type: ignore[no-untyped-call]
