"""The fit, on a few dozen drawn radiographs, and the counterexamples it is fitted against."""

import numpy as np
import pytest
from numpy.typing import NDArray

from convert import counterexamples, gate
from convert.gate import Fitted, Measured
from edge_runtime import gate as runtime
from edge_runtime.gate.store import from_bytes, to_bytes
from tools import synthetic

Picture = NDArray[np.uint8]
CHANNELS = 8


def draw(seeds: range) -> list[Picture]:
    models = synthetic.load()
    return [synthetic.draw(models[name], s, 224, 224, label=False) for s in seeds for name in synthetic.CLASSES]


def measure(count: int, *, seed: int = 0) -> Measured:
    """Features of two classes that differ in the first channel, each value a whole number of steps."""
    rng = np.random.default_rng(seed)
    labels = np.array(["bacterial", "normal"] * (count // 2))
    pooled = rng.gamma(2.0, 1.0, (count, CHANNELS))
    pooled[labels == "normal", 0] += 10.0
    return Measured(np.rint(pooled / 0.1) * 0.1, labels, 0.1)


@pytest.fixture(scope="module")
def fitted() -> runtime.Gate:
    return gate.fit(draw(range(60)), draw(range(100, 130)), measure(200), measure(100, seed=1))


def test_radiographs_pass_and_few_counterexamples_do(fitted: runtime.Gate) -> None:
    radiographs, spoilt = draw(range(200, 220)), counterexamples.make(draw(range(200, 230)), np.random.default_rng(5))

    refused = [runtime.before(picture, fitted).reason is not None for picture in radiographs]
    let_through = [runtime.before(p, fitted).reason is None and not runtime.before(p, fitted).notes for p in spoilt]

    assert sum(refused) <= 0.1 * len(refused)
    assert sum(let_through) <= 0.25 * len(let_through)


def test_features_far_from_both_classes_are_refused(fitted: runtime.Gate) -> None:
    known = measure(100, seed=2).pooled

    near = np.array([runtime.after(pooled, fitted) for pooled in known])
    far = [runtime.after(pooled, fitted) for pooled in known[:5] + 60.0 * np.eye(CHANNELS)[-1]]

    assert (near > 1.0).mean() <= 0.05
    assert min(far) > 1.0


def test_the_same_seed_fits_the_same_gate_and_it_survives_the_bundle(fitted: runtime.Gate) -> None:
    again = gate.fit(draw(range(60)), draw(range(100, 130)), measure(200), measure(100, seed=1))

    assert to_bytes(again) == to_bytes(fitted)
    stored = from_bytes(to_bytes(fitted))
    for picture in draw(range(300, 303)):
        assert runtime.before(picture, stored).distance == runtime.before(picture, fitted).distance


def test_the_gate_is_small(fitted: runtime.Gate) -> None:
    # The 512 channels of a full network add 0.1 MB.
    assert len(to_bytes(fitted)) < 450_000


def test_counterexamples_are_pictures_of_the_model_s_size_and_differ_from_their_origin() -> None:
    images = draw(range(30))

    made = counterexamples.make(images, np.random.default_rng(0))

    assert len(made) == len(images)
    assert all(picture.shape == (224, 224) and picture.dtype == np.uint8 for picture in made)
    assert all((picture != image).mean() > 0.2 for picture, image in zip(made, images, strict=True))


def test_mild_changes_leave_a_radiograph_recognisable() -> None:
    image = draw(range(1))[0]
    rng = np.random.default_rng(0)

    likeness = [np.corrcoef(image.ravel(), counterexamples.mild(image, rng).ravel())[0, 1] for _ in range(20)]

    # A frame in the other shade moves a correlation more than it moves an eye.
    assert np.median(likeness) > 0.5
    assert max(likeness) < 0.9999


def test_the_reference_counts_no_probability_of_a_refused_radiograph(fitted: runtime.Gate) -> None:
    found = Fitted(fitted, np.array([0.5, 1.5, 0.25]))

    drift = gate.drift_reference(found, np.array([0.9, 0.8, 0.1]), np.array([True, True, False]))

    assert found.refused == 1
    assert drift is not None
    assert sum(drift.probability.counts) == 2
    assert sum(drift.distance.counts) == 3
    assert gate.drift_reference(found, np.array([0.9, 0.8, 0.1]), np.array([True, True, True])) is None
