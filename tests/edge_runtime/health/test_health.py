import threading
from collections.abc import Callable

import pytest

from edge_runtime.finding import Model
from edge_runtime.health.health import SILENT_SECONDS, Backlog, Health, Trouble
from tests.edge_runtime.clocks import HandClock
from tests.edge_runtime.findings import classified, rejected

HALF_PAST, A_MINUTE_LATER = "2024-05-01T09:30:00.000Z", "2024-05-01T09:31:00.000Z"


def test_a_new_watcher_is_starting_and_then_idle(health: Health, hand: HandClock) -> None:
    hand.wait(60)
    before = health.snapshot()
    health.ready()

    assert (before.state, before.since, before.started) == ("starting", HALF_PAST, HALF_PAST)
    assert (health.snapshot().state, health.snapshot().since) == ("idle", A_MINUTE_LATER)


def test_a_beat_shows_work_and_the_wait_for_more_ends_it(health: Health) -> None:
    health.beat()
    working = health.snapshot().state
    health.beat_with("read-ahead")

    assert (working, health.snapshot().state) == ("working", "idle")


def test_files_that_wait_are_work(health: Health) -> None:
    health.ready()

    health.waiting(3, more=True)
    waiting = health.snapshot()
    health.waiting(0, more=False)

    assert (waiting.state, waiting.backlog) == ("working", Backlog(3, more=True))
    assert (health.snapshot().state, health.snapshot().backlog) == ("idle", Backlog(0, more=False))


def test_the_gravest_state_is_told_and_what_lay_under_it_comes_back(health: Health) -> None:
    states = []
    for tell in (
        health.ready,
        lambda: health.degrade("no Edge TPU"),
        lambda: health.pause("the disk is full"),
        health.stopping,
    ):
        tell()
        states.append(health.snapshot().state)

    assert states == ["idle", "degraded", "paused", "stopping"]


def test_a_pause_that_ends_leaves_what_is_degraded(health: Health, hand: HandClock) -> None:
    health.ready()
    health.degrade("no Edge TPU")
    health.pause("the disk is full")
    hand.wait(60)
    health.resume()

    state = health.snapshot()

    assert (state.state, state.since, state.paused) == ("degraded", A_MINUTE_LATER, None)
    assert state.degraded == (Trouble("no Edge TPU", HALF_PAST, "engine"),)
    assert state.last_error == Trouble("the disk is full", HALF_PAST)


def test_one_part_takes_back_only_what_it_said(health: Health) -> None:
    health.ready()
    health.degrade("no Edge TPU")
    health.degrade("no events", part="folder")
    health.recover()
    left = health.snapshot()
    health.recover(part="folder")

    assert [trouble.part for trouble in left.degraded] == ["folder"]
    assert (left.state, health.snapshot().state) == ("degraded", "idle")


def test_a_repeated_reason_keeps_its_time(health: Health, hand: HandClock) -> None:
    health.pause("the disk is full")
    health.degrade("no events", part="folder")
    hand.wait(60)
    health.pause("the disk is full")
    health.degrade("no events", part="folder")

    state = health.snapshot()

    assert state.paused == Trouble("the disk is full", HALF_PAST)
    assert state.degraded[0].since == HALF_PAST


def test_the_last_error_stays(health: Health, hand: HandClock) -> None:
    health.fail("the first")
    hand.wait(60)
    health.fail("the second")

    assert health.snapshot().last_error == Trouble("the second", A_MINUTE_LATER)


def test_findings_are_counted_and_tell_what_answers(health: Health, hand: HandClock) -> None:
    for finding in (classified(), classified(), rejected()):
        health.accept(finding)
    hand.wait(60)

    state = health.snapshot()

    assert (state.answered, state.rejected, state.last_answer) == (2, 1, HALF_PAST)
    assert (state.model, state.engine) == (Model(name="tiny", sha256="0" * 64), "none")


def test_rates_are_of_the_last_minute_and_the_last_hour(health: Health, hand: HandClock) -> None:
    seen = []
    for number, wait in enumerate((0, 30, 50, 3540, 100)):  # the first one is 0, 30, 80, 3620 and 3720 seconds old then
        hand.wait(wait)
        if number < 3:
            health.accept(classified())
        seen.append((health.snapshot().last_minute, health.snapshot().last_hour))

    assert seen == [(1, 1), (2, 2), (2, 3), (0, 2), (0, 0)]


def test_an_hour_of_findings_is_kept_in_little_room(health: Health, hand: HandClock) -> None:
    for _ in range(20_000):
        hand.wait(1)
        health.accept(classified())

    assert len(health._buckets) <= 721
    assert health.snapshot().last_hour == pytest.approx(3600, abs=5)


# The rules of the heartbeat


def test_rule_1_a_radiograph_that_is_through_is_a_beat(health: Health) -> None:
    health.beat()
    health.beat()

    assert health.beats == 2


def test_rule_2_waiting_counts_only_while_the_read_ahead_moves(health: Health) -> None:
    beats = []
    steps: tuple[Callable[[], None], ...] = (
        lambda: None,  # nothing has moved since the start
        lambda: health.waiting(0, more=False),
        lambda: None,  # it hangs in the source
        lambda: health.moved("read-ahead"),
        lambda: health.moved("write-behind"),
    )
    for tell in steps:
        tell()
        health.beat_with("read-ahead")
        beats.append(health.beats)

    assert beats == [0, 1, 1, 2, 2]


def test_rule_3_waiting_for_room_counts_while_the_writer_moves_or_is_paused(health: Health) -> None:
    beats = []
    steps: tuple[Callable[[], None], ...] = (
        lambda: None,
        lambda: health.moved("write-behind"),
        lambda: None,  # an fsync hangs
        lambda: health.pause("the disk is full"),
        lambda: None,
        health.resume,
        lambda: health.waiting(5, more=False),
    )
    for tell in steps:
        tell()
        health.beat_with("write-behind")
        beats.append(health.beats)

    assert beats == [0, 1, 1, 2, 3, 3, 3]


def test_rule_4_a_paused_writer_does_not_excuse_the_read_ahead(health: Health) -> None:
    health.pause("the disk is full")
    health.beat_with("read-ahead")

    assert health.beats == 0


def test_rule_4_others_alone_are_no_beat(health: Health) -> None:
    health.moved("read-ahead")
    health.waiting(7, more=True)
    health.moved("write-behind")
    health.accept(classified())
    health.snapshot()

    assert health.beats == 0


def test_long_silence_is_told_with_its_beginning(health: Health, hand: HandClock) -> None:
    health.beat()
    hand.wait(SILENT_SECONDS)
    at_the_limit = health.snapshot().silent_since
    hand.wait(1)
    beyond = health.snapshot().silent_since
    health.beat()

    assert (at_the_limit, beyond, health.snapshot().silent_since) == (None, HALF_PAST, None)


def test_a_long_start_is_not_silence(health: Health, hand: HandClock) -> None:
    hand.wait(10 * SILENT_SECONDS)

    assert health.snapshot().silent_since is None


def test_nothing_is_lost_between_threads(health: Health) -> None:
    def tell() -> None:
        for _ in range(2000):
            health.accept(classified())
            health.moved("read-ahead")
            health.beat()
            health.snapshot()

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (health.beats, health.snapshot().answered, health.snapshot().last_hour) == (8000, 8000, 8000)
