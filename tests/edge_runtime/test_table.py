import pytest

from edge_runtime.finding import Finding
from edge_runtime.model.bundle import UncertainBand
from edge_runtime.model.classifier import Classifier
from edge_runtime.table import print_table
from tests.edge_runtime.findings import classified, rejected
from tests.engines import ScriptedEngine, bundle_without_model


def printed(
    capsys: pytest.CaptureFixture[str], findings: list[Finding], uncertain: UncertainBand | None = None
) -> list[str]:
    classifier = Classifier(bundle_without_model(uncertain=uncertain), ScriptedEngine([0, 0, 0]))
    print_table(findings, len(findings), classifier)
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_doubt_and_corrections_stand_beside_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    findings = [
        classified("a.png", probability=0.4, confidence="uncertain", notes=("taken for inverted",)),
        classified("b.png", probability=0.9, confidence="certain"),
        rejected("c.png"),
    ]

    lines = printed(capsys, findings, UncertainBand(low=0.0431, high=0.669))

    assert any(line.startswith("a.png") and "NORMAL, uncertain, taken for inverted" in line for line in lines)
    assert not any("b.png" in line and "certain" in line for line in lines)
    assert "2 classified (1 PNEUMONIA, 1 NORMAL; 1 uncertain), 1 rejected" in lines
    assert (
        "model scripted, operating point balanced (PNEUMONIA from 0.5, uncertain from 0.0431 to 0.669), "
        "scripted 1.0, 1 thread"
    ) in lines


def test_nothing_is_said_of_doubt_where_nothing_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, [classified()])

    assert "1 classified (1 PNEUMONIA, 0 NORMAL), 0 rejected" in lines
    assert not any("uncertain" in line for line in lines)
