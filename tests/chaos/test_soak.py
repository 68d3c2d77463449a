"""A short run of ``python -m tests.chaos.soak``, and that it sees what grows."""

import os
import time
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from tests.chaos import soak
from tests.chaos.process import Usage, usage


def test_a_short_soak_measures_each_thing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    soak.main(["--images", "200", "--samples", "20", "--place", str(tmp_path)])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("200 images through one watcher")
    assert [line[:24].strip() for line in lines[2:-1]] == [
        "resident memory",
        "processor time an image",
        "latency",
        "bytes written an image",
        "open files",
        "threads",
    ]
    assert not any(tmp_path.iterdir())


STEADY = Usage(resident=80_000_000, descriptors=13, threads=8, processes=1, processor=0.0, written=0)


def samples(megabytes: float = 0.0, slower: float = 0.0, descriptors: int = 0) -> list[soak.Sample]:
    """A run of 100,000 that grows by so much, with the noise of a busy machine."""
    random = Random(1)
    return [
        soak.Sample(
            images=1000 * n,
            usage=replace(
                STEADY,
                resident=int(STEADY.resident + 1e6 * (megabytes * n / 100 + random.gauss(0, 0.5))),
                descriptors=STEADY.descriptors + descriptors * n // 100,
            ),
            seconds=0.005,
            processor=0.004 * (1 + slower * n / 100) * random.uniform(0.95, 1.05),
            latency=5.0 * random.uniform(0.95, 1.05),
            written=30_000.0,
        )
        for n in range(1, 101)
    ]


def verdicts(taken: list[soak.Sample]) -> dict[str, str]:
    return {name: found.verdict for name, (found, _) in soak.judge(taken).items()}


def test_a_flat_run_is_flat() -> None:
    assert set(verdicts(samples()).values()) == {"flat"}


def test_what_grows_is_found() -> None:
    assert verdicts(samples(megabytes=15.0))["resident memory"] == "grows"
    assert verdicts(samples(slower=0.3))["processor time an image"] == "grows"
    assert verdicts(samples(descriptors=10))["open files"] == "grows"


def test_too_few_samples_show_nothing() -> None:
    assert verdicts(samples()[:7])["latency"] == "not shown"


def test_the_use_of_a_process_is_read() -> None:
    before = usage(os.getpid())
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
    with Path(os.devnull).open("rb"), Path(os.devnull).open("rb"):
        after = usage(os.getpid())

    assert after.descriptors == before.descriptors + 2
    assert after.processor - before.processor > 0.02  # counted in ticks of 0.01
    assert after.resident > 10_000_000
