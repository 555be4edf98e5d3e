"""Holds in a repository: who may let go of what."""

from datetime import UTC, datetime

import pytest

from holdfast.repository.holds import Hold, Holder, follow_runs, held_ids, hold, holds, release
from holdfast.stores.memory import MemoryStore

NOW = datetime(2026, 11, 23, 3, 0, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_hold_is_kept_with_its_reason(store: MemoryStore) -> None:
    assert hold(store, "b1", Holder.PERSON, "before the migration", NOW)
    assert holds(store) == [Hold("b1", Holder.PERSON, "before the migration")]
    assert held_ids(store) == {"b1"}


def test_holding_twice_changes_nothing(store: MemoryStore) -> None:
    hold(store, "b1", Holder.PERSON, "first", NOW)
    assert not hold(store, "b1", Holder.PERSON, "second", NOW)
    assert [one.reason for one in holds(store)] == ["first"]


def test_what_two_hold_stays_when_one_lets_go(store: MemoryStore) -> None:
    for holder in Holder:
        hold(store, "b1", holder, "", NOW)
    release(store, "b1", Holder.PERSON)
    assert held_ids(store) == {"b1"}
    release(store, "b1", Holder.CLUSTER)
    assert held_ids(store) == frozenset()


def test_the_repository_follows_what_runs_say(store: MemoryStore) -> None:
    follow_runs(store, {"b1": True, "b2": False}, NOW)
    assert held_ids(store) == {"b1"}
    follow_runs(store, {"b1": False, "b2": True}, NOW)
    assert held_ids(store) == {"b2"}


def test_a_run_that_was_lost_does_not_let_go(store: MemoryStore) -> None:
    follow_runs(store, {"b1": True}, NOW)
    follow_runs(store, {}, NOW)
    assert held_ids(store) == {"b1"}


def test_a_run_does_not_let_go_of_what_a_person_holds(store: MemoryStore) -> None:
    hold(store, "b1", Holder.PERSON, "", NOW)
    follow_runs(store, {"b1": False}, NOW)
    assert held_ids(store) == {"b1"}


def test_a_damaged_hold_holds_all_the_same(store: MemoryStore) -> None:
    hold(store, "b1", Holder.PERSON, "", NOW)
    store.objects["holds/b1/person"] = b"\x00"
    assert holds(store) == [Hold("b1", Holder.PERSON)]
    assert held_ids(store) == {"b1"}
