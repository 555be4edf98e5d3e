"""What changed lately: each follower is told all of it, or that it missed some; never half of it in silence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Change
from holdfast.services.recent_changes import RecentChanges

LIMIT = 5


def change(name: str, *, gone: bool = False, **status: str) -> Change:
    body = {"metadata": {"name": name, "namespace": "shop"}, "spec": {"policyRef": {"name": "daily"}}, "status": status}
    return Change(BACKUP_RUN, body, gone)


@given(st.lists(st.sampled_from(["a", "b", "c", "look"]), max_size=40))
def test_a_follower_knows_the_last_state_of_each_or_that_it_must_look_anew(steps: list[str]) -> None:
    changes = RecentChanges(limit=LIMIT)
    position, missed = changes.position(), 0
    truth: dict[str, str | None] = {}
    known: dict[str, str | None] = {}
    for number, step in enumerate(steps):
        if step != "look":
            missed += 1
            truth[step] = str(number)
            changes.add(change(step, phase=str(number)))
            continue
        notes = changes.after(position)
        assert (notes is None) == (missed > LIMIT)
        known = dict(truth) if notes is None else known | {note.name: note.phase for note in notes}
        assert known == truth
        position, missed = changes.position(), 0


def test_of_one_object_only_the_last_change_is_told() -> None:
    changes = RecentChanges()
    start = changes.position()
    changes.add(change("one", phase="Running", progress="5%"))
    changes.add(change("two", phase="Running"))
    changes.add(change("one", gone=True, phase="Succeeded"))
    found = changes.after(start)
    assert found is not None
    assert [(note.name, note.phase, note.gone) for note in found] == [
        ("two", "Running", False),
        ("one", "Succeeded", True),
    ]
    assert {note.policy for note in found} == {"daily"}


@pytest.mark.parametrize("position", ["", "x", "1", "-", "-1", "deadbeef-0", "{}-2", "{}--1", "{}-x", "{}-²", "{}- 0"])
def test_a_position_that_nobody_was_told_is_not_known(position: str) -> None:
    changes = RecentChanges()
    process = changes.position().partition("-")[0]
    changes.add(change("one"))
    assert changes.after(position.format(process)) is None


def test_a_restart_knows_no_position_of_before() -> None:
    assert RecentChanges().after(RecentChanges().position()) is None


def test_the_policy_is_told_where_the_object_names_one() -> None:
    changes = RecentChanges()
    start = changes.position()
    metadata = {"name": "x", "namespace": "shop"}
    changes.add(Change(BACKUP_POLICY, {"metadata": metadata, "spec": {}}))
    changes.add(Change(RESTORE_RUN, {"metadata": metadata, "spec": {"source": {"policyRef": {"name": "daily"}}}}))
    changes.add(Change(RESTORE_RUN, {"metadata": {**metadata, "name": "y"}, "spec": {"source": {}}}))
    assert [note.policy for note in changes.after(start) or ()] == ["x", "daily", None]


def test_listeners_hear_of_each_change() -> None:
    changes, heard = RecentChanges(), list[str]()
    changes.listen(lambda: heard.append(changes.position()))
    changes.add(change("one"))
    assert heard == [changes.position()]
