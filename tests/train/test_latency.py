from pathlib import Path

import msgspec
import numpy as np
import pytest

from edge_runtime.errors import UsageError
from train import latency
from train.latency import Device, Error, Tile, Timed
from train.timing import Layer, vgg

FULL = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
QUARTER = tuple(width // 4 for width in FULL)
DEVICES = sorted(file.stem for file in latency.DEVICES.glob("*.jsonl"))


def _known() -> Device:
    """A device whose tile and prices are made up."""
    none = Error(0, 0.0, 0.0)
    return Device(Tile(4, 16, 8), (0.01, 0.5, 0.3, 0.05, 900.0), (4.0, 200.0), 3000.0, none, none, none)


def _timed(device: Device, *, noise: float = 0.0) -> list[Timed]:
    rng = np.random.default_rng(0)
    return [
        Timed(network, latency.predict(device, network) * float(np.exp(rng.normal(0, noise))), held_out)
        for network, held_out in latency.grid()
    ]


def test_a_fit_finds_the_prices_and_the_tile_that_the_times_were_made_of() -> None:
    known = _known()

    found = latency.fit(_timed(known))

    assert (found.tile.filters, found.tile.channels) == (16, 8)
    assert found.held_out.largest < 1e-3
    for ours, theirs in zip(found.convolution, known.convolution, strict=True):
        assert ours == pytest.approx(theirs, rel=0.05)


def test_noise_in_the_measurements_does_not_add_up() -> None:
    found = latency.fit(_timed(_known(), noise=0.05))

    assert found.held_out.median < 0.1
    assert min(*found.convolution, *found.pooling, found.overhead) >= 0


def test_too_few_measurements_are_refused() -> None:
    with pytest.raises(UsageError, match="too few"):
        latency.fit(_timed(_known())[:5])


@pytest.mark.parametrize("name", DEVICES)
def test_the_committed_numbers_are_those_fitted_to_the_committed_times(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copied = tmp_path / f"{name}.jsonl"
    copied.write_bytes((latency.DEVICES / f"{name}.jsonl").read_bytes())

    assert latency.main(["fit", str(copied)]) == 0

    found = msgspec.json.decode(copied.with_suffix(".json").read_bytes(), type=Device)
    kept = latency.read(name)
    assert found.tile == kept.tile
    np.testing.assert_allclose(found.convolution, kept.convolution, rtol=1e-6, atol=1e-9)
    assert found.held_out == kept.held_out
    assert "Held out" in capsys.readouterr().out


@pytest.mark.parametrize("name", DEVICES)
def test_a_committed_model_predicts_networks_it_was_not_fitted_to(name: str) -> None:
    device = latency.read(name)

    assert device.held_out.networks >= 15
    assert device.held_out.median < 0.1
    assert device.held_out.median < 0.6 * device.multiply_adds.median


@pytest.mark.parametrize("name", DEVICES)
def test_narrower_is_never_slower_and_a_quarter_with_a_stride_ten_times_faster(name: str) -> None:
    device = latency.read(name)

    full, small = latency.predict(device, vgg(FULL, 224)), latency.predict(device, vgg(QUARTER, 224, 2))

    assert full > 10 * small
    for place in range(13):
        fewer = [*QUARTER[:place], QUARTER[place] - 8, *QUARTER[place + 1 :]]
        assert latency.predict(device, vgg(fewer, 224, 2)) <= small


def test_multiply_adds_are_counted_without_padding() -> None:
    assert latency.multiply_adds((Layer("conv", 10, 3, 7, 2), Layer("pool", 5, 7, 7, 2))) == 25 * 9 * 3 * 7
    assert latency.multiply_adds(vgg(FULL, 224)) == pytest.approx(15.3e9, rel=0.01)


def test_an_unknown_device_is_named_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"no latency model 'abacus': take one of cortex-a72"):
        latency.read("abacus")


def test_a_file_without_measurements_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "times.jsonl").write_text("no times\n")

    assert latency.main(["fit", str(tmp_path / "times.jsonl")]) == 2

    assert "holds no measurements" in capsys.readouterr().err
