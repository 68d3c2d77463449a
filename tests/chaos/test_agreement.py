"""The judge of all others: each kind of damage must be seen."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.chaos import agreement
from tests.chaos.material import inputs, put
from tests.chaos.watcher import nursery


class Place:
    """A folder of three radiographs, answered."""

    def __init__(self, place: Path) -> None:
        self.folder, self.results = place / "in", place / "out"
        self.files = list(islice(inputs(Random(1), broken=0.0, folders=0), 3))
        for one in self.files:
            put(self.folder, one)
        with nursery(place / "printed") as watchers:
            watcher = watchers.watch(self.folder, self.results, "--once", "--settle", "0.02")
            assert watcher.wait() == 0, watcher.printed()
            self.told = watcher.told()
        self.inputs = {one.name: one.sha256 for one in self.files}

    def wrong(self) -> list[str]:
        return list(agreement.disagreements(self.folder, self.results, self.inputs, self.told))

    def execute(self, statement: str) -> None:
        with closing(sqlite3.connect(self.results / agreement.JOURNAL)) as database, database:
            database.execute(statement)


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("agreement"))


def test_nothing_is_wrong_after_a_clean_run(answered: Place) -> None:
    assert answered.wrong() == []
    assert sorted(answered.told) == sorted(answered.inputs)
    agreement.check(answered.folder, answered.results, answered.inputs, answered.told)


def _lose(results: Path, name: str) -> None:
    (results / name).unlink()


def _halve(results: Path, name: str) -> None:
    data = (results / name).read_bytes()
    (results / name).write_bytes(data[: len(data) // 2])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda results: _lose(results, "000000.jpeg.json"), "000000.jpeg has no finding"),
        (lambda results: _halve(results, "000000.jpeg.json"), "000000.jpeg.json is no finding"),
        (lambda results: _lose(results, "000001.jpeg.heatmap.png"), "which is not there"),
        (lambda results: _halve(results, "000001.jpeg.heatmap.png"), "000001.jpeg.heatmap.png is no picture"),
        (lambda results: (results / ".unfinished").touch(), ".unfinished was left behind"),
        (lambda results: (results / "old.heatmap.png").touch(), "no finding names the heat map old.heatmap.png"),
        (
            lambda results: (results / "b.json").write_bytes((results / "000000.jpeg.json").read_bytes()),
            "000000.jpeg has 2 findings",
        ),
    ],
)
def test_damage_to_the_findings_is_seen(damage: Callable[[Path], object], sentence: str, tmp_path: Path) -> None:
    place = Place(tmp_path)

    damage(place.results)

    assert any(sentence in line for line in place.wrong()), place.wrong()
    with pytest.raises(agreement.DisagreementError):
        agreement.check(place.folder, place.results, place.inputs)


def test_a_row_that_is_missing_or_too_many_or_wrong_is_seen(tmp_path: Path) -> None:
    place = Place(tmp_path)

    place.execute("PRAGMA foreign_keys = OFF")
    place.execute("DELETE FROM answers WHERE CAST(name AS TEXT) = '000000.jpeg'")
    place.execute("UPDATE answers SET status = 'rejected' WHERE CAST(name AS TEXT) = '000001.jpeg'")

    wrong = place.wrong()
    assert "the journal lacks 000000.jpeg" in wrong
    assert "the journal does not know 000000.jpeg.json" in wrong
    assert any(line.startswith("the journal says 000001.jpeg") for line in wrong)
    assert len(wrong) == 3


def test_a_change_to_the_inputs_is_seen(tmp_path: Path) -> None:
    place = Place(tmp_path)

    (place.folder / "000000.jpeg").write_bytes(b"other")
    (place.folder / "000001.jpeg").unlink()
    (place.folder / "new").touch()

    assert place.wrong() == [
        "the input 000001.jpeg is gone",
        "new was put among the inputs",
        "the input 000000.jpeg was changed",
    ]


def test_what_was_told_twice_is_seen(answered: Place) -> None:
    told = [*answered.told, answered.told[0]]

    wrong = list(agreement.disagreements(answered.folder, answered.results, answered.inputs, told))

    assert wrong == [f"{told[0]} was told 2 times"]
