import dataclasses
import sqlite3
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.errors import UsageError
from edge_runtime.file_state import FileState
from edge_runtime.journal import SCHEMA_VERSION, Journal
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
