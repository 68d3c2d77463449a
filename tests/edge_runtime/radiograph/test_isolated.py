import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_runtime.config.settings import Limits
from edge_runtime.errors import ImageError
from edge_runtime.gate import Gate, Screened, before
from edge_runtime.model import bundle, installed
from edge_runtime.radiograph import careful
from edge_runtime.radiograph.decode import TOO_LARGE, Abandoned
from edge_runtime.radiograph.isolated import IsolatedDecoder, isolated
from edge_runtime.radiograph.process import worker_command
from edge_runtime.radiograph.reduce import Sides
from tests.fuzz import forms

SAMPLES = Path(__file__).parents[3] / "samples"

# Breaks OpenCV in the worker for pictures of one size, as a fault of its own would.
_BREAK = """
import cv2, os, signal, time
really = cv2.imdecode
def imdecode(data, flags):
    picture = really(data, flags)
    if picture is not None and picture.shape == (40, 41): os.kill(os.getpid(), signal.SIGSEGV)
    if picture is not None and picture.shape == (40, 42): time.sleep(600)
    if picture is not None and picture.shape == (40, 43): bytearray(400 << 20)
    if picture is not None and picture.shape == (40, 44): raise ZeroDivisionError("surprise")
    if picture is not None and picture.shape == (40, 45): os.write(1, b"rubbish")
    return picture
cv2.imdecode = imdecode
"""


def breakable(file: int) -> Sequence[str]:
    *start, code = worker_command(file)
    paths, _, rest = code.partition("; from edge")
    return [*start, f"{paths}\n{_BREAK}\nfrom edge{rest}"]


def wide(width: int, suffix: str = ".png") -> bytes:
    return forms.encoded(suffix, np.full((40, width), 99, np.uint8))


@pytest.fixture(scope="module")
def decoder() -> Iterator[IsolatedDecoder]:
    decoder = IsolatedDecoder(command=breakable, seconds=20.0)
    yield decoder
    decoder.close()


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("name", forms.READABLE)
def test_it_decodes_as_this_process_does(decoder: IsolatedDecoder, name: str) -> None:
    data = forms.READABLE[name]

    np.testing.assert_array_equal(decoder.decode(data), careful.decode(data))
    np.testing.assert_array_equal(decoder.decode(data, least=Sides(20, 30)), careful.decode(data, least=Sides(20, 30)))


@pytest.mark.parametrize("name", forms.REFUSED)
def test_it_refuses_as_this_process_does(decoder: IsolatedDecoder, name: str) -> None:
    data = forms.REFUSED[name]

    def said(decode: object) -> str:
        assert callable(decode)
        try:
            return str(decode(data).shape)
        except ImageError as error:
            return str(error)

    assert said(decoder.decode) == said(careful.decode)


@pytest.fixture(scope="module")
def gate() -> Gate:
    return bundle.read(installed.find(Path("compact"))).gate


def samples() -> list[bytes]:
    files = [path.read_bytes() for path in sorted(SAMPLES.glob("*.png"))[:2]]
    negative = 255 - careful.decode(files[0])
    return [*files, forms.encoded(".png", np.asarray(negative, np.uint8)), forms.JPEG, wide(50)]


def same(found: Screened, expected: Screened) -> None:
    np.testing.assert_array_equal(found.grey, expected.grey)
    assert (found.notes, found.reason) == (expected.notes, expected.reason)
    assert found.distance == pytest.approx(expected.distance, rel=1e-6)


def test_it_screens_as_this_process_does(decoder: IsolatedDecoder, gate: Gate) -> None:
    for data in samples():
        grey = decoder.decode(data)
        screening = decoder.screen(grey, gate)
        found, milliseconds = screening.result()

        same(found, before(grey, gate))
        assert milliseconds > 0.0
        assert screening.is_ready()
        assert screening.result() == (found, milliseconds)


def test_what_was_not_asked_for_yet_does_not_get_into_the_next_file(decoder: IsolatedDecoder, gate: Gate) -> None:
    first, second = samples()[:2]

    grey = decoder.decode(first)
    process, screening = decoder.process, decoder.screen(grey, gate)
    other = decoder.decode(second)

    assert decoder.process == process
    np.testing.assert_array_equal(other, careful.decode(second))
    same(screening.result()[0], before(grey, gate))
    same(decoder.screen(other, gate).result()[0], before(other, gate))


