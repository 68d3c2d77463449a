from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from edge_runtime.cli import main
from edge_runtime.errors import BundleError, EngineError
from edge_runtime.model import bundle, store
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.classifier import verify_golden
from edge_runtime.model.engines.edgetpu import EdgeTpuEngine, library_name
from edge_runtime.model.engines.edgetpu_devices import LIBRARY_VARIABLE
from tests.edge_runtime.model.edgetpu.coral import Behaviour, Coral


@pytest.fixture
def engine(device: Coral, compiled: Bundle, library: Path) -> Iterator[EdgeTpuEngine]:
    assert device.behaviour == "works"
    opened = EdgeTpuEngine(compiled, "usb:0", library=str(library), invoke_seconds=1.0)
    yield opened
    opened.close()


def test_a_working_device_gives_the_golden_vectors(engine: EdgeTpuEngine, compiled: Bundle) -> None:
    report = verify_golden(engine, compiled.golden)

    assert report.identical == report.n
    assert engine.name.startswith("Edge TPU usb:0, ")
    assert engine.tolerance == 4


def test_wrong_numbers_are_seen(engine: EdgeTpuEngine, device: Coral, compiled: Bundle) -> None:
    device.behaviour = "lies"

    assert verify_golden(engine, compiled.golden).largest_difference > engine.tolerance


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("fails", r"the Edge TPU usb:0 failed \(Failed precondition: the chip was told to fail"),
        ("crashes", r"the library of the Edge TPU usb:0 crashed \(SIGABRT: F driver/usb/usb_driver"),
        ("hangs", "the Edge TPU usb:0 did not answer within 1 s"),
    ],
)
def test_one_that_does_not_answer_is_done_with(
    behaviour: Behaviour, words: str, engine: EdgeTpuEngine, device: Coral, compiled: Bundle, library: Path
) -> None:
    device.behaviour = behaviour

    with pytest.raises(EngineError, match=words):
        engine.invoke(compiled.golden.pixels[:1])

    with pytest.raises(EngineError, match="it was given up"):
        engine.invoke(compiled.golden.pixels[:1])
    device.behaviour = "works"
    again = EdgeTpuEngine(compiled, "usb:0", library=str(library))  # nobody has it open any more
    again.close()


def test_one_that_is_open_does_not_open_again_until_it_is_given_up(
    engine: EdgeTpuEngine, compiled: Bundle, library: Path
) -> None:
    with pytest.raises(EngineError, match="usb:0 does not open: another program may be using it"):
        EdgeTpuEngine(compiled, "usb:0", library=str(library))

    engine.close()

    again = EdgeTpuEngine(compiled, "usb:0", library=str(library))
    assert np.array_equal(again.invoke(compiled.golden.pixels[:1]).scores, compiled.golden.scores[0])
    again.close()


def test_one_that_hangs_while_it_is_opened_is_not_waited_for(device: Coral, compiled: Bundle, library: Path) -> None:
    device.behaviour = "hangs when opened"

    with pytest.raises(EngineError, match="did not answer within 2 s"):
        EdgeTpuEngine(compiled, "usb:0", library=str(library), open_seconds=2.0)


def test_a_missing_library_is_named(compiled: Bundle) -> None:
    with pytest.raises(EngineError, match=r"library /none/libedgetpu.so.1 does not load .*cannot open shared object"):
        EdgeTpuEngine(compiled, "", library="/none/libedgetpu.so.1")


def test_a_library_of_something_else_is_named(compiled: Bundle) -> None:
    with pytest.raises(EngineError, match=r"libm.so.6 is no library for TFLite .*tflite_plugin_create_delegate"):
        EdgeTpuEngine(compiled, "", library="libm.so.6")


def test_a_bundle_without_a_compiled_model_is_named(default_bundle: Path) -> None:
    with pytest.raises(BundleError, match="compact was not compiled for an Edge TPU"):
        EdgeTpuEngine(bundle.read(default_bundle), "", library="libedgetpu.so.1")


def test_the_library_can_be_named() -> None:
    assert library_name({}) == "libedgetpu.so.1"
    assert library_name({LIBRARY_VARIABLE: "/opt/libedgetpu.so.1"}) == "/opt/libedgetpu.so.1"


# The commands


def test_verify_says_what_answers(plugged_in: Coral, compiled_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = main(["verify", "--bundle", str(compiled_file)])

    assert status == 0
    assert plugged_in.answered > 6
    assert "engine      Edge TPU usb:0, " in capsys.readouterr().out


@pytest.mark.parametrize(("choice", "expected"), [("auto", 0), ("edgetpu", 1)])
def test_verify_fails_where_one_was_asked_for_that_lies(
    choice: str, expected: int, plugged_in: Coral, compiled_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plugged_in.behaviour = "lies"

    status = main(["verify", "--bundle", str(compiled_file), "--accelerator", choice])

    said = capsys.readouterr()
    assert status == expected
    assert "warning: Edge TPU usb:0, " in said.err
    assert "does not compute what the model's converter computed" in said.err
    assert "engine      Edge TPU" not in said.out


def test_a_model_is_installed_without_it(
    plugged_in: Coral, compiled_file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A watcher may have it open, which takes the model over by itself."""
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "models"))

    assert main(["model", "install", str(compiled_file)]) == 0

    assert plugged_in.opened == 0


def test_bench_times_it_and_saves_it_beside_the_best_of_the_cpu(
    plugged_in: Coral, compiled_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "config.toml"
    config.touch()

    status = main(["bench", "--bundle", str(compiled_file), "--seconds", "1", "--save", "--config", str(config)])

    out, errors = capsys.readouterr()
    assert (status, errors) == (0, "")
    assert plugged_in.opened == 1
    (row,) = [line for line in out.splitlines() if line.startswith("Edge TPU usb:0")]
    assert row.endswith("identical")
    assert 'accelerator = "' in config.read_text()
