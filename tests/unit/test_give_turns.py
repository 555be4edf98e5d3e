"""The operator lets runs in, no more than so many at once, and tells the others that they wait."""

from contextlib import suppress
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.domain.turns import PATIENCE
from holdfast.errors import ClusterUnavailable, InvalidSpec, NotAuthorized
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, Kind, KubeObject
from holdfast.resources.base import format_time
from holdfast.services.give_turns import Turns
from holdfast.services.reconcile_run import reconcile_run
from holdfast.specs.names import DEADLINE_ANNOTATION
from holdfast.specs.worker import WorkerImage, cron_job, run_for_job
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import NAMESPACE, cron_job_job, policy_body, policy_model, run_body

QUEUED = WorkerImage("holdfast:1", queued=True)
SCHEDULED = "shop-29384720"


class Site:
    """A cluster, and an operator that gives turns in it."""

    def __init__(self, limit: int = 2) -> None:
        self.clock = FakeClock()
        self.cluster = FakeCluster(self.clock)
        self.cluster.put(BACKUP_POLICY, policy_body())
        self.limit = limit
        self.turns = Turns(self.cluster, self.clock, limit)

    def run(self, name: str, reason: str = "Manual") -> KubeObject:
        """Somebody creates a run; each is a second younger than the one before."""
        self.clock.advance(1)
        body = run_body(name)
        body["spec"]["reason"] = reason
        return self.cluster.put(BACKUP_RUN, body)

    def survey(self) -> None:
        stamp = self.turns.begin_survey()
        self.turns.survey(self.cluster.list(BACKUP_RUN), stamp)

    def give(self) -> list[str]:
        self.survey()
        return [key.name for key in self.turns.give()]

    def get(self, name: str) -> KubeObject:
        body = self.cluster.get(BACKUP_RUN, NAMESPACE, name)
        assert body is not None
        return body

    def status(self, name: str) -> dict[str, Any]:
        result: dict[str, Any] = self.get(name)["status"]
        return result

    def say(self, name: str, phase: str) -> None:
        """The worker, or who follows its Job, writes the run's phase."""
        self.cluster.patch_status(BACKUP_RUN, self.get(name), {"phase": phase})

    def holders(self) -> int:
        """Runs that have not ended and may be at work."""
        bodies = [body.get("status", {}) for body in self.cluster.list(BACKUP_RUN)]
        open_ones = [status for status in bodies if status.get("phase") in (None, "Pending", "Running")]
        return sum(one.get("phase") == "Running" or "turnTime" in one.get("queue", {}) for one in open_ones)


@pytest.fixture
def site() -> Site:
    return Site()


def test_a_run_that_is_being_deleted_makes_room_at_once(site: Site) -> None:
    for name in "abc":
        site.run(name)
    assert site.give() == ["a", "b"]
    site.cluster.patch(BACKUP_RUN, site.get("a"), {"metadata": {"finalizers": ["holdfast.dev/backup"]}})
    site.cluster.delete(BACKUP_RUN, site.get("a"))
    assert site.give() == ["c"]


def test_the_oldest_are_let_in_and_the_others_are_told_why_they_wait(site: Site) -> None:
    for name in "abcd":
        site.run(name)
    assert site.give() == ["a", "b"]
    assert site.status("a")["queue"]["turnTime"]
    status = site.status("d")
    assert (status["phase"], status["reason"]) == ("Pending", "Queued")
    assert "no more than 2 backups run at once (maxConcurrentRuns). 1 waits before it." in status["message"]
    assert {one["type"]: one["reason"] for one in status["conditions"]}["Reconciling"] == "Queued"
    assert ("Normal", "Queued") in site.cluster.recorded


@pytest.mark.parametrize("phase", ["Succeeded", "PartiallyFailed", "Failed", "Cancelled"])
def test_a_place_is_free_however_its_run_ends(site: Site, phase: str) -> None:
    for name in "abcd":
        site.run(name)
    site.give()
    site.say("a", "Running")
    assert site.give() == []
    site.say("a", phase)
    assert site.give() == ["c"]


