import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.finding import timestamp
from edge_runtime.journal import reader as journal_reader
from edge_runtime.journal.query import Wanted
from edge_runtime.journal.reader import Row
from edge_runtime.locate import JOURNAL
from tests.edge_runtime.findings import MOMENT, classified, rejected
from tests.edge_runtime.journals import Filler, writing
from tests.edge_runtime.nobody import folder_of_nobody

EVERYTHING = Wanted()


@pytest.fixture
def filler(tmp_path: Path) -> Iterator[Filler]:
    filler = Filler(tmp_path / "out")
    yield filler
    filler.close()


@pytest.fixture
def readable_folder() -> Iterator[Path]:
    """A folder that others may look into, and not write to."""
    folder = Path(tempfile.mkdtemp(prefix="edge-pneumo-"))
    folder.chmod(0o755)
    yield folder
    folder.chmod(0o755)
    shutil.rmtree(folder)


def names(filler: Filler, wanted: Wanted = EVERYTHING, **options: int) -> list[bytes]:
    return [row.name for row in journal_reader.rows(filler.results / JOURNAL, wanted, **options)]


def listing(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_mtime_ns, path.stat().st_size) for path in folder.iterdir()}


def changed(filler: Filler, statement: str) -> list[tuple[int, ...]]:
    with closing(sqlite3.connect(filler.results / JOURNAL, isolation_level=None)) as database:
        return database.execute(statement).fetchall()


# What is read


def test_a_row_says_what_the_journal_knows(filler: Filler) -> None:
    filler.answer(classified(probability=0.75), confidence="uncertain", distance=0.5, name=b"caf\xe9/a.png")

    (row,) = journal_reader.rows(filler.results / JOURNAL, EVERYTHING)

    assert row == Row(
        id=1,
        name=b"caf\xe9/a.png",
        file=b"caf\xe9/a.png.json",
        status="classified",
        finished=timestamp(MOMENT),
        sha256=f"{1:064x}",
        label="PNEUMONIA",
        probability=0.75,
        reason=None,
        model="0" * 64,
        received=timestamp(MOMENT),
        distance=0.5,
        confidence="uncertain",
    )


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_pages_leave_nothing_out_and_repeat_nothing(filler: Filler, size: int) -> None:
    expected = [filler.answer() for _ in range(7)]

    assert names(filler, size=size) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Wanted(status="rejected"), [3]),
        (Wanted(status="classified"), [1, 2, 4]),
        (Wanted(label="NORMAL"), [2]),
        (Wanted(confidence="uncertain"), [2]),
        (Wanted(least=0.9), [1, 4]),
        (Wanted(most=0.9), [1, 2]),
        (Wanted(least=0.3, most=0.3), [2]),
        (Wanted(name="ward?/*"), [2, 4]),
        (Wanted(name="*.png"), [1, 2, 3, 4]),
        (Wanted(name="*.PNG"), []),
        (Wanted(name="ward2/\udce9.png"), [4]),  # as a shell passes it on
        (Wanted(name=r"ward2/[\]xe9.png"), [4]),  # as it is printed
        (Wanted(since=timestamp(MOMENT + timedelta(hours=2))), [2, 3]),
        (Wanted(until=timestamp(MOMENT + timedelta(hours=2))), [1, 4]),
        (Wanted(since=timestamp(MOMENT), until=timestamp(MOMENT + timedelta(hours=3)), label="PNEUMONIA"), [1]),
        (Wanted(since=timestamp(MOMENT + timedelta(days=1))), []),
    ],
)
def test_only_what_is_wanted(filler: Filler, wanted: Wanted, expected: list[int]) -> None:
    filler.answer(classified(probability=0.9), MOMENT + timedelta(hours=1), name=b"a.png")
    filler.answer(classified(probability=0.3), MOMENT + timedelta(hours=2), name=b"ward1/b.png", confidence="uncertain")
    filler.answer(rejected(), MOMENT + timedelta(hours=3), name=b"c.png")
    # Under a clock that had been set back.
    filler.answer(classified(probability=0.95), MOMENT - timedelta(hours=1), name=b"ward2/\xe9.png")

    for size in (1, 2, 100):
        found = journal_reader.rows(filler.results / JOURNAL, wanted, size=size)
        assert [row.id for row in found] == expected


def test_the_newest_of_what_is_wanted_the_newest_last(filler: Filler) -> None:
    for number in range(10):
        filler.answer(classified(probability=0.9 if number % 2 else 0.1), name=b"%d.png" % number)

    assert names(filler, Wanted(label="NORMAL"), count=2) == [b"6.png", b"8.png"]
    assert names(filler, Wanted(label="NORMAL"), count=2, to=7) == [b"4.png", b"6.png"]
    assert names(filler, count=100) == [b"%d.png" % number for number in range(10)]
    assert names(filler, Wanted(status="rejected"), count=2) == []


def test_pages_go_on_where_the_last_one_ended(filler: Filler) -> None:
    journal = filler.results / JOURNAL
    first = filler.answer(rejected())
    before = journal_reader.page(journal, Wanted(status="classified"), 0)
    assert (before.rows, before.last, before.is_all) == ((), 1, True)

    second = filler.answer()
    after = journal_reader.page(journal, EVERYTHING, before.last)

    assert [row.name for row in after.rows] == [second] != [first]
    assert journal_reader.newest(journal) == after.last == 2


