from pathlib import Path

import pytest

from edge_runtime.board import notice as notices
from edge_runtime.board.notice import HOT, THROTTLED, UNDER_VOLTAGE, BoardNotice
from edge_runtime.board.throttling import Reading, look
from edge_runtime.health.health import Health
from tests.edge_runtime.board.planted import clock, put, raspberry_pi, zone
from tests.edge_runtime.clocks import HandClock


class Board:
    """A machine whose files a test changes, and what is said of it."""

    def __init__(self, sys: Path) -> None:
        self.sys, self.hand, self.notes = sys, HandClock(), list[str]()
        self.health = Health(clock=self.hand.clock)
        self.looks = 0
        self.notice = BoardNotice(self.health, note=self.notes.append, read=self._read, clock=self.hand.clock)

    def after(self, seconds: float) -> list[str]:
        """What is degraded when the notice has been stepped every second for so long."""
        for _ in range(int(seconds)):
            self.hand.wait(1.0)
            self.notice.step()
        return [trouble.reason for trouble in self.health.snapshot().degraded]

    def _read(self) -> Reading:
        self.looks += 1
        return look(self.sys)


@pytest.fixture
def board(tmp_path: Path) -> Board:
    board = Board(raspberry_pi(tmp_path))
    board.notice.step()
    return board


def test_a_board_at_ease_is_not_spoken_of(board: Board) -> None:
    assert board.after(120) == []
    assert board.notes == []


def test_it_is_looked_at_every_ten_seconds(board: Board) -> None:
    board.after(100)

    assert board.looks == 11


def test_under_voltage_is_said_within_ten_seconds_to_all(board: Board) -> None:
    raspberry_pi(board.sys, bits="50005")

    assert board.after(10) == [UNDER_VOLTAGE]
    assert board.notes == [UNDER_VOLTAGE]
    assert board.health.snapshot().degraded[0].part == "board"


def test_it_is_taken_back_after_a_minute_without_it(board: Board) -> None:
    raspberry_pi(board.sys, bits="1")
    board.after(10)
    raspberry_pi(board.sys, bits="0")

    assert board.after(50) == [UNDER_VOLTAGE]
    assert board.after(20) == []
    assert board.notes == [UNDER_VOLTAGE, "the board works at full speed again"]


def test_what_comes_and_goes_is_said_once(board: Board) -> None:
    for bits in ("1", "0") * 6:
        raspberry_pi(board.sys, bits=bits)
        assert board.after(10) == [UNDER_VOLTAGE]

    assert board.notes == [UNDER_VOLTAGE]


def test_something_else_is_said_in_its_place(board: Board) -> None:
    raspberry_pi(board.sys, bits="1")
    board.after(10)
    raspberry_pi(board.sys, bits="4")

    assert board.after(10) == [THROTTLED]
    assert board.notes == [UNDER_VOLTAGE, THROTTLED]


def test_heat_is_said_once_whatever_the_degree(board: Board) -> None:
    raspberry_pi(board.sys, millidegrees=82400)
    first = board.after(10)
    raspberry_pi(board.sys, millidegrees=84000)

    assert first == board.after(10) == [HOT.format(celsius=82.4, limit=80.0)]
    assert len(board.notes) == 1


def test_a_clock_lowered_before_the_start_is_somebodys_wish(tmp_path: Path) -> None:
    clock(tmp_path, allowed=600000, full=1800000)
    board = Board(tmp_path)
    at_start = board.after(10)
    clock(tmp_path, allowed=300000, full=1800000)

    assert at_start == []
    assert board.after(10) == [notices.CAPPED]


def test_an_x86_processor_that_was_throttled_since_the_last_look(tmp_path: Path) -> None:
    count = "devices/system/cpu/cpu0/thermal_throttle/core_throttle_count"
    put(tmp_path, count, "40")
    board = Board(tmp_path)
    at_start = board.after(20)
    put(tmp_path, count, "41")

    assert at_start == []
    assert board.after(10) == [THROTTLED]
    assert board.after(70) == []


def test_a_board_without_a_word_of_its_own_uses_its_trip_points(tmp_path: Path) -> None:
    zone(tmp_path, 0, "soc-thermal", 76000, passive=75000)
    board = Board(tmp_path)

    assert board.after(10) == [HOT.format(celsius=76.0, limit=75.0)]


def test_no_sentence_ends_with_a_full_stop_or_in_pieces() -> None:
    for words in (UNDER_VOLTAGE, THROTTLED, HOT, notices.CAPPED):
        assert not words.endswith(".")
        assert "\n" not in words


def test_files_that_go_away_meanwhile_end_nothing() -> None:
    def fails() -> Reading:
        raise OSError("no such device")

    health = Health()
    notice = BoardNotice(health, read=fails)
    notice.step()

    assert health.snapshot().degraded == ()