def test_a_run_that_is_deleted_frees_its_place(site: Site) -> None:
    for name in "abc":
        site.run(name)
    site.give()
    site.cluster.delete(BACKUP_RUN, site.get("b"))
    assert site.give() == ["c"]


def test_a_run_whose_job_is_found_dead_frees_its_place() -> None:
    site = Site(limit=1)
    site.run("a")
    site.run("b")
    assert site.give() == ["a"]
    reconcile_run(site.cluster, NAMESPACE, "a", image=QUEUED, clock=site.clock)
    job = site.cluster.get(JOB, NAMESPACE, "a")
    assert job is not None
    site.cluster.delete(JOB, job)
    reconcile_run(site.cluster, NAMESPACE, "a", image=QUEUED, clock=site.clock)
    assert site.give() == ["b"]


def test_a_run_by_hand_gets_its_job_with_its_turn() -> None:
    site = Site(limit=1)
    for name in "ab":
        site.run(name)
    site.give()
    for name in "ab":
        reconcile_run(site.cluster, NAMESPACE, name, image=QUEUED, clock=site.clock)
    assert [job["metadata"]["name"] for job in site.cluster.list(JOB)] == ["a"]
    site.say("a", "Succeeded")
    site.give()
    reconcile_run(site.cluster, NAMESPACE, "b", image=QUEUED, clock=site.clock)
    assert site.cluster.get(JOB, NAMESPACE, "b") is not None


def test_what_the_queue_says_is_not_said_over(site: Site) -> None:
    """The look at a new run began before the queue was told, and writes after."""
    for name in "abc":
        site.run(name)
    site.survey()
    looks = iter(range(9))

    def told_meanwhile(verb: str, kind: Kind, _name: str) -> None:
        if (verb, kind) == ("get", BACKUP_RUN) and next(looks) == 1:
            site.turns.give()

    site.cluster.failing = told_meanwhile
    reconcile_run(site.cluster, NAMESPACE, "c", image=QUEUED, clock=site.clock)
    assert site.status("c")["reason"] == "Queued"


def test_a_pod_that_waits_may_start_late_and_has_its_time_from_its_turn_on() -> None:
    site = Site(limit=1)
    site.run("a")
    scheduled(site)
    site.give()
    site.clock.advance(5000)
    for _ in range(2):
        reconcile_run(site.cluster, NAMESPACE, SCHEDULED, image=QUEUED, clock=site.clock)
        assert site.status(SCHEDULED)["reason"] == "Queued"
    site.say("a", "Succeeded")
    site.give()
    site.clock.advance(300)
    reconcile_run(site.cluster, NAMESPACE, SCHEDULED, image=QUEUED, clock=site.clock)
    assert (site.status(SCHEDULED)["phase"], site.status(SCHEDULED)["reason"]) == ("Pending", "NotStarted")
    site.clock.advance(400)
    reconcile_run(site.cluster, NAMESPACE, SCHEDULED, image=QUEUED, clock=site.clock)
    assert (site.status(SCHEDULED)["phase"], site.status(SCHEDULED)["reason"]) == ("Failed", "NotStarted")


def test_a_run_that_waits_can_be_cancelled(site: Site) -> None:
    for name in "abc":
        site.run(name)
    site.give()
    site.cluster.patch(BACKUP_RUN, site.get("c"), {"spec": {"cancel": True}})
    reconcile_run(site.cluster, NAMESPACE, "c", image=QUEUED, clock=site.clock)
    assert site.status("c")["phase"] == "Cancelled"


def test_a_run_that_waited_long_has_all_its_time_to_get_a_job(site: Site) -> None:
    for name in "abc":
        site.run(name)
    site.give()
    site.clock.advance(100_000)
    site.say("a", "Succeeded")
    site.give()
    site.cluster.failing = lambda verb, kind, _name: NotAuthorized("no") if (verb, kind) == ("create", JOB) else None
    reconcile_run(site.cluster, NAMESPACE, "c", image=QUEUED, clock=site.clock)
    assert (site.status("c")["phase"], site.status("c")["reason"]) == ("Pending", "JobRefused")


