import contextlib
import dataclasses
import resource
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from edge_runtime.drift import DISTANCE_EDGES, PROBABILITY_EDGES, bin_of
from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.finding import Finding, timestamp
from edge_runtime.journal.journal import DAYS_KEPT, SCHEMA_VERSION, Journal, Record, is_passing, local_day
from tests.edge_runtime.findings import classified, rejected
from tests.edge_runtime.journals import record, see_again
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

    record(journal, NAME, STATE, classified(), b"a.png.json")

    entry = journal.find(NAME, SHA)
    assert entry is not None
    assert entry.finding == b"a.png.json"
    assert journal.knows(NAME, STATE)
    assert journal.holds(NAME, b"a.png.json")
    assert not journal.holds(NAME, b"other.json")


@pytest.mark.parametrize("change", [{"size": 11}, {"mtime_ns": STATE.mtime_ns + 1}])
def test_a_changed_file_is_not_known(journal: Journal, change: dict[str, int]) -> None:
    record(journal, NAME, STATE, classified(), b"a.png.json")

    assert not journal.knows(NAME, dataclasses.replace(STATE, **change))
    assert not journal.knows(b"other.png", STATE)
    assert journal.find(NAME, "3" * 64) is None
    assert journal.find(b"other.png", SHA) is None


def test_an_answer_outlives_the_program(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal.sqlite")
    record(first, NAME, STATE, classified(), b"a.png.json")
    first.close()

    second = Journal(tmp_path / "journal.sqlite")

    assert second.knows(NAME, STATE)
    second.close()


def test_the_row_tells_the_answer_to_others_while_it_is_open(journal: Journal) -> None:
    record(journal, NAME, STATE, classified(probability=0.9), b"a.png.json")
    record(journal, b"b.png", STATE, rejected(reason="empty file"), b"b.png.json")

    assert rows(
        journal, "SELECT name, sha256, finding, status, label, probability, reason FROM answers ORDER BY id"
    ) == [
        (NAME, SHA, b"a.png.json", "classified", "PNEUMONIA", 0.9, None),
        (b"b.png", "2" * 64, b"b.png.json", "rejected", None, None, "empty file"),
    ]
    assert rows(journal, "PRAGMA journal_mode") == [("wal",)]


def test_a_touched_file_is_seen_again_without_a_second_answer(journal: Journal) -> None:
    touched = dataclasses.replace(STATE, mtime_ns=STATE.mtime_ns + 1)
    record(journal, NAME, STATE, classified(), b"a.png.json")
    entry = journal.find(NAME, SHA)
    assert entry is not None

    see_again(journal, NAME, touched, entry)

    assert journal.knows(NAME, touched)
    assert rows(journal, "SELECT COUNT(*) FROM answers") == [(1,)]


def test_a_file_that_could_not_be_read_is_news_after_a_chmod(journal: Journal) -> None:
    record(journal, NAME, STATE, rejected(sha256=None, reason="cannot be read"), b"a.png.json")

    assert journal.knows(NAME, STATE)
    assert not journal.knows(NAME, dataclasses.replace(STATE, ctime_ns=6))


def test_a_file_that_could_be_read_is_no_news_after_a_chmod(journal: Journal) -> None:
    record(journal, NAME, STATE, classified(), b"a.png.json")

    assert journal.knows(NAME, dataclasses.replace(STATE, ctime_ns=6))


def test_all_or_nothing(journal: Journal) -> None:
    with closing(sqlite3.connect(journal.path)) as other:
        other.execute("DROP TABLE seen")

    with pytest.raises(sqlite3.OperationalError):
        record(journal, NAME, STATE, classified(), b"a.png.json")

    assert rows(journal, "SELECT COUNT(*) FROM answers") == [(0,)]
    assert histogram_rows(journal) == []


# Groups


def test_a_group_is_entered_together(journal: Journal) -> None:
    commits: list[int] = []
    calls: list[Callable[[], None]] = [
        lambda: journal.enter([Record(b"%d" % n, STATE, classified(), b"%d.json" % n) for n in range(10)]),
        lambda: journal.enter([]),
        lambda: record(journal, NAME, STATE, classified(), b"a.png.json"),
    ]
    with closing(sqlite3.connect(journal.path)) as other:
        for call in calls:
            before = other.execute("PRAGMA data_version").fetchone()[0]
            call()
            commits.append(other.execute("PRAGMA data_version").fetchone()[0] - before)

    assert commits == [1, 0, 1]
    assert rows(journal, "SELECT id, name FROM answers ORDER BY id") == [
        *((n + 1, b"%d" % n) for n in range(10)),
        (11, NAME),
    ]
    assert all(journal.knows(b"%d" % n, STATE) for n in range(10))


def test_a_group_is_entered_completely_or_not_at_all(journal: Journal) -> None:
    bad = msgspec.structs.replace(classified(), received=None)

    with pytest.raises(sqlite3.IntegrityError):
        journal.enter([Record(b"a", STATE, classified(), b"a.json"), Record(b"b", STATE, bad, b"b.json")])

    assert rows(journal, "SELECT COUNT(*) FROM answers") == [(0,)]
    assert histogram_rows(journal) == []
    record(journal, b"a", STATE, classified(), b"a.json")
    assert journal.knows(b"a", STATE)


def test_what_a_failed_commit_has_entered_all_the_same_is_not_entered_again(journal: Journal) -> None:
    news = [Record(b"%d" % n, STATE, at(NOON, classified()), b"%d.json" % n) for n in range(3)]
    journal.enter(news[:2])
    before = histogram_rows(journal)
    with contextlib.suppress(sqlite3.Error), journal._writing():
        raise sqlite3.OperationalError("disk I/O error")  # as if the second answer's commit had failed

    journal.enter(news)
    journal.enter([Record(b"0", STATE, at(NOON, classified()), b"0.json")])  # not in doubt any more: a new answer

    assert rows(journal, "SELECT name FROM answers ORDER BY id") == [(b"0",), (b"1",), (b"2",), (b"0",)]
    assert sum(int(str(row[-1])) for row in histogram_rows(journal)) == sum(int(str(row[-1])) for row in before) * 2


# The same bytes elsewhere


def test_the_same_content_is_found_where_model_point_and_engine_are_the_same(journal: Journal) -> None:
    record(journal, b"first.png", STATE, classified("first.png"), b"first.json")
    entry = journal.find_same(SHA, "0" * 64, "balanced", "none")
    assert entry is not None
    journal.enter([Record(b"copy.png", STATE, classified("copy.png"), b"copy.json", same_as=entry.id)])

    assert entry.finding == b"first.json"
    assert journal.find_same(SHA, "0" * 64, "balanced", "none") == entry  # and not the copy
    assert journal.find_same(SHA, "f" * 64, "balanced", "none") is None
    assert journal.find_same(SHA, "0" * 64, "screening", "none") is None
    assert journal.find_same(SHA, "0" * 64, "balanced", "none, 2 threads") is None
    assert journal.find_same(SHA[:12] + "2" * 52, "0" * 64, "balanced", "none") is None
    assert rows(journal, "SELECT name, same_as FROM answers ORDER BY id") == [(b"first.png", None), (b"copy.png", 1)]


def test_the_same_content_is_looked_for_in_an_index(journal: Journal) -> None:
    queries: list[str] = []
    journal._reader.set_trace_callback(queries.append)  # type: ignore[union-attr]

    journal.find_same(SHA, "0" * 64, "balanced", "none")

    plan = [str(step[-1]) for step in rows(journal, f"EXPLAIN QUERY PLAN {queries[0]}")]
    assert any("USING INDEX answers_by_content (<expr>=?)" in step for step in plan), plan


def test_what_was_rejected_is_no_answer_to_a_copy(journal: Journal) -> None:
    record(journal, NAME, STATE, rejected(), b"a.png.json")

    assert journal.find_same("2" * 64, "0" * 64, "balanced", "none") is None


# Files that are moved


def test_where_a_file_was_moved_to_is_entered_with_the_next_answers(journal: Journal) -> None:
    record(journal, NAME, STATE, classified(), b"a.png.json")
    record(journal, b"b.png", STATE, rejected(), b"b.png.json")

    journal.move([(NAME, b"done/a.png")])
    before = rows(journal, "SELECT state, place FROM answers ORDER BY id")
    record(journal, b"c.png", STATE, classified(), b"c.png.json")

    assert before == [("answered", None)] * 2
    assert rows(journal, "SELECT state, place FROM answers ORDER BY id") == [
        ("moved", b"done/a.png"),
        ("answered", None),
        ("answered", None),
    ]


def test_where_a_file_was_moved_to_is_entered_at_the_end(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    record(journal, NAME, STATE, classified(), b"a.png.json")
    journal.move([(NAME, b"done/a.png")])
    journal.close()

    assert rows(journal, "SELECT state, place FROM answers") == [("moved", b"done/a.png")]


def test_the_verdict_on_a_file_as_it_lies_there(journal: Journal) -> None:
    record(journal, NAME, STATE, classified(), b"a.png.json")
    record(journal, b"b.png", STATE, rejected(), b"b.png.json")

    assert journal.verdict(NAME, STATE) == ("classified", SHA)
    assert journal.verdict(b"b.png", STATE) == ("rejected", "2" * 64)
    assert journal.verdict(NAME, dataclasses.replace(STATE, size=11)) is None
    assert journal.verdict(b"c.png", STATE) is None


# A disk that fails


@pytest.mark.parametrize("error", ["full", "I/O"])
def test_after_an_error_of_the_disk_it_works_again(tmp_path: Path, error: str) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    record(journal, b"before", STATE, classified(), b"before.json")
    news = [Record(b"%d" % n, STATE, classified(), b"%d.json" % n) for n in range(200)]

    try:
        if error == "full":
            resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))
        else:
            (tmp_path / "journal.sqlite-wal").rename(tmp_path / "away")  # SQLite does not notice
            resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        with pytest.raises(sqlite3.OperationalError) as refused:
            journal.enter(news)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        if error == "I/O":
            (tmp_path / "away").rename(tmp_path / "journal.sqlite-wal")

    assert is_passing(refused.value)
    assert journal.knows(b"before", STATE)
    assert not journal.knows(b"0", STATE)
    journal.enter(news)
    assert journal.knows(b"199", STATE)
    assert rows(journal, "PRAGMA integrity_check") == [("ok",)]
    journal.close()


