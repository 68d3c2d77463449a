"""Behaviours of a device and its library, each through a watcher to the state it must end in.

``python -m tests.edge_runtime.model.edgetpu.behaviours`` runs more of them.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.edge_runtime.model.edgetpu import behaviours, watching
from tests.edge_runtime.model.edgetpu.behaviours import CASES, Outcome

CHOSEN = {
    "the library is missing",
    "the model is not compiled",
    "lies from the start",
    "fails in mid-run",
    "is pulled out",
}


@pytest.fixture(scope="module")
def played(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, "Future[Outcome]"]]:
    """All of them at once: a watcher writes down every five seconds how it stands, which each of them waits for."""
    assert library.exists()  # else this is skipped
    material = watching.make_material(tmp_path_factory.mktemp("material"))
    with ThreadPoolExecutor(len(CHOSEN)) as pool:
        yield {case.name: pool.submit(behaviours.play, case, material) for case in CASES if case.name in CHOSEN}


@pytest.mark.parametrize("name", sorted(CHOSEN))
def test_it_ends_as_it_must(name: str, played: Mapping[str, "Future[Outcome]"]) -> None:
    outcome = played[name].result()

    assert outcome.state == "degraded"
    assert (outcome.status, outcome.exit) == (0, 0)