def test_a_backup_before_a_restore_waits_for_nobody_and_has_a_place() -> None:
    site = Site(limit=1)
    site.run("before", "PreRestore")
    site.run("a")
    assert site.give() == ["a"]
    site.say("before", "Running")
    site.say("a", "Succeeded")
    site.run("b")
    assert site.give() == []
    assert "queue" not in site.status("before")


def test_nothing_is_given_before_all_runs_are_known(site: Site) -> None:
    site.turns.saw(site.run("a"))
    assert site.turns.give() == []


def test_an_operator_that_starts_anew_goes_on_with_what_was_given(site: Site) -> None:
    for name in "abc":
        site.run(name)
    site.give()
    site.turns = Turns(site.cluster, site.clock, site.limit)
    assert site.give() == []
    site.say("b", "Failed")
    assert site.give() == ["c"]


def test_who_waits_is_told_again_now_and_then_and_not_more_often(site: Site) -> None:
    for name in "abc":
        site.run(name)
    site.give()
    told = site.status("c")["queue"]["seenTime"]
    site.cluster.writes.clear()
    for _ in range(4):
        site.clock.advance(60)
        site.give()
    assert site.cluster.writes == []
    site.clock.advance(60)
    site.give()
    assert site.status("c")["queue"]["seenTime"] > told
    assert site.cluster.recorded.count(("Normal", "Queued")) == 1


def test_nothing_is_lost_when_the_cluster_does_not_answer(site: Site) -> None:
    for name in "abc":
        site.run(name)
    site.survey()
    site.cluster.failing = lambda verb, _kind, name: (
        ClusterUnavailable("away") if verb == "patch_status" and name == "b" else None
    )
    with pytest.raises(ClusterUnavailable):
        site.turns.give()
    site.cluster.failing = lambda _verb, _kind, _name: None
    assert site.give() == ["b"]
    assert site.holders() == 2


def test_a_run_that_cannot_be_written_holds_nobody_up() -> None:
    site = Site(limit=1)
    for name in "ab":
        site.run(name)
    site.cluster.failing = lambda verb, _kind, name: (
        InvalidSpec("odd") if verb == "patch_status" and name == "a" else None
    )
    assert site.give() == []
    assert site.give() == ["b"]


def test_without_a_limit_who_was_told_to_wait_is_let_in(site: Site) -> None:
    for name in "abc":
        site.run(name)
    site.give()
    site.turns = Turns(site.cluster, site.clock, 0)
    site.run("d")
    assert site.give() == ["c"]
    assert "queue" not in site.status("d")


def test_without_a_limit_the_cron_job_is_as_it_was() -> None:
    spec = cron_job(policy_model(), WorkerImage("holdfast:1"))["spec"]["jobTemplate"]
    assert "annotations" not in spec["metadata"]
    names = [one["name"] for one in spec["spec"]["template"]["spec"]["containers"][0]["env"]]
    assert "HOLDFAST_WAITS_FOR_TURN" not in names


def scheduled(site: Site) -> None:
    """A Job of the CronJob that has just started, and its run."""
    site.clock.advance(1)
    template = cron_job(policy_model(), QUEUED)["spec"]["jobTemplate"]
    job = cron_job_job(SCHEDULED, startTime=format_time(site.clock.now))
    job["metadata"]["annotations"] = template["metadata"]["annotations"]
    job["spec"]["activeDeadlineSeconds"] = template["spec"]["activeDeadlineSeconds"]
    uid = site.cluster.put(JOB, job)["metadata"]["uid"]
    site.cluster.put(BACKUP_RUN, run_for_job(policy_model(), SCHEDULED, uid, "Scheduled"))


def deadline(site: Site) -> int:
    job = site.cluster.get(JOB, NAMESPACE, SCHEDULED)
    assert job is not None
    result: int = job["spec"]["activeDeadlineSeconds"]
    return result


def test_a_scheduled_job_may_wait_and_then_work_for_as_long_as_ever() -> None:
    site = Site(limit=1)
    site.run("a")
    scheduled(site)
    own = policy_model().spec.job.active_deadline_seconds
    assert deadline(site) == own + PATIENCE.total_seconds()
    for beat in range(100):
        site.give()
        assert deadline(site) - beat * 300 >= own + PATIENCE.total_seconds()
        site.clock.advance(300)
    site.say("a", "Succeeded")
    site.give()
    assert deadline(site) == own + 100 * 300


