import os
import sys
from pathlib import Path

import pytest

from benchmarks.driver import PeerError, Worker

PYTHON = Path(sys.executable)
CPUS = sorted(os.sched_getaffinity(0))[:1]


def test_a_worker_is_a_process_that_times_a_peer(tiny_bundle: Path) -> None:
    with Worker("litert", tiny_bundle, 1, CPUS, PYTHON) as worker:
        times = worker.time(4)

    assert worker.name.startswith("ai-edge-litert ")
    assert len(times) == 4
    assert len(worker.logits) == 3


def test_what_cannot_be_opened_says_why(tiny_bundle: Path) -> None:
    with pytest.raises(PeerError, match="there is no float model"):
        Worker("litert-float32", tiny_bundle, 1, CPUS, PYTHON)


def test_a_python_without_the_runtime_is_told_by_its_last_words(tiny_bundle: Path, tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho 'no such module' >&2\nexit 3\n")
    python.chmod(0o755)

    with pytest.raises(PeerError, match="its process ended with status 3: no such module"):
        Worker("litert", tiny_bundle, 1, CPUS, python)
