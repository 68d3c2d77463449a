"""Each peer that is installed here computes the bundle's network."""

import importlib
from pathlib import Path

import msgspec
import numpy as np
import pytest

from benchmarks.peers import PEAK, PEERS, Opened
from convert.interpreter import run
from edge_runtime.model import bundle, installed
from edge_runtime.model.bundle import Bundle
from tests.benchmarks.models import strided_tflite

# tflite-runtime loads under numpy 1 alone, which nothing else here does; the peak computes no network.
NAMES = [name for name in PEERS if name not in ("tflite-runtime", PEAK)]
BUILT_ANEW = ["onnxruntime-int8", "torch-int8", "torch-bfloat16"]


def open_peer(name: str, opened: Bundle) -> Opened:
    for module in PEERS[name].needs:
        pytest.importorskip(module, reason=f"needs {module}; {PEERS[name].pip}")
    peer: Opened = importlib.import_module(PEERS[name].module).open_peer(opened, 1)
    return peer


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_those_of_the_bundle(name: str) -> None:
    opened = bundle.read(installed.path("full"))
    pixels = opened.golden.pixels[3:5]
    expected = run(opened.tflite, pixels, threads=1).logits

    peer = open_peer(name, opened)

    found = np.stack([peer.answer(one[np.newaxis]) for one in pixels])
    # Float answers differ by what the rounding to int8 does to drawn pictures; all others compute with its integers.
    np.testing.assert_allclose(found, expected, atol=1.0 if name == "litert-float32" else 0.25)
    assert peer.macs is None


@pytest.mark.parametrize("name", BUILT_ANEW)
def test_a_lopsided_border_is_where_it_belongs(name: str, tiny_bundle: Path) -> None:
    model = strided_tflite()
    pixels = np.random.default_rng(2).integers(0, 256, (4, 32, 32, 1)).astype(np.uint8)
    expected = run(model, pixels, threads=1).logits

    peer = open_peer(name, msgspec.structs.replace(bundle.read(tiny_bundle), tflite=model))

    found = np.stack([peer.answer(one[np.newaxis]) for one in pixels])
    np.testing.assert_allclose(found, expected, atol=0.03 * np.abs(expected).max())


def test_the_peak_says_how_much_it_computes(tiny_bundle: Path) -> None:
    opened = bundle.read(tiny_bundle)

    peer = open_peer(PEAK, opened)

    assert peer.macs in {9 * channels**2 * side**2 for channels, side in ((512, 14), (256, 28), (512, 28), (256, 56))}
    assert peer.answer(opened.golden.pixels[:1]).size == 0
