"""A run by hand gets its Job, and every run comes to an end, whatever becomes of its Job."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import NotAuthorized
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, POD, Kind, KubeObject
from holdfast.services.census import Census
from holdfast.services.follow_job import cancel_job
from holdfast.services.reconcile_run import reconcile_run
from holdfast.services.survey import Key, survey
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import (
    IMAGE,
    NAMESPACE,
    condition_body,
    container,
    cron_job_job,
    pod_body,
    policy_body,
    run_body,
)

SCHEDULED = "shop-29384720"


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_POLICY, policy_body(job={"startTimeoutSeconds": 300}))
    return cluster


def reconcile(cluster: FakeCluster, clock: FakeClock, name: str = "by-hand") -> float | None:
    return reconcile_run(cluster, NAMESPACE, name, image=IMAGE, clock=clock)


def found(cluster: FakeCluster, kind: Kind, name: str) -> KubeObject:
    body = cluster.get(kind, NAMESPACE, name)
    assert body is not None
    return body


def status(cluster: FakeCluster, name: str = "by-hand") -> dict[str, Any]:
    result: dict[str, Any] = found(cluster, BACKUP_RUN, name)["status"]
    return result


def says(cluster: FakeCluster, name: str = "by-hand") -> tuple[str, str]:
    return status(cluster, name)["phase"], status(cluster, name)["reason"]


def conditions(cluster: FakeCluster, name: str = "by-hand") -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status(cluster, name)["conditions"]}


def set_status(cluster: FakeCluster, kind: Kind, name: str, **changes: Any) -> None:
    assert cluster.patch_status(kind, found(cluster, kind, name), changes) is not None


def started(cluster: FakeCluster, clock: FakeClock) -> KubeObject:
    """A run by hand whose Job is made; the Job."""
    cluster.put(BACKUP_RUN, run_body())
    reconcile(cluster, clock)
    return found(cluster, JOB, "by-hand")


def test_a_run_by_hand_gets_a_job_of_its_own(cluster: FakeCluster, clock: FakeClock) -> None:
    run = cluster.put(BACKUP_RUN, run_body())
    assert reconcile(cluster, clock) is not None
    job = found(cluster, JOB, "by-hand")
    assert job["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]
    assert says(cluster) == ("Pending", "Pending")
    assert conditions(cluster) == {"Complete": "False", "Failed": "False", "Reconciling": "True"}
    assert status(cluster)["observedGeneration"] == 1


def test_a_run_by_hand_goes_with_its_policy(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    metadata = found(cluster, BACKUP_RUN, "by-hand")["metadata"]
    assert metadata["ownerReferences"][0]["uid"] == found(cluster, BACKUP_POLICY, "shop")["metadata"]["uid"]
    assert metadata["labels"]["holdfast.dev/policy"] == "shop"


def test_a_run_gets_one_job_however_often_it_is_looked_at(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    cluster.writes.clear()
    reconcile(cluster, clock)
    assert cluster.writes == []


def test_a_kill_between_the_job_and_the_note_of_it_makes_no_second_job(cluster: FakeCluster, clock: FakeClock) -> None:
    run = cluster.put(BACKUP_RUN, run_body())
    reconcile(cluster, clock)
    body = found(cluster, BACKUP_RUN, "by-hand")
    cluster.patch(BACKUP_RUN, body, {"metadata": {"labels": None}})
    reconcile(cluster, clock)
    assert len(cluster.list(JOB, NAMESPACE)) == 1
    assert found(cluster, BACKUP_RUN, "by-hand")["metadata"]["uid"] == run["metadata"]["uid"]
    assert "holdfast.dev/job" in found(cluster, BACKUP_RUN, "by-hand")["metadata"]["labels"]


def test_a_run_of_no_policy_fails_and_says_so(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body(policy="nobody"))
    assert reconcile(cluster, clock) is not None, "the policy may come with the same kubectl apply"
    assert says(cluster) == ("Pending", "PolicyNotFound")
    clock.advance(15)
    assert reconcile(cluster, clock) is None
    assert says(cluster) == ("Failed", "PolicyNotFound")
    assert "default/nobody" in status(cluster)["message"]
    assert conditions(cluster) == {"Complete": "False", "Failed": "True", "Stalled": "True"}


def test_a_policy_that_comes_after_its_run_is_found(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body(policy="late"))
    reconcile(cluster, clock)
    cluster.put(BACKUP_POLICY, policy_body("late"))
    clock.advance(60)
    reconcile(cluster, clock)
    assert says(cluster) == ("Pending", "Pending")
    assert cluster.get(JOB, NAMESPACE, "by-hand") is not None


def test_a_job_of_somebody_else_is_never_taken(cluster: FakeCluster, clock: FakeClock) -> None:
    theirs = cluster.put(JOB, {"metadata": {"name": "by-hand", "namespace": NAMESPACE}, "spec": {}})
    cluster.put(BACKUP_RUN, run_body())
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "NameTaken")
    assert cluster.get(JOB, NAMESPACE, "by-hand") == theirs


def test_a_worker_that_says_success_and_names_no_backup_has_failed(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    set_status(cluster, JOB, "by-hand", conditions=[condition_body("Complete")])
    words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, {"documents": 7}).encode()
    done = container(terminated={"exitCode": 0, "message": words})
    cluster.put(POD, pod_body(job, clock.now, phase="Succeeded", containerStatuses=done))
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "BackupMissing")


def test_a_run_whose_job_vanished_is_cancelled(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    cluster.delete(JOB, job)
    reconcile(cluster, clock)
    assert says(cluster) == ("Cancelled", "JobDeleted")
    assert not cluster.list(JOB, NAMESPACE)


def test_a_run_that_outlives_its_policy_is_cancelled(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    cluster.delete(JOB, job)
    cluster.delete(BACKUP_POLICY, found(cluster, BACKUP_POLICY, "shop"))
    reconcile(cluster, clock)
    assert says(cluster) == ("Cancelled", "PolicyDeleted")


def test_an_image_that_cannot_be_pulled_is_shown_then_fails_the_run_and_ends_the_job(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    job = started(cluster, clock)
    waiting = container(waiting={"reason": "ErrImagePull", "message": "manifest unknown"})
    cluster.put(POD, pod_body(job, clock.now, phase="Pending", containerStatuses=waiting))
    clock.advance(20)
    assert reconcile(cluster, clock) is not None
    assert says(cluster) == ("Pending", "ImagePullFailed")
    assert "manifest unknown" in status(cluster)["message"]
    clock.advance(300)
    assert reconcile(cluster, clock) is None
    assert says(cluster) == ("Failed", "ImagePullFailed")
    assert cluster.get(JOB, NAMESPACE, "by-hand") is None


def test_a_kill_before_the_job_is_ended_is_made_up_for(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    waiting = container(waiting={"reason": "ErrImagePull"})
    cluster.put(POD, pod_body(job, clock.now, phase="Pending", containerStatuses=waiting))
    clock.advance(400)
    cluster.failing = lambda verb, _kind, _name: NotAuthorized("killed") if verb == "delete" else None
    with pytest.raises(NotAuthorized):
        reconcile(cluster, clock)
    cluster.failing = lambda _verb, _kind, _name: None
    reconcile(cluster, clock)
    assert cluster.get(JOB, NAMESPACE, "by-hand") is None


def test_a_quota_that_refuses_pods_is_read_from_the_events(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    event = {
        "metadata": {"name": "e"},
        "reason": "FailedCreate",
        "lastTimestamp": "2026-03-01T12:00:05Z",
        "message": 'Error creating: pods "x" is forbidden: exceeded quota: small',
    }
    cluster.refusals["by-hand"] = [event]
    clock.advance(20)
    reconcile(cluster, clock)
    assert says(cluster) == ("Pending", "QuotaExceeded")
    clock.advance(300)
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "QuotaExceeded")


def test_a_refusal_that_was_overcome_is_forgotten(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    event = {
        "metadata": {"name": "e"},
        "reason": "FailedCreate",
        "lastTimestamp": "2026-03-01T11:59:00Z",
        "message": "exceeded quota",
    }
    cluster.refusals["by-hand"] = [event]
    died = container(terminated={"exitCode": 75})
    cluster.put(POD, pod_body(job, clock.now, phase="Failed", containerStatuses=died))
    clock.advance(1000)
    reconcile(cluster, clock)
    assert says(cluster) == ("Pending", "Pending")


def test_a_quota_that_refuses_the_job_is_shown_and_tried_again_until_time_is_up(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    cluster.put(BACKUP_RUN, run_body())
    cluster.failing = lambda verb, kind, _name: (
        NotAuthorized("exceeded quota: jobs") if (verb, kind) == ("create", JOB) else None
    )
    assert reconcile(cluster, clock) is not None
    assert says(cluster) == ("Pending", "JobRefused")
    clock.advance(301)
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "JobRefused")


def test_a_job_that_failed_ends_its_run_with_the_words_of_the_worker(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    words = WorkerMessage("SecretMissing", "Secret default/shop has no key X.", Phase.FAILED).encode()
    died = container(terminated={"exitCode": 2, "message": words})
    cluster.put(POD, pod_body(job, clock.now, phase="Failed", containerStatuses=died))
    set_status(cluster, JOB, "by-hand", conditions=[condition_body("Failed", "PodFailurePolicy")])
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "SecretMissing")
    assert status(cluster)["message"] == "Secret default/shop has no key X."
    assert status(cluster)["completionTime"]


def test_a_report_that_was_lost_is_taken_from_the_pod(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    facts = {"backupId": "b", "documents": 7, "storedBytes": 2048, "newBytes": 1}
    words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, facts).encode()
    done = container(terminated={"exitCode": 0, "message": words})
    cluster.put(POD, pod_body(job, clock.now, phase="Succeeded", containerStatuses=done))
    set_status(cluster, JOB, "by-hand", conditions=[condition_body("Complete")])
    reconcile(cluster, clock)
    result = status(cluster)
    assert (result["phase"], result["backupId"], result["documents"]) == ("Succeeded", "b", 7)
    assert (result["storedSize"], result["newSize"]) == ("2.0 KiB", "1 B")
    assert conditions(cluster) == {"Complete": "True", "Failed": "False"}


def test_a_run_that_has_ended_stays_as_it_is(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    set_status(cluster, BACKUP_RUN, "by-hand", phase="Succeeded", reason="Succeeded")
    cluster.delete(JOB, job)
    cluster.writes.clear()
    assert reconcile(cluster, clock) is None
    assert cluster.writes == []


def test_a_run_at_work_is_left_alone(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    cluster.put(POD, pod_body(job, clock.now, phase="Running", containerStatuses=container(running={})))
    set_status(cluster, BACKUP_RUN, "by-hand", phase="Running", reason="Running", message="Reading.")
    cluster.writes.clear()
    clock.advance(3600)
    assert reconcile(cluster, clock) is None
    assert cluster.writes == []


def test_a_killed_worker_is_told_until_the_next_one_begins(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    killed = container(terminated={"exitCode": 137})
    cluster.put(POD, pod_body(job, clock.now, phase="Failed", containerStatuses=killed))
    set_status(cluster, BACKUP_RUN, "by-hand", phase="Running", reason="Running", attempts=1)
    reconcile(cluster, clock)
    assert says(cluster) == ("Running", "WorkerDied")
    assert ("Warning", "WorkerDied") in cluster.recorded


def test_a_look_that_is_late_does_not_speak_of_a_dead_worker_over_its_successor(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    job = started(cluster, clock)
    killed = container(terminated={"exitCode": 137})
    cluster.put(POD, pod_body(job, clock.now, phase="Failed", containerStatuses=killed))
    set_status(cluster, BACKUP_RUN, "by-hand", phase="Running", reason="Running", attempts=1)
    pods = cluster.list

    def list_then_begin(
        kind: Kind, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Sequence[KubeObject]:
        found = pods(kind, namespace, labels)
        if kind == POD:
            set_status(cluster, BACKUP_RUN, "by-hand", phase="Running", reason="Running", attempts=2)
        return found

    cluster.list = list_then_begin  # type: ignore[method-assign]
    reconcile(cluster, clock)
    assert says(cluster) == ("Running", "Running")


def test_a_run_whose_job_nobody_ends_has_ended_two_minutes_after_its_deadline(clock: FakeClock) -> None:
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_POLICY, policy_body(job={"activeDeadlineSeconds": 120}))
    job = started(cluster, clock)
    cluster.put(POD, pod_body(job, clock.now, phase="Running", containerStatuses=container(running={})))
    at = clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    set_status(cluster, BACKUP_RUN, "by-hand", phase="Running", reason="Running", message="", startTime=at)
    wait = reconcile(cluster, clock)
    assert wait is not None
    assert wait < 120 + 120
    clock.advance(wait)
    assert reconcile(cluster, clock) is None
    assert says(cluster) == ("Failed", "DeadlineExceeded")


def test_a_scheduled_job_that_cannot_start_has_a_run_that_tells(cluster: FakeCluster, clock: FakeClock) -> None:
    job = cluster.put(JOB, cron_job_job(SCHEDULED))
    reconcile(cluster, clock, SCHEDULED)
    run = found(cluster, BACKUP_RUN, SCHEDULED)
    assert run["spec"] == {"policyRef": {"name": "shop"}, "reason": "Scheduled"}
    assert says(cluster, SCHEDULED) == ("Pending", "Pending")
    waiting = container(waiting={"reason": "ImagePullBackOff"})
    cluster.put(POD, pod_body(job, clock.now, phase="Pending", containerStatuses=waiting))
    clock.advance(301)
    reconcile(cluster, clock, SCHEDULED)
    assert says(cluster, SCHEDULED) == ("Failed", "ImagePullFailed")


def test_a_job_by_hand_from_the_cron_job_has_a_manual_run(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job("now"))
    reconcile(cluster, clock, "now")
    assert found(cluster, BACKUP_RUN, "now")["spec"]["reason"] == "Manual"


def test_a_failed_job_is_told_once_even_if_its_run_is_deleted(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(SCHEDULED, conditions=[condition_body("Failed", "DeadlineExceeded")]))
    reconcile(cluster, clock, SCHEDULED)
    assert says(cluster, SCHEDULED) == ("Failed", "DeadlineExceeded")
    cluster.delete(BACKUP_RUN, found(cluster, BACKUP_RUN, SCHEDULED))
    reconcile(cluster, clock, SCHEDULED)
    assert cluster.get(BACKUP_RUN, NAMESPACE, SCHEDULED) is None


def test_a_good_job_whose_run_was_deleted_gets_no_new_one(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(SCHEDULED, conditions=[condition_body("Complete")]))
    reconcile(cluster, clock, SCHEDULED)
    assert cluster.get(BACKUP_RUN, NAMESPACE, SCHEDULED) is None


def test_jobs_of_others_get_no_run(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, {"metadata": {"name": "theirs", "namespace": NAMESPACE}, "spec": {}})
    reconcile(cluster, clock, "theirs")
    assert cluster.get(BACKUP_RUN, NAMESPACE, "theirs") is None


def test_a_run_deleted_at_work_takes_its_job_with_it(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(SCHEDULED))
    reconcile(cluster, clock, SCHEDULED)
    run = found(cluster, BACKUP_RUN, SCHEDULED)
    cluster.delete(BACKUP_RUN, run)
    cancel_job(cluster, run)
    assert cluster.get(JOB, NAMESPACE, SCHEDULED) is None


def test_a_run_deleted_at_work_is_not_made_anew_by_a_look_at_its_job(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(SCHEDULED))
    reconcile(cluster, clock, SCHEDULED)
    cluster.delete(BACKUP_RUN, found(cluster, BACKUP_RUN, SCHEDULED))
    reconcile(cluster, clock, SCHEDULED)
    assert cluster.get(BACKUP_RUN, NAMESPACE, SCHEDULED) is None
    assert cluster.get(JOB, NAMESPACE, SCHEDULED) is None


def test_a_run_deleted_after_its_end_leaves_its_job(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(SCHEDULED))
    reconcile(cluster, clock, SCHEDULED)
    set_status(cluster, BACKUP_RUN, SCHEDULED, phase="Succeeded")
    cancel_job(cluster, found(cluster, BACKUP_RUN, SCHEDULED))
    assert cluster.get(JOB, NAMESPACE, SCHEDULED) is not None


def test_a_later_job_of_the_same_name_is_not_ended_for_an_earlier_run(cluster: FakeCluster, clock: FakeClock) -> None:
    first = cluster.put(JOB, cron_job_job("now"))
    reconcile(cluster, clock, "now")
    cluster.delete(JOB, first)
    cluster.put(JOB, cron_job_job("now"))
    reconcile(cluster, clock, "now")
    assert says(cluster, "now") == ("Cancelled", "JobDeleted")
    assert cluster.get(JOB, NAMESPACE, "now") is not None


def test_the_survey_yields_what_has_not_ended(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    cluster.put(BACKUP_RUN, run_body("over") | {"status": {"phase": "Failed"}})
    cluster.put(JOB, cron_job_job(SCHEDULED))
    cluster.put(JOB, cron_job_job("done", conditions=[condition_body("Complete")]))
    assert set(survey(cluster, (), Census(clock))) == {
        Key("BackupPolicy", NAMESPACE, "shop"),
        Key("BackupRun", NAMESPACE, "by-hand"),
        Key("BackupRun", NAMESPACE, SCHEDULED),
    }
    assert not list(survey(cluster, ("elsewhere",), Census(clock)))


def on_schedule(name: str = SCHEDULED, reason: str = "Scheduled") -> KubeObject:
    """A run that somebody asked for because it was due."""
    body = run_body(name)
    body["spec"]["reason"] = reason
    return body


def test_a_run_that_is_due_takes_the_job_that_the_schedule_started_meanwhile(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    job = cluster.put(JOB, cron_job_job(SCHEDULED))
    cluster.put(BACKUP_RUN, on_schedule())
    reconcile(cluster, clock, SCHEDULED)
    labels = found(cluster, BACKUP_RUN, SCHEDULED)["metadata"]["labels"]
    assert (labels["holdfast.dev/job"], labels["holdfast.dev/job-uid"]) == (SCHEDULED, job["metadata"]["uid"])
    assert says(cluster, SCHEDULED) == ("Pending", "Pending")
    assert [one["metadata"]["name"] for one in cluster.list(JOB)] == [SCHEDULED]


def test_a_run_that_is_due_gets_a_job_where_the_schedule_started_none(cluster: FakeCluster, clock: FakeClock) -> None:
    run = cluster.put(BACKUP_RUN, on_schedule())
    reconcile(cluster, clock, SCHEDULED)
    assert found(cluster, JOB, SCHEDULED)["metadata"]["ownerReferences"][0]["uid"] == run["metadata"]["uid"]


def test_a_run_by_hand_never_takes_a_job_of_the_schedule(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(JOB, cron_job_job(SCHEDULED))
    cluster.put(BACKUP_RUN, on_schedule(reason="Manual"))
    reconcile(cluster, clock, SCHEDULED)
    assert says(cluster, SCHEDULED) == ("Failed", "NameTaken")