def test_damage_and_faults_of_ours_are_no_passing_errors(tmp_path: Path) -> None:
    (tmp_path / "journal.sqlite").write_bytes(b"rubbish" * 10_000)
    damaged = sqlite3.connect(tmp_path / "journal.sqlite")

    with pytest.raises(sqlite3.DatabaseError) as refused:
        damaged.execute("SELECT 1 FROM answers")
    damaged.close()
    with pytest.raises(sqlite3.ProgrammingError) as closed:
        damaged.execute("SELECT 1")

    assert not is_passing(refused.value)
    assert not is_passing(closed.value)


# The running histogram

NOON = datetime(2024, 5, 1, 12).astimezone()


def at(moment: datetime, finding: Finding, *, distance: float | None = None, model: str = "0" * 64) -> Finding:
    model_ = msgspec.structs.replace(finding.model, sha256=model)
    return msgspec.structs.replace(finding, finished=timestamp(moment.astimezone(UTC)), distance=distance, model=model_)


def histogram_rows(journal: Journal) -> list[tuple[object, ...]]:
    return rows(journal, "SELECT day, model, quantity, bin, count FROM histogram ORDER BY day, model, quantity, bin")


def test_answers_are_counted_by_day_model_and_bin(journal: Journal) -> None:
    record(journal, b"1", STATE, at(NOON, classified(probability=0.9), distance=0.31), b"1.json")
    record(journal, b"2", STATE, at(NOON, classified(probability=0.91), distance=0.64), b"2.json")
    record(journal, b"3", STATE, at(NOON, rejected(reason="not a radiograph"), distance=7.0), b"3.json")
    record(journal, b"4", STATE, at(NOON, rejected(reason="empty file")), b"4.json")
    record(journal, b"5", STATE, at(NOON, classified(probability=0.9), model="f" * 64), b"5.json")
    record(journal, b"6", STATE, at(NOON + timedelta(days=1), classified(probability=0.9)), b"6.json")

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
    record(journal, NAME, STATE, at(NOON, classified(), distance=0.5), b"a.png.json")
    entry = journal.find(NAME, SHA)
    assert entry is not None
    before = histogram_rows(journal)

    see_again(journal, NAME, dataclasses.replace(STATE, mtime_ns=1), entry)

    assert histogram_rows(journal) == before


