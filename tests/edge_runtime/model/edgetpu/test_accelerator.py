import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from edge_runtime.config.settings import AcceleratorChoice
from edge_runtime.errors import EngineError
from edge_runtime.model.accelerator import accelerate, hand_over, open_proven
from edge_runtime.model.bundle import Bundle
from edge_runtime.model.compiled import Compiled
from tests.edge_runtime.model.edgetpu.devices import BUNDLE, PIXELS, Device, Said
from tests.engines import ScriptedEngine


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def compiled_bundle() -> Bundle:
    return Bundle(
        Path("scripted.tflite"),
        BUNDLE.info,
        BUNDLE.sha256,
        b"",
        BUNDLE.vectors,
        {},
        {},
        BUNDLE.gate,
        compiled=Compiled(of_sha256="0" * 64, sha256="1" * 64),
    )


def plug_in(root: Path, bus: str, number: int) -> None:
    if bus == "pci":
        (root / "dev").mkdir(exist_ok=True)
        (root / f"dev/apex_{number}").touch()
        return
    place = root / f"sys/bus/usb/devices/1-{number}"
    place.mkdir(parents=True)
    for name, text in {"idVendor": "1a6e", "idProduct": "089a", "busnum": "1", "devnum": str(number)}.items():
        (place / name).write_text(f"{text}\n")
    node = root / f"dev/bus/usb/001/{number:03d}"
    node.parent.mkdir(parents=True, exist_ok=True)
    node.touch()


def opener(
    behaviour: dict[str, Callable[[Device], None]], opened: list[str], made: list[Device] | None = None
) -> Callable[[Bundle, str], Device]:
    def open_device(_: Bundle, name: str) -> Device:
        opened.append(name)
        if name not in behaviour:
            raise EngineError(f"the Edge TPU {name} does not open")
        device = Device()
        device.name = f"Edge TPU {name}"
        behaviour[name](device)
        if made is not None:
            made.append(device)
        return device

    return open_device


def works(_: Device) -> None:
    pass


def lies(device: Device) -> None:
    device.off = 5


def dies(device: Device) -> None:
    device.fails = True


def test_the_first_that_gives_the_golden_vectors_answers(tmp_path: Path, compiled_bundle: Bundle) -> None:
    for bus, number in (("usb", 1), ("usb", 2), ("pci", 0), ("pci", 1)):
        plug_in(tmp_path, bus, number)
    opened: list[str] = []

    found = open_proven(
        compiled_bundle,
        root=tmp_path,
        open_device=opener({"pci:1": lies, "usb:0": dies, "usb:1": works}, opened),  # type: ignore[arg-type]
    )

    assert found.name == "Edge TPU usb:1"
    assert opened == ["pci:0", "pci:1", "usb:0", "usb:1"]


def test_where_none_does_each_has_its_reason(tmp_path: Path, compiled_bundle: Bundle) -> None:
    for bus, number in (("usb", 1), ("pci", 0), ("pci", 1)):
        plug_in(tmp_path, bus, number)

    made: list[Device] = []

    with pytest.raises(EngineError) as caught:
        open_proven(
            compiled_bundle,
            root=tmp_path,
            open_device=opener({"pci:1": lies, "usb:0": dies}, [], made),  # type: ignore[arg-type]
        )

    assert [device.is_closed for device in made] == [True, True]

    reasons = str(caught.value).split("; ")
    assert reasons[0] == "the Edge TPU pci:0 does not open"
    assert reasons[1].startswith("Edge TPU pci:1 does not compute what the model's converter computed")
    assert reasons[2] == "the Edge TPU usb:0 failed"


def test_one_without_a_driver_is_not_tried(tmp_path: Path, compiled_bundle: Bundle) -> None:
    place = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    place.mkdir(parents=True)
    (place / "vendor").write_text("0x1ac1\n")
    (place / "device").write_text("0x089a\n")
    opened: list[str] = []

    with pytest.raises(EngineError, match="pci:0 has no driver here"):
        open_proven(compiled_bundle, root=tmp_path, open_device=opener({}, opened))  # type: ignore[arg-type]

    assert opened == []


def test_auto_without_a_device_is_the_cpu_without_a_word(tmp_path: Path, said: Said) -> None:
    cpu = ScriptedEngine([1, 1, 1])

    assert accelerate(cpu, BUNDLE, "auto", said, root=tmp_path) is cpu
    assert said.all == []


def test_cpu_is_the_cpu_whatever_is_there(tmp_path: Path, said: Said) -> None:
    cpu = ScriptedEngine([1, 1, 1])
    plug_in(tmp_path, "usb", 1)

    assert accelerate(cpu, BUNDLE, "cpu", said, root=tmp_path) is cpu


@pytest.mark.parametrize("choice", ["auto", "edgetpu"])
def test_a_model_that_is_not_compiled_is_said_and_not_tried_again(
    choice: AcceleratorChoice, tmp_path: Path, said: Said
) -> None:
    plug_in(tmp_path, "usb", 1)
    before = threading.active_count()
    engine = accelerate(ScriptedEngine([1, 1, 1]), BUNDLE, choice, said, root=tmp_path)

    hand_over(None, engine)

    assert engine.invoke(PIXELS).scores[0] == 1
    assert len(said.all) == 1
    assert "the model scripted was not compiled for an Edge TPU" in said.all[0]
    assert threading.active_count() == before
