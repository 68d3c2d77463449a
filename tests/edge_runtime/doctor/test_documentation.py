import re
from pathlib import Path

from edge_runtime.doctor.checks import CHECKS
from tests.edge_runtime.doctor.faults import FAULTS

TEXT = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text()


def test_every_line_is_explained_in_its_order() -> None:
    table = TEXT.partition("## The lines")[2].partition("## ")[0]

    assert re.findall(r"^\| ([a-z ]+?) \| [^|]+ \| [^|]+ \|$", table, re.MULTILINE)[1:] == list(CHECKS)


def test_the_count_of_faults_is_right() -> None:
    assert f"plants {len(FAULTS)} faults" in TEXT
