"""What is due is made sure of from outside, and never more than the schedules want."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, KubeObject
from holdfast.services.start_due import Outcome, start_due
from holdfast.specs.names import run_of_tick, tick_of_job
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import policy_body
from tests.unit.test_look_up import Memory

TWO = datetime(2026, 3, 1, 2, 0, tzinfo=UTC)
NAME = run_of_tick("shop", TWO)
MADE = "2026-02-01T00:00:00Z"


class Site:
    """A cluster, and the mirror of it."""

    def __init__(self) -> None:
        self.cluster = FakeCluster(FakeClock(TWO))
        self.memory = Memory()
        self.policies: list[KubeObject] = []

    def policy(self, name: str = "shop", status: dict[str, Any] | None = None, **spec: Any) -> None:
        schedule = {"cron": "0 2 * * *", "timeZone": "Etc/UTC", **spec}
        body = policy_body(name, schedule=schedule)
        body["metadata"]["creationTimestamp"] = MADE
        self.policies.append({**body, "status": status or {}})

    def run(self, name: str, phase: str) -> None:
        body = {"metadata": {"name": name, "namespace": "default"}, "spec": {"policyRef": {"name": "shop"}}}
        self.cluster.put(BACKUP_RUN, {**body, "status": {"phase": phase}})

    def ask(self, now: datetime, **named: str) -> list[tuple[str, Outcome]]:
        self.memory.held = {BACKUP_POLICY: self.policies, BACKUP_RUN: list(self.cluster.list(BACKUP_RUN))}
        return [(seen.run, seen.outcome) for seen in start_due(self.cluster, self.memory, now, **named)]


@pytest.fixture
def site() -> Site:
    return Site()


def test_what_is_due_is_started_once_under_the_name_of_its_time(site: Site) -> None:
    site.policy()
    assert site.ask(TWO) == [(NAME, Outcome.STARTED)]
    assert site.ask(TWO + timedelta(minutes=30)) == [(NAME, Outcome.THERE)]
    [made] = site.cluster.list(BACKUP_RUN)
    assert made["spec"] == {"policyRef": {"name": "shop"}, "reason": "Scheduled"}
    assert tick_of_job("shop", NAME) == TWO
    assert site.cluster.notes == ["It was due, and asked for over HTTP."]


def test_a_mirror_that_is_behind_starts_nothing_twice(site: Site) -> None:
    site.policy()
    site.ask(TWO)
    site.memory.held[BACKUP_RUN] = []
    [seen] = start_due(site.cluster, site.memory, TWO)
    assert seen.outcome is Outcome.THERE


@pytest.mark.parametrize("late", [timedelta(seconds=-1), timedelta(hours=1, seconds=1), timedelta(hours=12)])
def test_nothing_is_due_before_its_time_or_too_late_for_it(site: Site, late: timedelta) -> None:
    site.policy()
    assert site.ask(TWO + late) == [("shop", Outcome.NOT_DUE)]


def test_a_policy_that_is_younger_than_its_time_owes_nothing(site: Site) -> None:
    site.policy()
    site.policies[0]["metadata"]["creationTimestamp"] = "2026-03-01T02:00:30Z"
    assert site.ask(TWO + timedelta(minutes=1)) == [("shop", Outcome.NOT_DUE)]


def test_a_suspended_schedule_starts_nothing(site: Site) -> None:
    site.policy(suspend=True)
    assert site.ask(TWO) == [("shop", Outcome.SUSPENDED)]
    assert not site.cluster.list(BACKUP_RUN)


@pytest.mark.parametrize("phase", ["Pending", "Running", "Verifying"])
def test_an_earlier_run_at_work_forbids_another(site: Site, phase: str) -> None:
    site.policy()
    site.run("by-hand", phase)
    assert site.ask(TWO) == [(NAME, Outcome.BUSY)]
    assert len(site.cluster.list(BACKUP_RUN)) == 1


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "PartiallyFailed", "Cancelled"])
def test_a_run_that_has_ended_is_in_nobodys_way(site: Site, phase: str) -> None:
    site.policy()
    site.run("by-hand", phase)
    assert site.ask(TWO) == [(NAME, Outcome.STARTED)]


def test_a_run_that_somebody_deleted_does_not_come_back(site: Site) -> None:
    settled = {"schedule": "0 2 * * * Etc/UTC", "settledUntil": "2026-03-01T02:00:00Z", "count": 0}
    site.policy(status={"missedSchedules": settled})
    assert site.ask(TWO + timedelta(minutes=1)) == [(NAME, Outcome.THERE)]
    assert not site.cluster.list(BACKUP_RUN)


def test_only_what_is_named_is_looked_at(site: Site) -> None:
    site.policy()
    site.policy("other")
    assert site.ask(TWO, policy="other") == [(run_of_tick("other", TWO), Outcome.STARTED)]
    assert site.ask(TWO, namespace="elsewhere") == []


def test_a_policy_that_makes_no_sense_hides_no_other(site: Site) -> None:
    site.policy("wrong", cron="every day")
    site.policy()
    site.policies[0]["metadata"]["name"] = "wrong"
    assert site.ask(TWO) == [(NAME, Outcome.STARTED)]


def test_before_the_cluster_is_read_nothing_is_started(site: Site) -> None:
    site.policy()
    site.memory.ready = False
    with pytest.raises(ClusterUnavailable):
        site.ask(TWO)


@given(st.lists(st.integers(0, 24 * 60 * 60), min_size=1, max_size=30), st.sampled_from([1, 7, 20, 60]))
def test_no_calls_cause_more_than_the_schedule(seconds: list[int], step: int) -> None:
    site, start = Site(), datetime(2026, 3, 1, tzinfo=UTC)
    site.policy(cron=f"*/{step} * * * *" if step < 60 else "0 * * * *", startingDeadlineSeconds=600)
    for second in sorted(seconds):
        for run, outcome in site.ask(start + timedelta(seconds=second)):
            if outcome is Outcome.STARTED:
                body = site.cluster.get(BACKUP_RUN, "default", run)
                assert body is not None
                site.cluster.patch_status(BACKUP_RUN, body, {"phase": "Succeeded"})
    ticks = [tick_of_job("shop", run["metadata"]["name"]) for run in site.cluster.list(BACKUP_RUN)]
    assert len(ticks) == len(set(ticks))
    assert all(tick and tick.minute % step == 0 for tick in ticks)
