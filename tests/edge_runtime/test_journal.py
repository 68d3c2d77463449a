import dataclasses
import sqlite3
import stat
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge_runtime.drift import DISTANCE_EDGES, PROBABILITY_EDGES, bin_of
from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding, timestamp
from edge_runtime.journal import DAYS_KEPT, SCHEMA_VERSION, Journal, local_day
from tests.edge_runtime.findings import classified, rejected
from tests.edge_runtime.nobody import folder_of_nobody

NAME = b"caf\xe9/a.png"
STATE = FileState(size=10, mtime_ns=1_700_000_000_123_456_789, ctime_ns=5, inode=7, mode=stat.S_IFREG | 0o644)
SHA = "1" * 64


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    journal = Journal(tmp_path / "journal.sqlite")
    yield journal
    journal.close()


def rows(journal: Journal, query: str) -> list[tuple[object, ...]]:
    other = sqlite3.connect(journal.path)
    try:
        return other.execute(query).fetchall()
    finally:
        other.close()


def test_knows_what_was_recorded(journal: Journal) -> None:
    assert not journal.knows(NAME, STATE)
    assert journal.find(NAME, SHA) is None

    journal.record(NAME, STATE, classified(), b"a.png.json")

    entry = journal.find(NAME, SHA)
    assert entry is not None
    assert entry.finding == b"a.png.json"
    assert journal.knows(NAME, STATE)
    assert journal.holds(NAME, b"a.png.json")
    assert not journal.holds(NAME, b"other.json")


@pytest.mark.parametrize("change", [{"size": 11}, {"mtime_ns": STATE.mtime_ns + 1}])
def test_a_changed_file_is_not_known(journal: Journal, change: dict[str, int]) -> None:
    journal.record(NAME, STATE, classified(), b"a.png.json")

    assert not journal.knows(NAME, dataclasses.replace(STATE, **change))
    assert not journal.knows(b"other.png", STATE)
    assert journal.find(NAME, "3" * 64) is None
    assert journal.find(b"other.png", SHA) is None


