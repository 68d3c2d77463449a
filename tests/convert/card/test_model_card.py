"""The model cards in ``docs/``: they say what their figures say, and those are the shipped bundles'."""

from pathlib import Path

import pytest

from convert.card import card, cli, render
from convert.card.card import Card
from edge_runtime.model import bundle
from tests.packaging.places import ROOT


@pytest.fixture(scope="module")
def figures(installed_bundle: Path) -> Path:
    return cli.card_of(Path(installed_bundle.stem))


@pytest.fixture(scope="module")
def shipped(figures: Path) -> Card:
    found = card.read(figures)
    assert found is not None, f"{figures} is missing: make card writes it, with EDGE_PNEUMO_DATA set"
    return found


def test_the_page_is_what_its_figures_give(shipped: Card, figures: Path) -> None:
    page = render.page(shipped, card.read_seeds(ROOT / "train" / "seeds.json"))

    assert page == figures.with_suffix(".md").read_bytes(), "run make card"
    assert card.encode(shipped) == figures.read_bytes(), "run make card"


def test_its_figures_are_the_shipped_bundles(shipped: Card, installed_bundle: Path) -> None:
    assert shipped.model.sha256 == bundle.read(installed_bundle).sha256, (
        "measure it: make card with EDGE_PNEUMO_DATA set"
    )
    assert sum(shipped.test.images.values()) == 624


def test_the_shipped_bundle_is_measured_on_a_handful_of_radiographs(
    chest_xray: Path, default_bundle: Path, tmp_path: Path
) -> None:
    # Of the training split: nothing but the official run looks at test.
    for label, pattern in (("NORMAL", "*"), ("PNEUMONIA", "*_bacteria_*"), ("PNEUMONIA", "*_virus_*")):
        here = tmp_path / "data" / "test" / label
        here.mkdir(parents=True, exist_ok=True)
        for file in sorted((chest_xray / "train" / label).glob(pattern))[:2]:
            (here / file.name).write_bytes(file.read_bytes())
    places = ["--card", str(tmp_path / "card.json"), "--failures", str(tmp_path / "failures.png")]

    status = cli.main(["--bundle", str(default_bundle), "--data", str(tmp_path / "data"), *places])

    found = card.read(tmp_path / "card.json")
    assert status == 0
    assert found is not None
    assert found.test.images == {"bacterial": 2, "normal": 2, "viral": 2}
    assert found.test.accuracy.count >= 4, "images it was trained on"
    assert found.occlusion is not None
    assert found.occlusion.images == 4
    assert found.test.evidence.largest_difference <= found.test.evidence.rounding
    assert (tmp_path / "failures.png").is_file()
