"""Who is told what, and when: storms are one mail, and nothing is told twice."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.domain.notifications import (
    LONGEST_PAUSE,
    PATIENCE,
    Debt,
    DeliveryPhase,
    Event,
    event_of,
    given_up,
    message_key,
    pause_after,
    plan,
    told_as,
)
from holdfast.domain.phases import Phase

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
COLLECT = 6 * HOUR
FAILED, SUCCEEDED, RECOVERED = Event.BACKUP_FAILED, Event.BACKUP_SUCCEEDED, Event.BACKUP_RECOVERED
SENT = DeliveryPhase.SENT


def owed(run: str, event: Event = FAILED, *, ago: timedelta = timedelta(0)) -> Debt:
    return Debt(run, event, NOW - ago)


def paid(run: str, event: Event = FAILED, *, ago: timedelta) -> Debt:
    return Debt(run, event, NOW - ago, SENT, message_id=f"{run}@x", attempts=1, sent=NOW - ago)


def tried(run: str, event: Event = FAILED, *, due: timedelta, message_id: str = "m@x", attempts: int = 1) -> Debt:
    return Debt(run, event, NOW - HOUR, message_id=message_id, attempts=attempts, next_attempt=NOW + due)


@pytest.mark.parametrize(
    ("phase", "before", "event"),
    [
        (Phase.SUCCEEDED, None, SUCCEEDED),
        (Phase.SUCCEEDED, Phase.SUCCEEDED, SUCCEEDED),
        (Phase.SUCCEEDED, Phase.FAILED, RECOVERED),
        (Phase.SUCCEEDED, Phase.PARTIALLY_FAILED, RECOVERED),
        (Phase.FAILED, Phase.FAILED, FAILED),
        (Phase.PARTIALLY_FAILED, Phase.SUCCEEDED, Event.BACKUP_PARTIAL),
        (Phase.CANCELLED, Phase.FAILED, None),
        (Phase.RUNNING, None, None),
    ],
)
def test_the_end_of_a_run_is_an_event(phase: Phase, before: Phase | None, event: Event | None) -> None:
    assert event_of(phase, before) is event


@pytest.mark.parametrize(
    ("event", "wanted", "told"),
    [
        (FAILED, [FAILED], FAILED),
        (SUCCEEDED, [FAILED], None),
        (RECOVERED, [RECOVERED, SUCCEEDED], RECOVERED),
        (RECOVERED, [SUCCEEDED], SUCCEEDED),
        (RECOVERED, [FAILED], None),
    ],
)
def test_people_are_told_what_they_want_to_know(event: Event, wanted: list[Event], told: Event | None) -> None:
    assert told_as(event, wanted) is told


def test_nothing_owed_is_nothing_to_do() -> None:
    todo = plan([paid("a", ago=HOUR)], now=NOW, collect=COLLECT)
    assert (todo.told, todo.send, todo.next_look) == ((), (), None)


def test_the_first_failure_is_told_at_once() -> None:
    [batch] = plan([owed("a")], now=NOW, collect=COLLECT).send
    assert batch.lead.run == "a"


def test_a_storm_is_one_mail_led_by_the_newest() -> None:
    [batch] = plan([owed(str(n), ago=n * HOUR) for n in range(200)], now=NOW, collect=COLLECT).send
    assert batch.lead.run == "0"
    assert [debt.run for debt in batch.rest] == [str(n) for n in range(1, 200)]


def test_a_failure_after_a_mail_about_one_waits_for_more() -> None:
    todo = plan([paid("a", ago=HOUR), owed("b")], now=NOW, collect=COLLECT)
    assert not todo.send
    assert todo.next_look == NOW + COLLECT - HOUR


def test_what_was_collected_is_one_mail() -> None:
    debts = [paid("a", ago=COLLECT), owed("b", ago=HOUR), owed("c")]
    [batch] = plan(debts, now=NOW, collect=COLLECT).send
    assert [debt.run for debt in batch.debts] == ["c", "b"]


def test_a_good_backup_is_told_at_once_with_the_failures_that_waited() -> None:
    debts = [paid("a", ago=HOUR), owed("b", ago=HOUR / 2), owed("c", RECOVERED)]
    [batch] = plan(debts, now=NOW, collect=COLLECT).send
    assert [debt.run for debt in batch.debts] == ["c", "b"]


def test_a_failure_after_good_news_is_a_new_story() -> None:
    debts = [paid("a", ago=3 * HOUR), paid("b", RECOVERED, ago=2 * HOUR), owed("c")]
    assert plan(debts, now=NOW, collect=COLLECT).send


def test_a_mail_that_was_chosen_goes_again_as_it_was() -> None:
    debts = [tried("a", due=-HOUR), Debt("b", FAILED, NOW, message_id="m@x")]
    [batch] = plan(debts, now=NOW, collect=COLLECT).send
    assert (batch.message_id, batch.lead.run, [debt.run for debt in batch.rest]) == ("m@x", "a", ["b"])


def test_a_mail_that_is_not_due_waits_and_so_does_all_else() -> None:
    todo = plan([tried("a", due=HOUR), owed("b", SUCCEEDED)], now=NOW, collect=COLLECT)
    assert not todo.send
    assert todo.next_look == NOW + HOUR


def test_what_a_mail_carried_that_went_out_is_not_sent_again() -> None:
    debts = [paid("a", ago=HOUR), Debt("b", FAILED, NOW, message_id="a@x")]
    todo = plan(debts, now=NOW, collect=COLLECT)
    assert [debt.run for debt in todo.told] == ["b"]
    assert not todo.send


def test_a_mail_server_that_was_away_for_long_gets_two_mails_not_many() -> None:
    first = tried("0", due=-HOUR)
    debts = [first, *(owed(str(n), SUCCEEDED) for n in range(1, 100))]
    [batch] = plan(debts, now=NOW, collect=COLLECT).send
    assert batch.debts == (first,)
    after = [paid("0", ago=timedelta(0)), *debts[1:]]
    [batch] = plan(after, now=NOW, collect=COLLECT).send
    assert len(batch.debts) == 99


def test_pauses_grow_to_a_limit() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, 50)]
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (timedelta(minutes=1), LONGEST_PAUSE)


def test_a_mail_is_given_up_after_a_day() -> None:
    assert not given_up(NOW, NOW + PATIENCE - timedelta(seconds=1))
    assert given_up(NOW, NOW + PATIENCE)


def test_a_message_is_named_by_all_its_words() -> None:
    assert message_key("a", "bc") != message_key("ab", "c")
    assert message_key("a", "b") == message_key("a", "b")


@given(
    st.lists(
        st.builds(
            Debt,
            run=st.uuids().map(str),
            event=st.sampled_from([FAILED, SUCCEEDED, RECOVERED]),
            at=st.integers(0, 100).map(lambda hours: NOW - hours * HOUR),
            phase=st.sampled_from(DeliveryPhase),
            message_id=st.sampled_from([None, "a@x", "b@x", "c@x"]),
            attempts=st.integers(0, 3),
            next_attempt=st.none() | st.integers(-5, 5).map(lambda hours: NOW + hours * HOUR),
            sent=st.none() | st.integers(0, 10).map(lambda hours: NOW - hours * HOUR),
        ),
        unique_by=lambda debt: debt.run,
    )
)
def test_nothing_owed_is_forgotten_and_nothing_paid_is_sent(debts: list[Debt]) -> None:
    todo = plan(debts, now=NOW, collect=COLLECT)
    sending = [debt for batch in todo.send for debt in batch.debts]
    assert all(debt.phase is DeliveryPhase.OWED for debt in (*todo.told, *sending))
    handled = {debt.run for debt in (*todo.told, *sending)}
    waiting = {debt.run for debt in debts if debt.phase is DeliveryPhase.OWED} - handled
    assert len(handled) == len(todo.told) + len(sending)
    assert not waiting or todo.next_look is not None or todo.send
