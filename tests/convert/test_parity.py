import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from convert import parity, quantize, ranges
from convert.parity import GateError, Layer, Limits, Parity
from tests.convert.models import noise, tiny_network

LAYERS = (Layer("first", 40.0), Layer("middle", 22.5), Layer("head", 30.0))


def _logits(log_odds: list[float]) -> NDArray[np.float64]:
    """Logits whose probability of pneumonia has these log odds, its two types alike."""
    odds = np.array(log_odds)
    return np.stack([np.zeros_like(odds), odds - np.log(2), odds - np.log(2)], axis=1)


def _compare(before: list[float], after: list[float], **changes: Any) -> Parity:
    truth = np.array([index % 2 == 1 for index in range(len(before))])
    options: dict[str, Any] = {"threshold": 0.5, "temperature": 1.0, "limits": Limits(), "layers": LAYERS} | changes
    layers = options.pop("layers")
    names = [f"{index}.png" for index in range(len(before))]
    return parity.compare(names, truth, _logits(before), _logits(after), layers, **options)


def test_a_model_that_answers_the_same_passes() -> None:
    found = _compare([-2.0, 2.0, -1.0, 3.0], [-2.0, 2.0, -1.0, 3.0])

    assert (found.flips, found.float_right, found.int8_right) == (0, 4, 4)
    assert found.float_auc == found.int8_auc == 1.0
    assert found.largest_probability_change == found.mean_probability_change == 0.0
    assert found.broken == ()
    parity.require(found)


def test_changes_are_counted_in_probability() -> None:
    found = _compare([0.0, 2.0], [np.log(3.0), 2.0])

    assert found.largest_probability_change == pytest.approx(0.25)
    assert found.mean_probability_change == pytest.approx(0.125)
    assert found.cases[0].int8_probability == pytest.approx(0.75)


def test_the_temperature_and_the_threshold_are_the_device_s() -> None:
    found = _compare([-2.0, 1.0], [-2.0, 0.2], temperature=0.5, threshold=0.7)

    assert found.flips == 1
    assert found.cases[1].float_probability == pytest.approx(1 / (1 + np.exp(-2.0 / 1.0)), abs=0.1)


@pytest.mark.parametrize(
    ("after", "limits", "words"),
    [
        ([0.2, 2.0, 0.2, 2.0] * 50, Limits(), "100 of 200 labels change"),
        ([-0.2, -2.0, -0.2, 2.0] * 50, Limits(), "the AUC goes from 1.0000"),
        ([-0.2, 0.2, -0.2, 2.0] * 50, Limits(largest_probability_change=0.1), "a probability changes by 0.331"),
        ([-0.3, 1.7, -0.3, 1.7] * 50, Limits(), "on average"),
        ([-0.2, 2.0, -0.2, 2.0] * 50, Limits(layer_sqnr=25.0), "middle is at 22.5 dB"),
    ],
)
def test_each_limit_refuses_and_names_itself_and_the_worst_layer(
    after: list[float], limits: Limits, words: str
) -> None:
    found = _compare([-0.2, 2.0, -0.2, 2.0] * 50, after, limits=limits)

    assert any(words in sentence for sentence in found.broken)
    with pytest.raises(GateError) as refusal:
        parity.require(found)
    assert words in str(refusal.value)
    assert "worst layer is middle at 22.5 dB" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_limits_are_inclusive() -> None:
    found = _compare([0.0, 2.0], [np.log(3.0), 2.0])
    largest, mean = found.largest_probability_change, found.mean_probability_change
    limits = Limits(largest_probability_change=largest, mean_probability_change=mean, layer_sqnr=22.5)

    assert _compare([0.0, 2.0], [np.log(3.0), 2.0], limits=limits).broken == ()


def test_a_type_that_changes_is_counted_among_pneumonias_alone() -> None:
    before = np.array([[0.0, 3.0, 2.0], [9.0, 3.0, 2.0]])
    after = before[:, [0, 2, 1]]

    found = parity.compare(
        ["a", "b"], np.array([True, False]), before, after, LAYERS, threshold=0.5, temperature=1.0, limits=Limits()
    )

    assert (found.flips, found.type_flips) == (0, 1)


def test_the_record_is_json_and_without_cases_names_no_file() -> None:
    found = _compare([-2.0, 2.0], [-2.0, 2.0])

    record = json.loads(json.dumps(found.as_json(cases=False)))

    assert record["passed"] is True
    assert record["images"] == 2
    assert record["limits"]["flips"] == Limits().flips
    assert record["layers"][1] == {"name": "middle", "sqnr": 22.5}
    assert ".png" not in json.dumps(record)
    assert found.as_json(cases=True)["cases"][0]["file"] == "0.png"


def test_the_layer_that_rounds_worst_stands_out() -> None:
    folded, pixels = tiny_network(), noise(6, 16)
    limits = ranges.choose(folded, ranges.observe(folded, pixels), "minmax")
    # A range ten times too wide costs the second layer 20 dB.
    wide = {**limits, "second": (0.0, 10 * limits["second"][1])}

    fine, coarse = (
        {
            layer.name: layer.sqnr
            for layer in parity.layer_sqnr(folded, quantize.quantize(folded, r, "tf-lite-converter"), pixels, threads=1)
        }
        for r in (limits, wide)
    )

    assert list(fine) == ["first", "second", "head"]
    assert min(fine.values()) > 25
    assert coarse["first"] == pytest.approx(fine["first"], abs=0.5)
    assert fine["second"] - coarse["second"] == pytest.approx(20, abs=6)


def test_the_worst_layer_is_first_in_order() -> None:
    found = _compare([-2.0, 2.0], [-2.0, 2.0])

    assert [layer.name for layer in found.worst_layers] == ["middle", "head", "first"]
    assert replace(found, layers=LAYERS[:1]).worst_layers == LAYERS[:1]