def test_the_day_is_that_of_this_machine() -> None:
    midnight = datetime(2024, 5, 1).astimezone()

    assert local_day(timestamp(midnight)) == "2024-05-01"
    assert local_day(timestamp(midnight - timedelta(milliseconds=1))) == "2024-04-30"


@pytest.mark.parametrize("moment", ["never", "0001-01-01T00:00:00Z", ""])
def test_an_answer_at_no_time_is_remembered_and_not_counted(journal: Journal, moment: str) -> None:
    record(journal, NAME, STATE, msgspec.structs.replace(classified(), finished=moment), b"a.png.json")

    assert journal.knows(NAME, STATE)
    assert [row for row in histogram_rows(journal) if row[0] != "0001-01-01"] == []


def test_the_oldest_days_make_room(journal: Journal) -> None:
    days_ = [(b"%d" % day, at(NOON + timedelta(days=day), classified())) for day in range(DAYS_KEPT + 2)]
    journal.enter([Record(name, STATE, finding, name + b".json") for name, finding in days_])
    record(journal, b"late", STATE, at(NOON, classified()), b"late.json")
    record(journal, b"clock", STATE, at(NOON.replace(year=2099), classified()), b"clock.json")

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


VERSION_2 = """
CREATE TABLE answers (
    id INTEGER PRIMARY KEY, name BLOB NOT NULL, sha256 TEXT, finding BLOB NOT NULL, status TEXT NOT NULL, label TEXT,
    probability REAL, reason TEXT, model TEXT NOT NULL, received TEXT NOT NULL, finished TEXT NOT NULL, distance REAL,
    confidence TEXT
);
CREATE INDEX answers_by_name ON answers (name, sha256);
CREATE TABLE seen (
    name BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER,
    answer INTEGER NOT NULL REFERENCES answers (id)
) WITHOUT ROWID;
CREATE TABLE histogram (
    day TEXT NOT NULL, model TEXT NOT NULL, quantity TEXT NOT NULL, bin INTEGER NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (day, model, quantity, bin)
) WITHOUT ROWID;
CREATE INDEX answers_by_finished ON answers (finished);
INSERT INTO answers VALUES
    (1, x'612E706E67', 'aa', x'61', 'classified', 'PNEUMONIA', 0.9, NULL, 'm', 't', '2024-05-01T12:00:00.000Z', 0.5,
     'certain'),
    (2, x'622E706E67', NULL, x'62', 'rejected', NULL, NULL, 'empty file', 'm', 't', '2024-05-01T12:00:01.000Z', NULL,
     NULL);
INSERT INTO seen VALUES (x'612E706E67', 10, 20, NULL, 1);
INSERT INTO histogram VALUES ('2024-05-01', 'm', 'probability', 3, 7);
PRAGMA user_version = 2;
"""


