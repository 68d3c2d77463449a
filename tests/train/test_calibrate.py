import numpy as np
import pytest

from train.calibrate import fit_temperature


@pytest.mark.parametrize("overconfidence", [0.5, 1.0, 2.5])
def test_temperature_undoes_overconfidence(overconfidence: float) -> None:
    rng = np.random.default_rng(0)
    margin = rng.normal(0, 2, 20_000)
    pneumonia = rng.random(len(margin)) < 1 / (1 + np.exp(-margin))
    # A type that is never meant leaves a choice of two, whose margin is the log odds.
    logits = np.stack([-margin / 2, margin / 2, np.full_like(margin, -50.0)], axis=1) * overconfidence

    assert fit_temperature(logits.astype(np.float32), pneumonia) == pytest.approx(overconfidence, rel=0.06)
