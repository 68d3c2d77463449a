from pathlib import Path

import pytest

from benchmarks import network
from edge_runtime.model import bundle
from edge_runtime.model.engines.litert import find_library
from edge_runtime.model.engines.tensors import Port, multiply_adds, read_ports


@pytest.fixture(params=["tiny_bundle", "default_bundle"])
def model(request: pytest.FixtureRequest) -> bytes:
    path: Path = request.getfixturevalue(request.param)
    return bundle.read(path).tflite


def test_ports_are_those_that_litert_sees(model: bytes) -> None:
    interpreter = find_library().interpreter(model_content=model)

    inputs, outputs = read_ports(model)

    for found, details in ((inputs, interpreter.get_input_details()), (outputs, interpreter.get_output_details())):
        assert found == [
            Port(
                detail["dtype"].__name__,
                tuple(int(n) for n in detail["shape"]),
                float(detail["quantization"][0]),
                detail["quantization"][1],
            )
            for detail in details
        ]


@pytest.mark.parametrize("data", [b"", b"TFL3", b"\x1c\0\0\0TFL3" + bytes(200), b"\xff" * 64])
def test_what_is_no_model_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a \.tflite model"):
        read_ports(data)


def test_multiply_adds_are_those_of_the_layers(tiny_bundle: Path) -> None:
    # A 3x3 convolution to 4 channels on all pixels, and a 1x1 convolution from 4 to 3 on 14 x 14 cells.
    assert multiply_adds(bundle.read(tiny_bundle).tflite) == 3 * 3 * 4 * 224**2 + 4 * 3 * 14**2


def test_multiply_adds_are_those_that_the_benchmarks_count(default_bundle: Path) -> None:
    model = bundle.read(default_bundle).tflite

    assert multiply_adds(model) == network.read(model).macs


@pytest.mark.parametrize("data", [b"", b"TFL3", bytes([28, 0, 0, 0]) + b"TFL3" + bytes(200), b"\xff" * 64])
def test_what_is_no_model_takes_none(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a \.tflite model"):
        multiply_adds(data)