def test_a_worker_that_dies_while_it_screens_costs_nothing(decoder: IsolatedDecoder, gate: Gate) -> None:
    grey = decoder.decode(samples()[0])
    assert decoder.process is not None
    os.kill(decoder.process, signal.SIGSTOP)  # so that it is sure to be in the middle of it
    screening = decoder.screen(grey, gate)
    assert not screening.is_ready()
    os.kill(decoder.process, signal.SIGKILL)

    same(screening.result()[0], before(grey, gate))
    assert decoder.decode(wide(50)).shape == (40, 50)


def test_a_picture_that_the_worker_has_not_is_screened_here(decoder: IsolatedDecoder, gate: Gate) -> None:
    grey = decoder.decode(samples()[0])
    decoder.decode(wide(50))

    same(decoder.screen(grey, gate).result()[0], before(grey, gate))


def test_large_and_small_files_take_turns(decoder: IsolatedDecoder) -> None:
    large = np.random.default_rng(0).integers(0, 256, (3000, 2500), dtype=np.uint8)

    for _ in range(2):
        np.testing.assert_array_equal(decoder.decode(forms.encoded(".png", large)), large)
        assert decoder.decode(wide(50)).shape == (40, 50)


def test_one_worker_decodes_many_files(decoder: IsolatedDecoder) -> None:
    decoder.decode(wide(50))
    process = decoder.process

    for width in range(50, 60):
        assert decoder.decode(wide(width)).shape == (40, width)

    assert decoder.process == process


def test_a_decoder_that_crashes_takes_a_worker_and_no_more(decoder: IsolatedDecoder) -> None:
    decoder.decode(wide(50))
    process = decoder.process

    with pytest.raises(ImageError, match=r"^the decoder crashed on it \(SIGSEGV\)$"):
        decoder.decode(wide(41))

    assert decoder.decode(wide(50)).shape == (40, 50)
    assert decoder.process != process


def test_a_decoder_that_hangs_is_killed() -> None:
    decoder = IsolatedDecoder(command=breakable, seconds=3.0)
    decoder.decode(wide(50))
    process, beats = decoder.process, []
    decoder._alive = lambda: beats.append(1)
    assert process is not None

    with pytest.raises(ImageError, match=r"^decoding it takes longer than 3 s$"):
        decoder.decode(wide(42))

    assert beats
    assert not is_alive(process)
    assert decoder.decode(wide(50)).shape == (40, 50)
    decoder.close()


def test_a_decoder_gets_no_more_memory_than_the_picture_needs(decoder: IsolatedDecoder) -> None:
    with pytest.raises(ImageError, match=f"^{TOO_LARGE}$"):
        decoder.decode(wide(43))

    assert decoder.decode(wide(50)).shape == (40, 50)


def test_what_screening_a_large_picture_took_is_not_taken_from_the_next_one(gate: Gate) -> None:
    sample = careful.decode(samples()[0])
    large, small = (forms.encoded(".png", cv2.resize(sample, (side, side))) for side in (1500, 300))

    with isolated(Limits(), stop=threading.Event()) as decoder:
        for data in (small, large, small):
            decoder.screen(decoder.decode(data), gate).result()
        decoder.decode(small)  # its limit is in force until the next request
        worker = Path(f"/proc/{decoder.process}")
        most = next(line for line in (worker / "limits").read_text().splitlines() if "data size" in line).split()[3]
        held = next(line for line in (worker / "status").read_text().splitlines() if "VmData" in line).split()[1]

    assert int(most) - int(held) * 1024 > 16 << 20


def test_what_this_machine_has_no_memory_for_never_reaches_the_worker() -> None:
    decoder = IsolatedDecoder(memory=1000)

    with pytest.raises(ImageError, match=f"^{TOO_LARGE}$"):
        decoder.decode(wide(50))

    assert decoder.process is None
    decoder.close()


def test_a_fault_in_the_worker_has_a_name(decoder: IsolatedDecoder) -> None:
    with pytest.raises(ImageError, match=r"^the decoder failed on it \(ZeroDivisionError: surprise\)$"):
        decoder.decode(wide(44))


def test_a_worker_that_talks_rubbish_is_not_believed(decoder: IsolatedDecoder) -> None:
    with pytest.raises(ImageError, match=r"^the decoder crashed on it"):
        decoder.decode(wide(45))

    assert decoder.decode(wide(50)).shape == (40, 50)


def test_a_worker_that_is_killed_between_two_files_costs_none(decoder: IsolatedDecoder) -> None:
    decoder.decode(wide(50))
    assert decoder.process is not None
    os.kill(decoder.process, signal.SIGKILL)

    assert decoder.decode(wide(50)).shape == (40, 50)


