"""A status is written as the difference to what is there, by one writer at a time."""

from typing import Any

import pytest

from holdfast.domain.phases import Phase
from holdfast.domain.run_end import RunEnd
from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_RUN, KubeObject
from holdfast.resources.conditions import condition, set_condition
from holdfast.resources.run import COLLECTIONS_LIMIT, BackupRun, BackupRunStatus
from holdfast.services.write_status import change_run, merge_changes
from holdfast.specs import run_status
from tests.support.fake_cluster import START, FakeClock, FakeCluster
from tests.support.kube_objects import NAMESPACE, run_body


@pytest.mark.parametrize(
    ("old", "new", "changes"),
    [
        ({}, {}, {}),
        ({"a": 1}, {"a": 1}, {}),
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": 1}, {}, {"a": None}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "d": 3}}, {"a": {"c": None, "d": 3}}),
        ({"a": [1, 2]}, {"a": [2]}, {"a": [2]}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({}, {"a": {}}, {"a": {}}),
    ],
)
def test_the_changes_are_a_merge_patch(old: dict[str, Any], new: dict[str, Any], changes: dict[str, Any]) -> None:
    assert merge_changes(old, new) == changes


def running(run: BackupRun) -> BackupRunStatus:
    return run_status.moved(run.status, Phase.RUNNING, reason="Running", message="", now=START, generation=1)


def test_a_writer_that_was_overtaken_reads_again() -> None:
    cluster = FakeCluster()
    cluster.put(BACKUP_RUN, run_body())
    calls = []

    def change(run: BackupRun) -> BackupRunStatus:
        calls.append(run.status.attempts)
        if len(calls) == 1:  # somebody else is faster
            current = cluster.get(BACKUP_RUN, NAMESPACE, "by-hand")
            assert current is not None
            cluster.patch_status(BACKUP_RUN, current, {"attempts": 5})
        return running(run)

    after = change_run(cluster, NAMESPACE, "by-hand", change)
    assert calls == [None, 5]
    assert after is not None
    assert (after.status.attempts, after.status.phase) == (5, Phase.RUNNING)


def test_a_run_that_has_ended_is_never_written() -> None:
    cluster = FakeCluster()
    cluster.put(BACKUP_RUN, run_body() | {"status": {"phase": "Failed"}})
    after = change_run(cluster, NAMESPACE, "by-hand", running)
    assert after is not None
    assert after.status.phase is Phase.FAILED
    assert cluster.writes == []


def test_a_run_that_is_gone_is_none() -> None:
    assert change_run(FakeCluster(), NAMESPACE, "by-hand", running) is None


def test_an_object_that_never_holds_still_is_unavailable() -> None:
    class Restless(FakeCluster):
        def patch_status(self, *_: Any) -> KubeObject | None:
            return None

    cluster = Restless()
    cluster.put(BACKUP_RUN, run_body())
    with pytest.raises(ClusterUnavailable, match="changes faster"):
        change_run(cluster, NAMESPACE, "by-hand", running)


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    clock = FakeClock()
    first = set_condition((), condition("Ready", True, "A", "", now=clock(), generation=1))
    clock.advance(60)
    second = set_condition(first, condition("Ready", True, "B", "", now=clock(), generation=2))
    third = set_condition(second, condition("Ready", False, "C", "", now=clock(), generation=2))
    assert [one[0].last_transition_time for one in (first, second, third)] == [START, START, clock.now]
    assert second[0].reason == "B"


def test_a_status_lists_a_hundred_collections_and_the_failed_ones_first() -> None:
    collections = [{"name": f"c{number:03}", "phase": "Succeeded"} for number in range(150)]
    collections[140] = {"name": "c140", "phase": "Failed", "error": "no"}
    status = run_status.with_facts(BackupRunStatus(), {"collections": collections})
    assert len(status.collections) == COLLECTIONS_LIMIT
    assert status.collections[0].name == "c140"
    assert status.collections_omitted == 50


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.SUCCEEDED, {"Complete": "True", "Failed": "False"}),
        (Phase.PARTIALLY_FAILED, {"Complete": "False", "Failed": "True", "Stalled": "True"}),
        (Phase.FAILED, {"Complete": "False", "Failed": "True", "Stalled": "True"}),
        (Phase.CANCELLED, {"Complete": "False", "Failed": "True", "Stalled": "True"}),
    ],
)
def test_the_conditions_of_an_end_are_those_that_tools_wait_for(phase: Phase, expected: dict[str, str]) -> None:
    began = run_status.started(BackupRunStatus(), now=START, generation=1)
    assert {c.type: c.status for c in began.conditions} == {
        "Complete": "False",
        "Failed": "False",
        "Reconciling": "True",
    }
    ended = run_status.ended(began, RunEnd(phase, "Why", "m"), now=START, generation=1)
    assert {c.type: c.status for c in ended.conditions} == expected
    assert ended.observed_generation == 1


def test_a_duration_runs_from_the_first_start() -> None:
    clock = FakeClock()
    status = run_status.started(BackupRunStatus(), now=clock(), generation=1)
    clock.advance(60)
    status = run_status.started(status, now=clock(), generation=1)
    clock.advance(30)
    ended = run_status.ended(status, RunEnd(Phase.SUCCEEDED, "Succeeded", ""), now=clock(), generation=1)
    assert (ended.duration, ended.attempts, ended.progress) == ("1m30s", 2, "100%")
