import random

from edge_runtime.sources.looks import First, Looks

RESCAN, POLL = 60.0, 5.0


def test_rule_1_looks_at_once_and_then_at_intervals() -> None:
    looks = Looks(RESCAN, POLL, 100.0)
    assert looks.is_due(100.0, is_idle=False)

    looks.ended(101.0, 1.0, is_polled=False, more=False)

    assert not looks.is_due(160.9, is_idle=True)
    assert looks.is_due(161.0, is_idle=False)


def test_rule_1_looks_more_often_where_it_polls() -> None:
    looks = Looks(RESCAN, POLL, 0.0)

    looks.ended(0.0, 0.5, is_polled=True, more=False)

    assert not looks.is_due(4.9, is_idle=True)
    assert looks.is_due(5.0, is_idle=True)


def test_rule_1_a_look_that_takes_long_is_taken_less_often() -> None:
    looks = Looks(RESCAN, POLL, 0.0)

    looks.ended(0.0, 10.0, is_polled=False, more=False)
    assert looks.next == 200.0
    looks.ended(0.0, 10.0, is_polled=True, more=False)
    assert looks.next == 50.0


def test_rule_2_what_did_not_fit_in_is_looked_for_when_all_else_is_done() -> None:
    looks = Looks(RESCAN, POLL, 0.0)

    looks.ended(10.0, 10.0, is_polled=False, more=True)

    assert not looks.is_due(10.0, is_idle=False)
    assert looks.is_due(10.0, is_idle=True)


def test_rule_2_what_may_have_been_missed_is_looked_for_and_not_all_the_time() -> None:
    looks = Looks(RESCAN, POLL, 0.0)
    looks.ended(0.0, 1.0, is_polled=False, more=False)

    looks.is_wanted = True

    assert not looks.is_due(19.9, is_idle=True)
    assert looks.is_due(20.0, is_idle=True)


def test_no_poll_is_rarer_than_a_rescan() -> None:
    assert Looks(2.0, 5.0, 0.0).poll == 2.0


def test_keeps_the_first_of_many_and_no_more() -> None:
    first = First(10)
    ranks = list(range(1000))
    random.Random(1).shuffle(ranks)

    for rank in ranks:
        first.add(rank, f"{rank}.png")
        assert len(first._files) <= 20

    assert first.files() == [(rank, f"{rank}.png") for rank in range(10)]
    assert first.more


def test_says_when_none_was_left_out() -> None:
    first = First(2)
    first.add(2, "b")
    first.add(1, "a")

    assert first.files() == [(1, "a"), (2, "b")]
    assert not first.more


def test_other_intervals_begin_with_a_look() -> None:
    looks = Looks(RESCAN, POLL, 0.0)
    looks.ended(0.0, 0.0, is_polled=False, more=False)

    looks.change(10.0, 20.0, 1.0)

    assert looks.poll == 10.0
    assert looks.is_due(1.0, is_idle=False)
    looks.ended(1.0, 0.0, is_polled=False, more=False)
    assert not looks.is_due(10.9, is_idle=True)
    assert looks.is_due(11.0, is_idle=False)
