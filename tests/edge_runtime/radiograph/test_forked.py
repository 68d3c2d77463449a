"""The worker that is a copy, each in a fresh interpreter: the suite's own has threads, and cannot be copied."""

import hashlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from edge_runtime.radiograph import careful
from edge_runtime.radiograph.forked import forked_worker
from tests.fuzz import forms

ROOT = Path(__file__).parents[3]
SAMPLE = next((ROOT / "samples").glob("*.png"))

_BEGIN = f"""
import json, os, signal, sys, threading, time
from pathlib import Path
from edge_runtime.radiograph.forked import forked_worker
from edge_runtime.radiograph.isolated import IsolatedDecoder

data = Path({str(SAMPLE)!r}).read_bytes()
secret = os.open(os.devnull, os.O_RDONLY)
def is_alive(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
"""


def run(script: str, **options: object) -> dict[str, object]:
    """What a script prints as JSON."""
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    said = subprocess.run(
        [sys.executable, "-c", _BEGIN + script],
        check=True,
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        **options,  # type: ignore[call-overload]
    )
    assert said.stderr == ""
    return dict(json.loads(said.stdout))


def test_the_copy_decodes_and_screens_as_this_process_does() -> None:
    said = run("""
from edge_runtime.gate import before
from edge_runtime.model import bundle, installed
gate = bundle.read(installed.find(Path("compact"))).gate
with forked_worker() as worker:
    decoder = IsolatedDecoder(first=worker)
    grey = decoder.decode(data)
    found, _ = decoder.screen(grey, gate).result()
    print(json.dumps({
        "sum": int(grey.sum()), "shape": grey.shape, "distance": found.distance, "here": before(grey, gate).distance,
        "is_first": decoder.process == worker.id, "asked": decoder.process != os.getpid(),
    }))
    decoder.close()
""")
    grey = careful.decode(SAMPLE.read_bytes())

    assert (said["sum"], said["shape"]) == (int(grey.sum()), list(grey.shape))
    assert said["distance"] == pytest.approx(said["here"], rel=1e-6)
    assert said["is_first"]
    assert said["asked"]


def test_it_has_a_name_of_its_own_and_nothing_of_the_watcher_open() -> None:
    said = run("""
with forked_worker() as worker:
    decoder = IsolatedDecoder(first=worker)
    decoder.decode(data)
    place = Path(f"/proc/{worker.id}")
    opened = sorted(os.readlink(file) for file in (place / "fd").iterdir())
    print(json.dumps({"name": (place / "comm").read_text().strip(), "opened": opened}))
    decoder.close()
""")
    opened = said["opened"]

    assert said["name"] == "pneumo-decoder"
    assert isinstance(opened, list)
    assert sorted(name.split(":")[0].split(" ")[0] for name in opened) == ["/memfd", "/memfd", "/memfd", "pipe", "pipe"]


def test_what_both_have_loaded_lies_in_memory_once() -> None:
    held = """
def private(process):
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
"""
    copied = run(f"""{held}
with forked_worker() as worker:
    decoder = IsolatedDecoder(first=worker)
    decoder.decode(data)
    print(json.dumps({{"private": private(decoder.process)}}))
    decoder.close()
""")
    started = run(f"""{held}
decoder = IsolatedDecoder()
decoder.decode(data)
print(json.dumps({{"private": private(decoder.process)}}))
decoder.close()
""")

    assert isinstance(copied["private"], int)
    assert isinstance(started["private"], int)
    assert copied["private"] < 0.8 * started["private"]


def test_one_that_dies_is_followed_by_a_program_of_its_own() -> None:
    said = run("""
with forked_worker() as worker:
    decoder = IsolatedDecoder(first=worker)
    decoder.decode(data)
    os.kill(worker.id, signal.SIGKILL)
    shape = decoder.decode(data).shape
    program = Path(f"/proc/{decoder.process}/cmdline").read_bytes().split(b"\\0")
    print(json.dumps({
        "shape": shape, "is_another": decoder.process != worker.id, "ended": worker.end(), "alive": is_alive(worker.id),
        "isolated": any(b"edge_runtime.radiograph import worker" in word for word in program),
    }))
    decoder.close()
""")

    assert said == {
        "shape": list(careful.decode(SAMPLE.read_bytes()).shape),
        "is_another": True,
        "ended": -9,
        "alive": False,
        "isolated": True,
    }


def test_it_ends_when_it_is_left_whether_or_not_it_was_used() -> None:
    said = run("""
before = sorted(os.listdir("/proc/self/fd"))
with forked_worker() as worker:
    unused = worker.id
with forked_worker() as worker:
    decoder = IsolatedDecoder(first=worker)
    decoder.decode(data)
    decoder.close()
    used = worker.id
after = sorted(os.listdir("/proc/self/fd"))
print(json.dumps({"alive": [is_alive(unused), is_alive(used)], "left": len(after) - len(before)}))
""")

    assert said == {"alive": [False, False], "left": 0}


def test_it_outlives_no_watcher() -> None:
    said = run("""
process = os.fork()
if process == 0:
    worker = forked_worker().__enter__()
    os.write(1, json.dumps({"worker": worker.id}).encode())
    os.kill(os.getpid(), signal.SIGKILL)
os.waitpid(process, 0)
""")
    worker = said["worker"]
    assert isinstance(worker, int)

    for _ in range(100):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            return
        threading.Event().wait(0.1)
    pytest.fail("it lives on")


def test_a_process_with_threads_makes_none() -> None:
    held = threading.Event()
    thread = threading.Thread(target=held.wait)
    thread.start()
    try:
        with forked_worker() as worker:
            assert worker is None
    finally:
        held.set()
        thread.join()


@pytest.mark.parametrize("stream", [0, 1, 2])
def test_a_process_without_standard_streams_makes_none(stream: int) -> None:
    said = run(f"""
kept = os.dup({stream})
os.close({stream})
with forked_worker() as worker:
    is_made = worker is not None
os.dup2(kept, {stream})
print(json.dumps({{"is_made": is_made}}))
""")

    assert said == {"is_made": False}


def test_where_no_copy_can_be_made_there_is_none() -> None:
    said = run("""
def fork():
    raise BlockingIOError(11, "Resource temporarily unavailable")
os.fork = fork
before = len(os.listdir("/proc/self/fd"))
with forked_worker() as worker:
    print(json.dumps({"is_made": worker is not None, "left": len(os.listdir("/proc/self/fd")) - before}))
""")

    assert said == {"is_made": False, "left": 0}


def test_pixels_are_the_same() -> None:
    said = run(f"""
import hashlib
with forked_worker() as worker:
    decoder = IsolatedDecoder(first=worker)
    found = {{}}
    for data in {[forms.READABLE[name] for name in ("baseline.jpg", "grey.png")]!r}:
        found[len(found)] = hashlib.sha256(decoder.decode(data).tobytes()).hexdigest()
    print(json.dumps(found))
    decoder.close()
""")
    expected = [careful.decode(forms.READABLE[name]) for name in ("baseline.jpg", "grey.png")]

    assert list(said.values()) == [hashlib.sha256(grey.tobytes()).hexdigest() for grey in expected]
