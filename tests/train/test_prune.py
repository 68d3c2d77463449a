from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from convert import graph
from convert.fold import fold
from edge_runtime.errors import UsageError
from train import prune, vgg16
from train.recipe import Prune

WIDTHS = (16, 12, 16, 20, 24, 16, 16, 24, 16, 16, 16, 24, 16)
SIZE = 32
LOSS = keras.losses.CategoricalCrossentropy(from_logits=True)


def _model(*, standardize: bool = True, stride: int = 1, seed: int = 0) -> keras.Model:
    """Random weights, biases and head, so that every filter does something."""
    keras.utils.set_random_seed(seed)
    model = vgg16.build(None, filters=WIDTHS, stride=stride, standardize=standardize, dropout=0.2)
    rng = np.random.default_rng(seed)
    for layer in model.layers:
        if hasattr(layer, "bias"):
            layer.bias.assign(rng.uniform(0.5, 1.0, layer.bias.shape))
        if isinstance(layer, keras.layers.Conv2D):
            layer.kernel.assign(rng.normal(0, np.sqrt(2 / np.prod(layer.kernel.shape[:3])), layer.kernel.shape))
    return model


def _kill(model: keras.Model, name: str, dead: Sequence[int]) -> None:
    """Filters that never answer: no gain, and a bias below 0."""
    layer = model.get_layer(name)
    weights = [np.array(array) for array in layer.get_weights()]
    weights[-2][..., list(dead)] = 0.0
    weights[-1][list(dead)] = -1.0
    layer.set_weights(weights)


def _batches(count: int = 2) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    rng = np.random.default_rng(1)
    return [
        (
            rng.uniform(0, 255, (6, SIZE, SIZE, 1)).astype(np.float32),
            np.eye(3, dtype=np.float32)[rng.integers(0, 3, 6)],
        )
        for _ in range(count)
    ]


def _sum(widths: Sequence[int]) -> NDArray[np.float64]:
    """Stands for a device on which each filter takes a millisecond."""
    return np.array([float(sum(widths))])


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_without_its_dead_filters_a_model_answers_the_same(standardize: bool, stride: int) -> None:
    model = _model(standardize=standardize, stride=stride)
    dead = {"block1_conv1": [0, 3], "block2_conv2": [7], "block5_conv3": [1, 2, 15]}
    for name, filters in dead.items():
        _kill(model, name, filters)
    names = [layer.name for layer in model.layers if layer.name.startswith("block") and layer.weights]
    keep = [np.setdiff1d(np.arange(n), dead.get(name, [])) for n, name in zip(WIDTHS, names, strict=True)]
    pixels = _batches()[0][0]

    small = prune.narrow(model, keep)

    exact = model.predict_on_batch(pixels)
    np.testing.assert_allclose(small.predict_on_batch(pixels), exact, atol=1e-4 * np.abs(exact).max())
    assert prune.filters(small) == (14, 12, 16, 19, 24, 16, 16, 24, 16, 16, 16, 24, 13)
    assert np.ptp(exact, axis=0).max() > 1e-3


def test_effect_is_the_squared_derivative_of_the_loss_by_a_gate() -> None:
    model = prune.narrow(_model())
    (batch,) = _batches(1)

    found = prune.effect(model, [batch], LOSS)

    place, name, filter_ = 7, "block4_conv1", int(np.argmax(found[7]))
    layer, step = model.get_layer(name), 2e-3
    kernel, bias = (np.array(array) for array in layer.get_weights())
    losses = []
    for gate in (1 - step, 1 + step):
        k, b = kernel.copy(), bias.copy()
        k[..., filter_] *= gate
        b[filter_] *= gate
        layer.set_weights([k, b])
        losses.append(float(LOSS(batch[1], model.predict_on_batch(batch[0]))))
    by_gate = (losses[1] - losses[0]) / (2 * step)
    assert found[place][filter_] == pytest.approx(by_gate**2, rel=0.05)
    assert by_gate != 0


