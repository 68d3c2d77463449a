from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_runtime.doctor import folders, storage
from edge_runtime.doctor.machine import Machine
from edge_runtime.doctor.subject import Subject
from edge_runtime.service.access import Account
from tests.edge_runtime.nobody import folder_of_nobody

MACHINE = Machine()


@pytest.fixture
def place() -> Iterator[Path]:
    """Where permissions apply, to root as well."""
    with folder_of_nobody() as folder:
        (folder / "in").mkdir()
        (folder / "results").mkdir()
        yield folder


def of(place: Path, account: Account | None = None) -> Subject:
    return Subject(folder=place / "in", results=place / "results", account=account)


def test_folders_of_one_s_own_are_in_order(place: Path) -> None:
    for check in (folders.watched_folder, folders.results_folder, storage.disk_writes):
        assert check(MACHINE, of(place)).status == "ok"


def test_a_folder_that_may_not_be_read_is_named(place: Path) -> None:
    (place / "in").chmod(0o300)

    found = folders.watched_folder(MACHINE, of(place))

    assert (found.status, found.found) == ("fail", f"this user may not read {place / 'in'}")


def test_results_that_may_not_be_changed_are_named(place: Path) -> None:
    (place / "results").chmod(0o500)

    found = folders.results_folder(MACHINE, of(place))

    assert (found.status, found.found) == ("fail", f"this user may not read and change {place / 'results'}")
    assert storage.disk_writes(MACHINE, of(place)).status == "skip"


def test_results_that_are_to_come_need_a_folder_to_come_into(place: Path) -> None:
    (place / "results").rmdir()
    before = folders.results_folder(MACHINE, of(place))
    place.chmod(0o500)

    after = folders.results_folder(MACHINE, of(place))
    place.chmod(0o700)

    assert (before.status, after.status) == ("ok", "fail")


def test_a_file_is_no_folder(place: Path) -> None:
    (place / "in").rmdir()
    (place / "in").touch()

    assert folders.watched_folder(MACHINE, of(place)).found == f"{place / 'in'} is a file"


def test_a_folder_in_the_results_is_refused(place: Path) -> None:
    within = place / "results" / "in"
    within.mkdir()

    assert folders.watched_folder(MACHINE, Subject(folder=within, results=place / "results")).status == "fail"


def test_what_another_user_may_do_is_not_guessed(place: Path) -> None:
    service = Account("edge-pneumo", 4321, 4321, ())

    for check in (folders.watched_folder, folders.results_folder):
        found = check(MACHINE, of(place, service))
        assert found.status == "skip"
        assert "sudo" in found.found