def test_an_answer_outlives_the_program(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal.sqlite")
    first.record(NAME, STATE, classified(), b"a.png.json")
    first.close()

    second = Journal(tmp_path / "journal.sqlite")

    assert second.knows(NAME, STATE)
    second.close()


def test_the_row_tells_the_answer_to_others_while_it_is_open(journal: Journal) -> None:
    journal.record(NAME, STATE, classified(probability=0.9), b"a.png.json")
    journal.record(b"b.png", STATE, rejected(reason="empty file"), b"b.png.json")

    assert rows(
        journal, "SELECT name, sha256, finding, status, label, probability, reason FROM answers ORDER BY id"
    ) == [
        (NAME, SHA, b"a.png.json", "classified", "PNEUMONIA", 0.9, None),
        (b"b.png", "2" * 64, b"b.png.json", "rejected", None, None, "empty file"),
    ]
    assert rows(journal, "PRAGMA journal_mode") == [("wal",)]


def test_a_touched_file_is_seen_again_without_a_second_answer(journal: Journal) -> None:
    touched = dataclasses.replace(STATE, mtime_ns=STATE.mtime_ns + 1)
    journal.record(NAME, STATE, classified(), b"a.png.json")
    entry = journal.find(NAME, SHA)
    assert entry is not None

    journal.see_again(NAME, touched, entry)

    assert journal.knows(NAME, touched)
    assert rows(journal, "SELECT COUNT(*) FROM answers") == [(1,)]


def test_a_file_that_could_not_be_read_is_news_after_a_chmod(journal: Journal) -> None:
    journal.record(NAME, STATE, rejected(sha256=None, reason="cannot be read"), b"a.png.json")

    assert journal.knows(NAME, STATE)
    assert not journal.knows(NAME, dataclasses.replace(STATE, ctime_ns=6))


def test_a_file_that_could_be_read_is_no_news_after_a_chmod(journal: Journal) -> None:
    journal.record(NAME, STATE, classified(), b"a.png.json")

    assert journal.knows(NAME, dataclasses.replace(STATE, ctime_ns=6))


def test_all_or_nothing(journal: Journal) -> None:
    journal._database.execute("DROP TABLE seen")

    with pytest.raises(sqlite3.OperationalError):
        journal.record(NAME, STATE, classified(), b"a.png.json")

    assert rows(journal, "SELECT COUNT(*) FROM answers") == [(0,)]
    assert histogram_rows(journal) == []


# The running histogram

NOON = datetime(2024, 5, 1, 12).astimezone()


def at(moment: datetime, finding: Finding, *, distance: float | None = None, model: str = "0" * 64) -> Finding:
    model_ = msgspec.structs.replace(finding.model, sha256=model)
    return msgspec.structs.replace(finding, finished=timestamp(moment.astimezone(UTC)), distance=distance, model=model_)


def histogram_rows(journal: Journal) -> list[tuple[object, ...]]:
    return rows(journal, "SELECT day, model, quantity, bin, count FROM histogram ORDER BY day, model, quantity, bin")


def test_answers_are_counted_by_day_model_and_bin(journal: Journal) -> None:
    journal.record(b"1", STATE, at(NOON, classified(probability=0.9), distance=0.31), b"1.json")
    journal.record(b"2", STATE, at(NOON, classified(probability=0.91), distance=0.64), b"2.json")
    journal.record(b"3", STATE, at(NOON, rejected(reason="not a radiograph"), distance=7.0), b"3.json")
    journal.record(b"4", STATE, at(NOON, rejected(reason="empty file")), b"4.json")
    journal.record(b"5", STATE, at(NOON, classified(probability=0.9), model="f" * 64), b"5.json")
    journal.record(b"6", STATE, at(NOON + timedelta(days=1), classified(probability=0.9)), b"6.json")

    zero, other, likely = "0" * 64, "f" * 64, bin_of(PROBABILITY_EDGES, 0.9)
    near, middle, far = (bin_of(DISTANCE_EDGES, distance) for distance in (0.31, 0.64, 7.0))
    assert histogram_rows(journal) == [
        ("2024-05-01", zero, "distance", near, 1),
        ("2024-05-01", zero, "distance", middle, 1),
        ("2024-05-01", zero, "distance", far, 1),
        ("2024-05-01", zero, "probability", likely, 2),
        ("2024-05-01", other, "probability", likely, 1),
        ("2024-05-02", zero, "probability", likely, 1),
    ]
    assert rows(journal, "SELECT distance FROM answers ORDER BY id")[:4] == [(0.31,), (0.64,), (7.0,), (None,)]


def test_a_touched_file_is_not_counted_again(journal: Journal) -> None:
    journal.record(NAME, STATE, at(NOON, classified(), distance=0.5), b"a.png.json")
    entry = journal.find(NAME, SHA)
    assert entry is not None
    before = histogram_rows(journal)

    journal.see_again(NAME, dataclasses.replace(STATE, mtime_ns=1), entry)

    assert histogram_rows(journal) == before


def test_the_day_is_that_of_this_machine() -> None:
    midnight = datetime(2024, 5, 1).astimezone()

    assert local_day(timestamp(midnight)) == "2024-05-01"
    assert local_day(timestamp(midnight - timedelta(milliseconds=1))) == "2024-04-30"


@pytest.mark.parametrize("moment", ["never", "0001-01-01T00:00:00Z", ""])
def test_an_answer_at_no_time_is_remembered_and_not_counted(journal: Journal, moment: str) -> None:
    journal.record(NAME, STATE, msgspec.structs.replace(classified(), finished=moment), b"a.png.json")

    assert journal.knows(NAME, STATE)
    assert [row for row in histogram_rows(journal) if row[0] != "0001-01-01"] == []


def test_the_oldest_days_make_room(journal: Journal) -> None:
    # A transaction a day, without waiting for the disk each time.
    journal._database.execute("PRAGMA synchronous = OFF")
    for day in range(DAYS_KEPT + 2):
        journal.record(b"%d" % day, STATE, at(NOON + timedelta(days=day), classified()), b"%d.json" % day)
    journal.record(b"late", STATE, at(NOON, classified()), b"late.json")
    journal.record(b"clock", STATE, at(NOON.replace(year=2099), classified()), b"clock.json")

    days = [day for (day,) in rows(journal, "SELECT DISTINCT day FROM histogram ORDER BY day")]
    assert len(days) == DAYS_KEPT
    assert days[0] == (NOON + timedelta(days=3)).date().isoformat()
    assert rows(journal, "SELECT COUNT(*) FROM answers") == [(DAYS_KEPT + 4,)]


# Other versions

VERSION_1 = """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY, name BLOB NOT NULL, sha256 TEXT, finding BLOB NOT NULL, status TEXT NOT NULL, label TEXT,
    probability REAL, reason TEXT, model TEXT NOT NULL, received TEXT NOT NULL, finished TEXT NOT NULL
);
CREATE INDEX answers_by_name ON answers (name, sha256);
CREATE INDEX answers_by_sha256 ON answers (sha256);
CREATE TABLE seen (
    name BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER,
    answer INTEGER NOT NULL REFERENCES answers (id)
) WITHOUT ROWID;
INSERT INTO answers VALUES
    (1, x'612E706E67', 'aa', x'61', 'classified', 'PNEUMONIA', 0.9, NULL, 'm', 't', '2024-05-01T12:00:00.000Z'),
    (2, x'622E706E67', NULL, x'62', 'rejected', NULL, NULL, 'empty file', 'm', 't', '2024-05-01T12:00:01.000Z'),
    (3, x'632E706E67', 'cc', x'63', 'classified', 'PNEUMONIA', 0.9, NULL, 'm', 't', '2024-05-01T12:00:02.000Z');
INSERT INTO seen VALUES (x'612E706E67', 10, 20, NULL, 1);
PRAGMA user_version = 1;
"""


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A journal of version 1 with three answers."""
    path = tmp_path / "earlier.sqlite"
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(VERSION_1)
    database.close()
    return path


def test_an_earlier_version_is_extended_and_its_answers_are_counted(earlier: Path) -> None:
    for _ in range(2):
        Journal(earlier).close()

    journal = Journal(earlier)
    day = local_day("2024-05-01T12:00:00.000Z")
    assert histogram_rows(journal) == [(day, "m", "probability", bin_of(PROBABILITY_EDGES, 0.9), 2)]
    assert journal.knows(b"a.png", FileState(size=10, mtime_ns=20, ctime_ns=1, inode=1, mode=0))
    assert rows(journal, "SELECT id, reason, distance, confidence FROM answers") == [
        (1, None, None, None),
        (2, "empty file", None, None),
        (3, None, None, None),
    ]
    assert rows(journal, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    journal.record(NAME, STATE, classified(), b"a.png.json")
    journal.close()


def test_a_new_and_an_extended_journal_are_alike(journal: Journal, earlier: Path) -> None:
    extended = Journal(earlier)
    tables = ("answers", "seen", "histogram")

    for table in tables:
        columns = f"SELECT name, type, [notnull], pk FROM pragma_table_info('{table}')"
        assert rows(extended, columns) == rows(journal, columns)
    indexes = "SELECT name FROM sqlite_master WHERE type = 'index' ORDER BY name"
    assert rows(extended, indexes) == rows(journal, indexes)
    extended.close()


def test_an_extension_that_fails_changes_nothing(earlier: Path) -> None:
    database = sqlite3.connect(earlier)
    database.execute("CREATE TABLE histogram (in_the_way)")
    before = "\n".join(database.iterdump())
    database.close()

    with pytest.raises(UsageError, match="histogram already exists"):
        Journal(earlier)

    database = sqlite3.connect(earlier)
    assert "\n".join(database.iterdump()) == before
    assert database.execute("PRAGMA user_version").fetchone() == (1,)
    database.close()


def test_threads_share_it(journal: Journal) -> None:
    names = [f"{number}.png".encode() for number in range(50)]
    missed: list[bytes] = []

    def record(mine: list[bytes]) -> None:
        for name in mine:
            journal.record(name, STATE, classified(), name + b".json")
            if not journal.knows(name, STATE):
                missed.append(name)

    threads = [threading.Thread(target=record, args=(names[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert missed == []
    assert rows(journal, "SELECT COUNT(*) FROM answers") == [(50,)]


def test_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    database.close()

    with pytest.raises(UsageError, match=f"version {SCHEMA_VERSION + 1}.*update edge-pneumo"):
        Journal(path)


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    path.write_bytes(b"not a database, but long enough to be mistaken for one" * 100)

    with pytest.raises(UsageError, match=r"is damaged.*move it away"):
        Journal(path)


def test_a_journal_that_cannot_be_opened_is_refused() -> None:
    with folder_of_nobody() as folder:
        (folder / "journal.sqlite").touch(mode=0)

        with pytest.raises(UsageError, match=r"cannot be opened.*check its permissions"):
            Journal(folder / "journal.sqlite")