def test_estimating_the_effects_leaves_the_weights_alone() -> None:
    model = prune.narrow(_model())
    before = [np.array(array) for array in model.get_weights()]

    prune.effect(model, _batches(), LOSS)

    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_pruning_takes_the_planted_idle_filters_and_no_other() -> None:
    model = _model(stride=2, standardize=False)
    for layer in model.layers:
        if layer.name.startswith("block") and layer.weights:
            layer.kernel.assign(keras.ops.abs(layer.kernel) / 4)  # so that no other filter is idle by chance
    planted = {"block1_conv2": (0, 4, 5, 9), "block2_conv2": (1, 2, 3, 19), "block4_conv1": tuple(range(8))}
    for name, filters in planted.items():
        _kill(model, name, filters)
    pixels = _batches()[0][0]
    whole = sum(WIDTHS)

    small = prune.prune(
        model,
        Prune(keep={"any": (whole - 16) / whole}, multiple=4, rounds=2),
        _sum,
        lambda _: _batches(),
        LOSS,
        say=lambda _: None,
    )

    assert prune.filters(small) == (16, 8, 16, 16, 24, 16, 16, 16, 16, 16, 16, 24, 16)
    exact = model.predict_on_batch(pixels)
    np.testing.assert_allclose(small.predict_on_batch(pixels), exact, atol=1e-4 * np.abs(exact).max())


def test_the_times_of_every_device_are_met() -> None:
    model = _model()
    times = prune.predictor(["cortex-a72", "x86-avx512vnni"], SIZE, 1)
    plan = Prune(keep={"cortex-a72": 0.8, "x86-avx512vnni": 0.9}, rounds=3)
    said: list[str] = []
    recovered: list[int] = []

    def recover(narrowed: keras.Model, number: int) -> keras.Model:
        recovered.append(number)
        return narrowed

    small = prune.prune(model, plan, times, lambda _: _batches(1), LOSS, recover, said.append)

    widths = prune.filters(small)
    assert np.all(times(widths) <= times(WIDTHS) * [0.8, 0.9])
    assert all(new == old or new % 8 == 0 for new, old in zip(widths, WIDTHS, strict=True))
    assert recovered == [1, 2]
    assert len(said) == 3
    assert "on cortex-a72" in said[-1]


def test_filters_go_where_they_save_most_time() -> None:
    effects = tuple(np.ones(16) for _ in range(13))

    def times(widths: Sequence[int]) -> NDArray[np.float64]:
        return np.array([widths[3] * 10.0 + sum(widths)])

    widths = prune.choose(effects, times, np.array([300.0]), 4)

    assert widths == (16, 16, 16, 4, *[16] * 9)


def test_a_time_that_cannot_be_met_is_refused() -> None:
    with pytest.raises(UsageError, match="keep more of the time"):
        prune.choose(tuple(np.ones(16) for _ in range(13)), _sum, np.array([50.0]), 8)


def test_unequal_widths_survive_saving_and_folding(tmp_path: Path) -> None:
    small = prune.narrow(_model(stride=2), [np.arange(0, width, 2) for width in WIDTHS], dropout=0.1)
    small.save(tmp_path / "vgg16.keras")

    loaded = vgg16.load(tmp_path / "vgg16.keras")

    folded = fold(loaded, default_size=(SIZE, SIZE))
    assert prune.filters(loaded) == tuple(len(range(0, width, 2)) for width in WIDTHS)
    assert [layer.bias.size for layer in folded.convolutions[:-1]] == list(prune.filters(loaded))
    pixels = _batches()[0][0]
    exact = small.predict_on_batch(pixels)
    np.testing.assert_allclose(loaded.predict_on_batch(pixels), exact, atol=1e-5)
    np.testing.assert_allclose(
        graph.predict(folded, pixels.astype(np.uint8))[0],
        small.predict_on_batch(pixels.astype(np.uint8).astype(np.float32)),
        atol=1e-4 * np.abs(exact).max(),
    )