def written_by(version: str, path: Path) -> Path:
    database = sqlite3.connect(path)
    database.execute("PRAGMA journal_mode = WAL")
    database.executescript(version)
    database.close()
    return path


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """A journal of version 1 with three answers."""
    return written_by(VERSION_1, tmp_path / "earlier.sqlite")


@pytest.fixture(params=[VERSION_1, VERSION_2], ids=["1", "2"])
def any_earlier(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    return written_by(request.param, tmp_path / "any-earlier.sqlite")


def test_version_2_is_extended_and_nothing_in_it_changes(tmp_path: Path) -> None:
    journal = Journal(written_by(VERSION_2, tmp_path / "earlier.sqlite"))

    assert rows(journal, "SELECT id, name, sha256, finding, distance, state, place, same_as FROM answers") == [
        (1, b"a.png", "aa", b"a", 0.5, "answered", None, None),
        (2, b"b.png", None, b"b", None, "answered", None, None),
    ]
    assert histogram_rows(journal) == [("2024-05-01", "m", "probability", 3, 7)]
    assert rows(journal, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    assert journal.knows(b"a.png", FileState(size=10, mtime_ns=20, ctime_ns=1, inode=1, mode=0))
    # It is not known at which operating point it was answered.
    assert journal.find_same("aa", "m", "balanced", "none") is None
    journal.close()


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
    record(journal, NAME, STATE, classified(), b"a.png.json")
    journal.close()


def test_a_new_and_an_extended_journal_are_alike(journal: Journal, any_earlier: Path) -> None:
    extended = Journal(any_earlier)
    tables = ("answers", "seen", "histogram")

    for table in tables:
        columns = f"SELECT name, type, [notnull], pk, dflt_value FROM pragma_table_info('{table}')"
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

    def record_mine(mine: list[bytes]) -> None:
        for name in mine:
            record(journal, name, STATE, classified(), name + b".json")
            if not journal.knows(name, STATE):
                missed.append(name)

    threads = [threading.Thread(target=record_mine, args=(names[start::4],)) for start in range(4)]
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
