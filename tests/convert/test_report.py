import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convert import parity, report
from convert.parity import Layer, Limits, Parity


@pytest.fixture
def found() -> Parity:
    logits = np.array([[2.0, 0.0, 0.0], [-2.0, 1.0, 0.0], [0.1, 0.0, -0.5]])
    rounded = logits + np.array([[0.0, 0.1, 0.0]] * 2 + [[-0.9, 0.0, 0.0]])
    return parity.compare(
        ["train/a.jpeg", "train/b.jpeg", "train/<c>.jpeg"],
        np.array([False, True, False]),
        logits,
        rounded,
        (Layer("block1_conv1", 41.0), Layer("map", 18.25)),
        threshold=0.6,
        temperature=1.0,
        limits=Limits(),
    )


def test_the_page_stands_alone_and_says_what_it_is(found: Parity) -> None:
    page = report.html(found, {"route": "tf-lite-converter"}, title="Parity of full")

    assert not re.search(r"https?://|<script|src=|@import", page)
    assert "not a medical device" in page
    assert "block1_conv1" in page
    assert "18.2" in page
    assert "tf-lite-converter" in page


def test_the_page_shows_which_images_change_most_and_escapes_their_names(found: Parity) -> None:
    page = report.html(found, {}, title="Parity")

    assert "train/&lt;c&gt;.jpeg" in page
    assert "<c>" not in page
    assert page.count("label changes") == found.flips == 1


def test_the_page_of_a_refused_model_says_why(found: Parity) -> None:
    refused = replace(found, broken=("the AUC goes from 0.9 to 0.8 (at most 0.002 apart)",))

    page = report.html(refused, {}, title="Parity")

    assert "the AUC goes from 0.9 to 0.8" in page
    assert "No bundle was written" in page


def test_the_record_and_the_page_are_written(found: Parity, tmp_path: Path) -> None:
    report.write(tmp_path / "full.tflite", found, {"seed": 0}, title="Parity of full")

    record = json.loads((tmp_path / "full.parity.json").read_text())
    assert record["about"] == {"seed": 0}
    assert len(record["cases"]) == 3
    assert (tmp_path / "full.parity.html").read_text().startswith("<!doctype html>")


def test_one_class_alone_has_no_curve_and_still_a_page(found: Parity) -> None:
    page = report.html(replace(found, float_auc=None, int8_auc=None), {}, title="Parity")

    assert "— / —" in page