def test_a_worker_that_is_killed_while_it_decodes_costs_none() -> None:
    decoder = IsolatedDecoder()
    decoder.decode(wide(50))
    noise = forms.encoded(".png", np.random.default_rng(0).integers(0, 256, (3000, 3000), dtype=np.uint8))
    first = decoder.process
    assert first is not None

    os.kill(first, signal.SIGSTOP)  # so that it is sure to be in the middle of it
    killer = threading.Timer(0.2, os.kill, (first, signal.SIGKILL))
    killer.start()
    shape = decoder.decode(noise).shape
    killer.join()

    assert shape == (3000, 3000)
    assert decoder.process != first
    decoder.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_what_ends_or_reloads_the_service_does_not_reach_the_worker(
    decoder: IsolatedDecoder, number: signal.Signals
) -> None:
    decoder.decode(wide(50))
    process = decoder.process
    assert process is not None

    os.kill(process, number)

    assert decoder.decode(wide(50)).shape == (40, 50)
    assert decoder.process == process


def test_it_can_be_told_to_stop_in_the_middle() -> None:
    stop = threading.Event()
    decoder = IsolatedDecoder(command=breakable, seconds=600.0, stop=stop)
    decoder.decode(wide(50))
    threading.Timer(0.3, stop.set).start()

    with pytest.raises(Abandoned):
        decoder.decode(wide(42))

    assert decoder.process is None
    decoder.close()


@pytest.mark.parametrize(
    "command",
    [
        lambda _: ["/no/such/program"],
        lambda _: [sys.executable, "-c", "raise SystemExit(3)"],
        lambda _: [sys.executable, "-c", "print('hello')"],
    ],
    ids=["missing", "ends", "another"],
)
def test_where_no_worker_starts_this_process_decodes_and_says_so_once(command: object) -> None:
    notes: list[str] = []
    decoder = IsolatedDecoder(command=command, note=notes.append)  # type: ignore[arg-type]

    for name in ("baseline.jpg", "grey.png"):
        np.testing.assert_array_equal(decoder.decode(forms.READABLE[name]), careful.decode(forms.READABLE[name]))

    assert len(notes) == 1
    assert notes[0].startswith("no process of its own can decode (")
    decoder.close()


def test_nothing_is_left_behind() -> None:
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with isolated(Limits(), stop=threading.Event()) as decoder:
        decoder.decode(wide(50))
        process = decoder.process
    assert process is not None

    assert not is_alive(process)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_the_settings_limits_hold() -> None:
    with (
        isolated(Limits(megapixels=1), stop=threading.Event()) as decoder,
        pytest.raises(ImageError, match=r"^too large: 1001 x 1000 pixels, at most 1 megapixels are decoded$"),
    ):
        decoder.decode(forms.encoded(".png", np.zeros((1000, 1001), np.uint8)))


def test_other_limits_hold_from_the_next_file_on() -> None:
    small = forms.encoded(".png", np.zeros((1000, 1001), np.uint8))
    with isolated(Limits(), stop=threading.Event()) as decoder:
        assert decoder.decode(small).shape == (1000, 1001)
        decoder.limit(Limits(megapixels=1))
        with pytest.raises(ImageError, match="too large"):
            decoder.decode(small)


def test_a_worker_outlives_no_parent(tmp_path: Path) -> None:
    written = tmp_path / "process"
    script = f"""
import os, pathlib
from edge_runtime.radiograph.isolated import IsolatedDecoder
from tests.fuzz import forms
decoder = IsolatedDecoder()
decoder.decode(forms.JPEG)
pathlib.Path({os.fspath(written)!r}).write_text(str(decoder.process))
os.kill(os.getpid(), 9)
"""
    child = os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", script])

    assert child == -signal.SIGKILL
    worker = int(written.read_text())
    until = time.monotonic() + 10.0
    while is_alive(worker) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_alive(worker)


def test_a_damaged_jpeg_is_told_apart_from_the_next_whole_one(decoder: IsolatedDecoder) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320), dtype=np.uint8)
    whole = forms.encoded(".jpg", noise, cv2.IMWRITE_JPEG_QUALITY, 80)
    middle = len(whole) // 2

    with pytest.raises(ImageError, match=r"^damaged: a part of its pixels cannot be read$"):
        decoder.decode(whole[:middle] + whole[middle + 500 :])

    assert decoder.decode(whole).shape == (240, 320)
