from pathlib import Path

import msgspec
import numpy as np
import pytest

from convert.calibration import Image
from convert.card import figures
from convert.card.cases import Case
from edge_runtime.model.bundle import BundleInfo, OperatingPoint, UncertainBand
from tests.engines import bundle_without_model

ROUNDING = 0.2


def case(label: str, probability: float | None, bacterial_share: float = 0.5, notes: tuple[str, ...] = ()) -> Case:
    """One answered at a threshold of 0.5, or without a probability a refused one."""
    image = Image(Path("x.jpeg"), f"test/{label}-{probability}.jpeg", "c" * 64, label)
    if probability is None:
        return Case(image, "too dark", notes)
    odds = float(np.log(probability / (1 - probability)))
    return Case(
        image,
        None,
        notes,
        probability >= 0.5,
        probability,
        probability * bacterial_share,
        odds,
        np.full((14, 14), odds + 0.01, np.float32),
        np.zeros((224, 224), np.uint8),
    )


@pytest.fixture
def info() -> BundleInfo:
    return msgspec.structs.replace(
        bundle_without_model().info,
        operating_points={"balanced": OperatingPoint(0.5), "screening": OperatingPoint(0.2)},
        uncertain=UncertainBand(0.3, 0.7),
    )


CASES = (
    case("normal", 0.1),
    case("normal", 0.25),
    case("normal", 0.6, 0.2, notes=("inverted",)),
    case("normal", None),
    case("bacterial", 0.9, 0.8),
    case("bacterial", 0.7, 0.1),
    case("bacterial", 0.4, 0.9),
    case("viral", 0.8, 0.3),
    case("viral", None),
)


def test_a_refused_radiograph_is_neither_right_nor_found_nor_cleared(info: BundleInfo) -> None:
    found = figures.judge(CASES, info, ROUNDING)

    assert found is not None
    assert (found.accuracy.count, found.accuracy.of) == (5, 9)
    assert (found.sensitivity.count, found.sensitivity.of) == (3, 5)
    assert (found.specificity.count, found.specificity.of) == (2, 4)
    assert found.images == {"bacterial": 3, "normal": 4, "viral": 2}
    assert found.refused == {"normal": 1, "viral": 1}
    assert found.reasons == {"too dark": 2}
    assert found.corrected == 1


def test_the_confusion_tells_every_radiographs_truth_and_answer(info: BundleInfo) -> None:
    found = figures.judge(CASES, info, ROUNDING)

    assert found is not None
    assert found.confusion == {
        "bacterial": {"bacterial": 1, "normal": 1, "viral": 1},
        "normal": {"normal": 2, "refused": 1, "viral": 1},
        "viral": {"refused": 1, "viral": 1},
    }


def test_every_operating_point_has_both_shares(info: BundleInfo) -> None:
    found = figures.judge(CASES, info, ROUNDING)

    assert found is not None
    assert list(found.points) == ["screening", "balanced"], "by threshold"
    screening = found.points["screening"]
    assert (screening.threshold, screening.sensitivity.count, screening.specificity.count) == (0.2, 4, 1)
    assert found.points["balanced"].sensitivity == found.sensitivity


def test_types_are_told_apart_among_pneumonias_whatever_they_were_called(info: BundleInfo) -> None:
    found = figures.judge(CASES, info, ROUNDING)

    assert found is not None
    assert found.types is not None
    assert (found.types.right.count, found.types.right.of) == (3, 4)
    assert found.types.auc is not None
    assert found.types.auc.value == pytest.approx(2 / 3)


def test_the_uncertain_band_has_its_ends_and_its_errors(info: BundleInfo) -> None:
    found = figures.judge(CASES, info, ROUNDING)

    assert found is not None
    assert found.uncertain is not None
    band = found.uncertain
    assert (band.inside.count, band.inside.of) == (3, 7)  # 0.4, 0.6 and 0.7 itself
    assert (band.wrong_inside.count, band.wrong_inside.of) == (2, 3)
    assert (band.wrong_outside.count, band.wrong_outside.of) == (0, 4)


def test_the_maps_mean_is_compared_with_the_log_odds(info: BundleInfo) -> None:
    found = figures.judge(CASES, info, ROUNDING)

    assert found is not None
    assert found.evidence.largest_difference == pytest.approx(0.01, abs=1e-6)
    assert found.evidence.rounding == ROUNDING


def test_a_bundle_without_a_band_and_data_without_types_leave_their_rows_out() -> None:
    found = figures.judge((case("normal", 0.1), case("pneumonia", 0.9)), bundle_without_model().info, ROUNDING)

    assert found is not None
    assert found.uncertain is None
    assert found.types is None
    assert found.sensitivity.count == 1


def test_nothing_answered_is_nothing_judged(info: BundleInfo) -> None:
    assert figures.judge((case("normal", None),), info, ROUNDING) is None


def test_floats_are_rounded_wherever_they_stand() -> None:
    tree = {"a": 0.12345678, "b": [1.00000049, {"c": (2.5, 7)}], "d": "0.123456789", "e": None}

    assert figures.rounded(tree) == {"a": 0.123457, "b": [1.0, {"c": [2.5, 7]}], "d": "0.123456789", "e": None}
