"""A decoder that crashes or hangs, in a watcher: it costs the file and nothing else."""

from pathlib import Path

import pytest

from edge_runtime.finding import Finding
from edge_runtime.model import bundle, installed
from edge_runtime.model.classifier import Classifier
from edge_runtime.model.engines import open_engine
from edge_runtime.radiograph.isolated import IsolatedDecoder
from edge_runtime.watch.answering import watch
from tests.edge_runtime.radiograph.test_isolated import breakable, wide

SAMPLES = sorted((Path(__file__).parents[3] / "samples").glob("*.png"))[:3]


class Heard:
    """A sink that keeps what it is told."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []

    def accept(self, finding: Finding) -> None:
        self.findings.append(finding)


@pytest.fixture(scope="module")
def compact() -> Classifier:
    opened = bundle.read(installed.find(Path("compact")))
    return Classifier(opened, open_engine(opened, 1))


def test_a_crash_and_a_hang_cost_one_file_each(tmp_path: Path, compact: Classifier) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number, sample in enumerate(SAMPLES):
        (folder / f"{number}.png").write_bytes(sample.read_bytes())
    (folder / "crashes.png").write_bytes(wide(41))
    (folder / "hangs.png").write_bytes(wide(42))
    (folder / "fails.png").write_bytes(wide(44))
    heard = Heard()
    decoder = IsolatedDecoder(command=breakable, seconds=3.0)

    watch(
        folder,
        tmp_path / "out",
        compact,
        once=True,
        heatmaps=False,
        settle=0.0,
        sinks=[heard],
        decoder=decoder.decode,
        screen=decoder.screen,
    )
    decoder.close()

    found = {finding.source: (finding.status, finding.reason) for finding in heard.findings}
    assert len(heard.findings) == len(found) == 6
    assert found == dict.fromkeys(["0.png", "1.png", "2.png"], ("classified", None)) | {
        "crashes.png": ("rejected", "the decoder crashed on it (SIGSEGV)"),
        "hangs.png": ("rejected", "decoding it takes longer than 3 s"),
        "fails.png": ("rejected", "the decoder failed on it (ZeroDivisionError: surprise)"),
    }