def test_a_scheduled_job_that_need_not_wait_has_its_own_deadline(site: Site) -> None:
    scheduled(site)
    assert site.give() == [SCHEDULED]
    job = site.cluster.get(JOB, NAMESPACE, SCHEDULED)
    assert job is not None
    assert str(deadline(site)) == job["metadata"]["annotations"][DEADLINE_ANNOTATION]


class Trouble(Site):
    """Events that do not come, lists that are old, writes that fail, and operators that start anew."""

    def __init__(self, limit: int, random: Random) -> None:
        super().__init__(limit)
        self._random, self.count = random, 0
        self.list()

    def any(self) -> KubeObject | None:
        bodies = self.cluster.list(BACKUP_RUN)
        return self._random.choice(bodies) if bodies else None

    def comes(self) -> None:
        self.count += 1
        self.run(f"run-{self.count:03}")

    def begins(self) -> None:
        if (one := self.any()) and "turnTime" in one["status"].get("queue", {}):
            self.say(one["metadata"]["name"], "Running")

    def ends(self) -> None:
        if (one := self.any()) and one["status"].get("phase") == "Running":
            self.say(one["metadata"]["name"], "Succeeded")

    def deleted(self) -> None:
        if one := self.any():
            self.cluster.delete(BACKUP_RUN, one)

    def event(self) -> None:
        if one := self.any():
            self.turns.saw(one)

    def list(self) -> None:
        self._old = (self.turns.begin_survey(), self.cluster.list(BACKUP_RUN))

    def listed(self) -> None:
        stamp, bodies = self._old
        self.turns.survey(bodies, stamp)

    def restart(self) -> None:
        self.turns = Turns(self.cluster, self.clock, self.limit)
        self.list()

    def gives(self) -> None:
        self.turns.give()

    def fails(self) -> None:
        """Half of the writes do not come through."""
        self.cluster.failing = lambda verb, _kind, _name: (
            ClusterUnavailable("away") if verb == "patch_status" and self._random.random() < 0.5 else None
        )
        with suppress(ClusterUnavailable):
            self.turns.give()
        self.cluster.failing = lambda _verb, _kind, _name: None


TROUBLES = ["comes", "begins", "ends", "deleted", "event", "list", "listed", "restart", "gives", "fails"]


@settings(max_examples=150)
@given(st.integers(1, 3), st.lists(st.sampled_from(TROUBLES), max_size=40), st.randoms(use_true_random=False))
def test_never_more_than_the_limit_whatever_is_lost_late_or_killed(
    limit: int, troubles: list[str], random: Random
) -> None:
    site = Trouble(limit, random)
    for trouble in troubles:
        getattr(site, trouble)()
        assert site.holders() <= limit
    # And nobody starves: when all who have a place end, everyone has had one.
    for _ in range(site.count + 1):
        site.give()
        for body in site.cluster.list(BACKUP_RUN):
            if "turnTime" in body["status"].get("queue", {}):
                site.say(body["metadata"]["name"], "Succeeded")
    assert all(body["status"]["phase"] == "Succeeded" for body in site.cluster.list(BACKUP_RUN))


def test_old_news_of_a_run_that_ended_takes_no_place() -> None:
    site = Site(limit=1)
    site.run("a")
    site.run("b")
    site.give()
    site.say("a", "Running")
    stamp, old = site.turns.begin_survey(), site.cluster.list(BACKUP_RUN)
    site.say("a", "Succeeded")
    assert site.turns.saw(site.get("a"))
    site.turns.survey(old, stamp)
    assert [key.name for key in site.turns.give()] == ["b"]


def test_a_new_run_that_an_old_list_does_not_know_keeps_its_place() -> None:
    site = Site(limit=1)
    stamp, old = site.turns.begin_survey(), site.cluster.list(BACKUP_RUN)
    site.turns.survey(old, stamp)
    stamp = site.turns.begin_survey()
    site.turns.saw(site.run("a"))
    assert [key.name for key in site.turns.give()] == ["a"]
    site.turns.survey(old, stamp)
    site.turns.saw(site.run("b"))
    assert site.turns.give() == []