def test_what_is_not_utf8_or_null_stops_nothing(filler: Filler) -> None:
    filler.answer()
    changed(filler, "UPDATE answers SET reason = CAST(x'ff41' AS TEXT), label = NULL, model = 'a'")

    (row,) = journal_reader.rows(filler.results / JOURNAL, EVERYTHING)

    assert (row.reason, row.label) == (r"\xffA", None)


# Other versions, damage


def test_reads_a_journal_that_lacks_columns_and_has_others(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / JOURNAL)
    database.executescript(
        "CREATE TABLE answers (id INTEGER PRIMARY KEY, new, name BLOB, finding BLOB, status TEXT, finished TEXT);"
        "INSERT INTO answers VALUES (1, 'x', x'612e706e67', x'61', 'classified', '2024-05-01T09:30:00.000Z');"
        "PRAGMA user_version = 99"
    )
    database.close()

    (row,) = journal_reader.rows(tmp_path / JOURNAL, EVERYTHING)

    assert row == Row(1, b"a.png", b"a", "classified", "2024-05-01T09:30:00.000Z")
    assert list(journal_reader.rows(tmp_path / JOURNAL, Wanted(label="NORMAL", least=0.5))) == []


def test_a_journal_that_is_about_to_be_made_is_empty(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / JOURNAL).close()

    assert list(journal_reader.rows(tmp_path / JOURNAL, EVERYTHING)) == []
    assert journal_reader.newest(tmp_path / JOURNAL) == 0
    assert journal_reader.page(tmp_path / JOURNAL, EVERYTHING, 5).last == 0


@pytest.mark.parametrize(
    ("schema", "sentence"),
    [
        ("CREATE TABLE other (id INTEGER); PRAGMA user_version = 2", "is no journal of edge-pneumo"),
        ("CREATE TABLE answers (id INTEGER PRIMARY KEY); PRAGMA user_version = 9", "of another version; update"),
    ],
)
def test_a_database_that_is_no_journal_is_refused(tmp_path: Path, schema: str, sentence: str) -> None:
    database = sqlite3.connect(tmp_path / JOURNAL)
    database.executescript(schema)
    database.close()

    with pytest.raises(UsageError, match=sentence):
        list(journal_reader.rows(tmp_path / JOURNAL, EVERYTHING))


def test_a_damaged_journal_is_called_so(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).write_bytes(b"this is no database" * 100)

    with pytest.raises(UsageError, match="is damaged"):
        list(journal_reader.rows(tmp_path / JOURNAL, EVERYTHING))


# Where nothing can be written


def test_nothing_is_made_or_changed_at_rest(filler: Filler) -> None:
    filler.answer()
    filler.close()
    before = listing(filler.results)

    assert len(names(filler)) == 1

    assert listing(filler.results) == before == {JOURNAL: before[JOURNAL]}


def test_reads_while_another_process_writes(tmp_path: Path) -> None:
    with writing(tmp_path, 3) as writer:
        assert (tmp_path / f"{JOURNAL}-wal").stat().st_size > 0
        assert journal_reader.newest(tmp_path / JOURNAL) == 3
        writer.answer()
        assert journal_reader.newest(tmp_path / JOURNAL) == 4


def test_a_slow_reader_does_not_hold_up_the_writer(filler: Filler) -> None:
    for _ in range(4):
        filler.answer()
    reading = journal_reader.rows(filler.results / JOURNAL, EVERYTHING, size=2)
    next(reading)

    filler.answer()
    ((busy, *_),) = changed(filler, "PRAGMA wal_checkpoint(TRUNCATE)")

    assert busy == 0
    assert len(list(reading)) == 3


@pytest.mark.parametrize("state", ["at rest", "at work", "killed", "killed, without its index"])
def test_reads_where_it_may_not_write(readable_folder: Path, state: str) -> None:
    with writing(readable_folder, 3) as writer:
        if state == "at rest":
            writer.process.communicate(timeout=60)
            for path in list(readable_folder.glob(f"{JOURNAL}-*")):
                _checkpoint_away(readable_folder / JOURNAL, path)
        elif state != "at work":
            writer.process.kill()
            writer.process.wait()
        if state.endswith("index"):
            (readable_folder / f"{JOURNAL}-shm").unlink()
        for path in readable_folder.iterdir():
            path.chmod(0o444)
        readable_folder.chmod(0o555)
        before = sorted(path.name for path in readable_folder.iterdir())

        with folder_of_nobody():
            with pytest.raises(PermissionError):
                (readable_folder / "mine").touch()
            found = [row.id for row in journal_reader.rows(readable_folder / JOURNAL, EVERYTHING)]

        assert found == [1, 2, 3]
        assert sorted(path.name for path in readable_folder.iterdir()) == before
        assert (f"{JOURNAL}-wal" in before) == (state != "at rest")


def _checkpoint_away(journal: Path, left: Path) -> None:
    if left.exists():  # the writer ended without closing
        database = sqlite3.connect(journal)
        database.execute("SELECT COUNT(*) FROM answers").fetchone()
        database.close()


def test_says_so_where_it_may_not_read() -> None:
    with folder_of_nobody() as folder:
        (folder / JOURNAL).write_bytes(b"")
        (folder / JOURNAL).chmod(0)

        with pytest.raises(UsageError, match=r"cannot be read .*; check its permissions"):
            list(journal_reader.rows(folder / JOURNAL, EVERYTHING))
