import os
from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.model import bundle
from edge_runtime.model.engines import DEFAULT_ENGINE, ENGINES, default_threads, open_engine


def test_default_threads_are_the_cpus_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert default_threads() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert default_threads() == min(len(allowed), 4)


def test_threads_are_what_was_asked_for(tiny_bundle: Path) -> None:
    opened = bundle.read(tiny_bundle)

    assert open_engine(opened, 3).name.endswith(", 3 threads")
    assert open_engine(opened, 1).name.endswith(", 1 thread")
    assert f", {default_threads()} thread" in open_engine(opened).name


def test_no_thread_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        open_engine(bundle.read(tiny_bundle), 0)


def test_litert_is_opened_unless_another_is_named(tiny_bundle: Path) -> None:
    assert open_engine(bundle.read(tiny_bundle), 1).name.startswith("ai-edge-litert ")
    assert ENGINES[0] == DEFAULT_ENGINE == "litert"
