"""A RestoreRun gets one Job in its life, and comes to one end, whatever becomes of it."""

from typing import Any

import pytest

from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import NotAuthorized
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, POD, RESTORE_RUN, Kind, KubeObject
from holdfast.services.census import Census
from holdfast.services.follow_job import cancel_restore
from holdfast.services.reconcile_restore import reconcile_restore
from holdfast.services.reconcile_run import reconcile_run
from holdfast.services.survey import Key, run_key, survey
from holdfast.services.write_status import parse_policy, parse_restore
from holdfast.specs.restore_job import backup_before_restore
from tests.support.fake_cluster import FakeClock, FakeCluster
from tests.support.kube_objects import (
    IMAGE,
    NAMESPACE,
    condition_body,
    container,
    pod_body,
    policy_body,
    restore_body,
    run_body,
)

JOB_NAME = "restore-back"
APPLY = {"mode": "Apply"}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def cluster(clock: FakeClock) -> FakeCluster:
    cluster = FakeCluster(clock)
    cluster.put(BACKUP_POLICY, policy_body(job={"startTimeoutSeconds": 300, "activeDeadlineSeconds": 7200}))
    return cluster


def reconcile(cluster: FakeCluster, clock: FakeClock, name: str = "back") -> float | None:
    return reconcile_restore(cluster, NAMESPACE, name, image=IMAGE, clock=clock)


def found(cluster: FakeCluster, kind: Kind, name: str) -> KubeObject:
    body = cluster.get(kind, NAMESPACE, name)
    assert body is not None
    return body


def status(cluster: FakeCluster) -> dict[str, Any]:
    result: dict[str, Any] = found(cluster, RESTORE_RUN, "back")["status"]
    return result


def says(cluster: FakeCluster) -> tuple[str, str]:
    return status(cluster)["phase"], status(cluster)["reason"]


def conditions(cluster: FakeCluster) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status(cluster)["conditions"]}


def set_status(cluster: FakeCluster, kind: Kind, name: str, **changes: Any) -> None:
    assert cluster.patch_status(kind, found(cluster, kind, name), changes) is not None


def started(cluster: FakeCluster, clock: FakeClock, **spec: Any) -> KubeObject:
    """A run whose Job is made; the Job."""
    cluster.put(RESTORE_RUN, restore_body(**spec))
    reconcile(cluster, clock)
    return found(cluster, JOB, JOB_NAME)


def environment(job: KubeObject) -> dict[str, str]:
    [worker] = job["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value", "") for one in worker["env"]}


def test_a_run_gets_a_job_of_its_own(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    run = found(cluster, RESTORE_RUN, "back")
    assert [owner["uid"] for owner in job["metadata"]["ownerReferences"]] == [run["metadata"]["uid"]]
    assert environment(job)["HOLDFAST_RESTORE_UID"] == run["metadata"]["uid"]
    assert says(cluster) == ("Pending", "Pending")
    assert (run["status"]["job"], run["status"]["policy"]) == (JOB_NAME, "shop")
    assert conditions(cluster) == {"Complete": "False", "Failed": "False", "Reconciling": "True"}
    assert run["status"]["observedGeneration"] == 1


def test_a_run_is_not_tied_to_its_policy_which_may_be_made_anew(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    assert "ownerReferences" not in found(cluster, RESTORE_RUN, "back")["metadata"]


def test_nothing_but_the_status_of_a_run_is_ever_written(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    assert {verb for verb, kind, _ in cluster.writes if kind == "RestoreRun"} == {"patch_status"}


def test_a_run_gets_one_job_however_often_it_is_looked_at(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    cluster.writes.clear()
    reconcile(cluster, clock)
    assert cluster.writes == []


def test_a_kill_between_the_job_and_the_note_of_it_makes_no_second_job(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(RESTORE_RUN, restore_body())
    cluster.failing = lambda verb, _kind, _name: NotAuthorized("killed") if verb == "patch_status" else None
    with pytest.raises(NotAuthorized):
        reconcile(cluster, clock)
    cluster.failing = lambda _verb, _kind, _name: None
    uid = found(cluster, JOB, JOB_NAME)["metadata"]["uid"]
    reconcile(cluster, clock)
    assert [job["metadata"]["uid"] for job in cluster.list(JOB, NAMESPACE)] == [uid]
    assert status(cluster)["job"] == JOB_NAME


def test_a_run_that_has_ended_never_gets_another_job(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.delete(JOB, started(cluster, clock, **APPLY))
    set_status(cluster, RESTORE_RUN, "back", phase="Succeeded", reason="Succeeded")
    cluster.writes.clear()
    assert reconcile(cluster, clock) is None
    assert cluster.writes == []
    assert cluster.list(JOB, NAMESPACE) == []


def test_a_run_that_ended_before_its_job_was_noted_gets_no_other(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(RESTORE_RUN, restore_body(**APPLY) | {"status": {"phase": "Succeeded"}})
    reconcile(cluster, clock)
    assert cluster.list(JOB, NAMESPACE) == []


def test_a_run_whose_job_vanished_is_cancelled_and_not_started_again(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.delete(JOB, started(cluster, clock, **APPLY))
    for _ in range(2):
        reconcile(cluster, clock)
    assert says(cluster) == ("Cancelled", "JobDeleted")
    assert cluster.list(JOB, NAMESPACE) == []


def test_what_a_stopped_worker_said_of_the_target_is_in_the_end(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock, **APPLY)
    pod = pod_body(job, clock.now, phase="Running", containerStatuses=container(running={}))
    pod["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    pod = cluster.put(POD, pod)
    cluster.delete(JOB, job)
    reconcile(cluster, clock)
    assert says(cluster) == ("Pending", "Stopping"), "the worker still has to say how far it got"
    set_status(cluster, RESTORE_RUN, "back", reason="Interrupted", message="Collection users is done.")
    assert reconcile(cluster, clock) is not None
    cluster.delete(POD, pod)
    reconcile(cluster, clock)
    assert says(cluster) == ("Cancelled", "JobDeleted")
    assert status(cluster)["message"].endswith("Collection users is done.")


def test_a_worker_that_never_stops_does_not_hold_the_end_up(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock, **APPLY)
    pod = pod_body(job, clock.now, phase="Running", containerStatuses=container(running={}))
    pod["metadata"]["deletionTimestamp"] = "2026-03-01T12:00:00Z"
    cluster.put(POD, pod)
    cluster.delete(JOB, job)
    reconcile(cluster, clock)
    clock.advance(181)
    reconcile(cluster, clock)
    assert says(cluster) == ("Cancelled", "JobDeleted")


def test_a_deleted_run_takes_its_job_with_it(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock, **APPLY)
    run = found(cluster, RESTORE_RUN, "back")
    cluster.delete(RESTORE_RUN, run)
    cancel_restore(cluster, run)
    assert cluster.list(JOB, NAMESPACE) == []


def test_a_run_made_anew_under_the_same_name_does_not_take_the_job_of_the_old_one(
    cluster: FakeCluster, clock: FakeClock
) -> None:
    old = started(cluster, clock, **APPLY)
    cluster.delete(RESTORE_RUN, found(cluster, RESTORE_RUN, "back"))
    cluster.put(RESTORE_RUN, restore_body())
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "NameTaken")
    assert found(cluster, JOB, JOB_NAME) == old


def test_a_policy_that_is_missing_is_waited_for_and_then_said(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(RESTORE_RUN, restore_body(source={"policyRef": {"name": "nobody"}, "latest": True}))
    assert reconcile(cluster, clock) is not None
    assert says(cluster) == ("Pending", "PolicyNotFound")
    clock.advance(15)
    assert reconcile(cluster, clock) is None
    assert says(cluster) == ("Failed", "PolicyNotFound")
    assert "default/nobody" in status(cluster)["message"]
    assert conditions(cluster) == {"Complete": "False", "Failed": "True", "Stalled": "True"}


BY_RUN: dict[str, Any] = {"source": {"backupRunRef": {"name": "by-hand"}}}


def backup_run(cluster: FakeCluster, **status: Any) -> None:
    cluster.put(BACKUP_RUN, run_body() | {"status": status})


def test_the_backup_of_a_run_is_noted_before_anything_is_done(cluster: FakeCluster, clock: FakeClock) -> None:
    backup_run(cluster, phase="Succeeded", backupId="20260301T020000Z-0a")
    started(cluster, clock, **BY_RUN)
    assert (status(cluster)["backupId"], status(cluster)["policy"]) == ("20260301T020000Z-0a", "shop")


def test_a_backup_run_that_is_missing_is_said(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(RESTORE_RUN, restore_body(**BY_RUN))
    clock.advance(15)
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "BackupNotFound")
    assert "BackupRun default/by-hand" in status(cluster)["message"]


def test_a_backup_run_without_a_backup_is_said_with_why(cluster: FakeCluster, clock: FakeClock) -> None:
    backup_run(cluster, phase="Failed", message="No room.")
    cluster.put(RESTORE_RUN, restore_body(**BY_RUN))
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "BackupNotFound")
    assert "No room." in status(cluster)["message"]
    assert cluster.list(JOB, NAMESPACE) == []


def test_a_backup_run_at_work_is_waited_for(cluster: FakeCluster, clock: FakeClock) -> None:
    backup_run(cluster, phase="Running")
    cluster.put(RESTORE_RUN, restore_body(**BY_RUN))
    clock.advance(3600)
    assert reconcile(cluster, clock) is not None
    assert says(cluster) == ("Pending", "BackupAtWork")
    set_status(cluster, BACKUP_RUN, "by-hand", phase="Succeeded", backupId="20260301T020000Z-0a")
    reconcile(cluster, clock)
    assert cluster.get(JOB, NAMESPACE, JOB_NAME) is not None


def test_an_image_that_cannot_be_pulled_fails_the_run_and_ends_the_job(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    waiting = container(waiting={"reason": "ErrImagePull", "message": "manifest unknown"})
    cluster.put(POD, pod_body(job, clock.now, phase="Pending", containerStatuses=waiting))
    clock.advance(20)
    reconcile(cluster, clock)
    assert says(cluster) == ("Pending", "ImagePullFailed")
    clock.advance(300)
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "ImagePullFailed")
    assert cluster.list(JOB, NAMESPACE) == []


def ended(cluster: FakeCluster, job: KubeObject, clock: FakeClock, end: str, words: WorkerMessage, code: int) -> None:
    state = container(terminated={"exitCode": code, "message": words.encode()})
    phase = "Succeeded" if end == "Complete" else "Failed"
    cluster.put(POD, pod_body(job, clock.now, phase=phase, containerStatuses=state))
    set_status(cluster, JOB, JOB_NAME, conditions=[condition_body(end)])


def test_a_job_that_failed_ends_its_run_with_the_words_of_the_worker(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock, **APPLY)
    words = WorkerMessage("TargetNotEmpty", "Database 'shop' has users already.", Phase.FAILED)
    ended(cluster, job, clock, "Failed", words, 2)
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "TargetNotEmpty")
    assert ("Warning", "Failed") in cluster.recorded
    assert cluster.notes[-1] == "TargetNotEmpty: Database 'shop' has users already."


def test_a_report_that_was_lost_is_taken_from_the_pod(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock, **APPLY)
    facts = {
        "backupId": "b",
        "database": "shop",
        "documents": 7,
        "logicalBytes": 2048,
        "preRestoreBackupId": "p",
        "verification": {"result": "Equal", "collections": 1, "documents": 7},
    }
    ended(cluster, job, clock, "Complete", WorkerMessage("Succeeded", "Done.", Phase.SUCCEEDED, facts), 0)
    reconcile(cluster, clock)
    result = status(cluster)
    assert (result["phase"], result["backupId"], result["size"]) == ("Succeeded", "b", "2.0 KiB")
    assert (result["verification"]["result"], result["preRestoreBackupId"]) == ("Equal", "p")
    assert conditions(cluster) == {"Complete": "True", "Failed": "False"}
    assert ("Normal", "Succeeded") in cluster.recorded


def test_a_run_at_work_is_left_alone(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock, **APPLY)
    cluster.put(POD, pod_body(job, clock.now, phase="Running", containerStatuses=container(running={})))
    set_status(cluster, RESTORE_RUN, "back", phase="Restoring", reason="Restoring")
    cluster.writes.clear()
    clock.advance(3600)
    assert reconcile(cluster, clock) is None
    assert cluster.writes == []


def test_a_quota_that_refuses_the_job_is_shown_until_time_is_up(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(RESTORE_RUN, restore_body())
    cluster.failing = lambda verb, kind, _name: (
        NotAuthorized("exceeded quota: jobs") if (verb, kind) == ("create", JOB) else None
    )
    reconcile(cluster, clock)
    assert says(cluster) == ("Pending", "JobRefused")
    clock.advance(301)
    reconcile(cluster, clock)
    assert says(cluster) == ("Failed", "JobRefused")


def test_a_run_takes_the_deadline_of_its_policy_unless_it_has_its_own(cluster: FakeCluster, clock: FakeClock) -> None:
    assert started(cluster, clock)["spec"]["activeDeadlineSeconds"] == 7200
    cluster.put(RESTORE_RUN, restore_body("other", activeDeadlineSeconds=90))
    reconcile(cluster, clock, "other")
    assert found(cluster, JOB, "restore-other")["spec"]["activeDeadlineSeconds"] == 90


def test_the_pace_of_past_restores_of_the_policy_is_told_to_the_worker(cluster: FakeCluster, clock: FakeClock) -> None:
    past = {
        "phase": "Succeeded",
        "policy": "shop",
        "startTime": "2026-02-01T00:00:00Z",
        "completionTime": "2026-02-01T00:00:10Z",
        "logicalBytes": 5000,
    }
    cluster.put(RESTORE_RUN, restore_body("good", **APPLY) | {"status": past})
    cluster.put(RESTORE_RUN, restore_body("planned") | {"status": past | {"logicalBytes": 1}})
    cluster.put(RESTORE_RUN, restore_body("bad", **APPLY) | {"status": past | {"phase": "Failed"}})
    cluster.put(RESTORE_RUN, restore_body("theirs", **APPLY) | {"status": past | {"policy": "other"}})
    assert environment(started(cluster, clock))["HOLDFAST_BYTES_PER_SECOND"] == "500"


def test_without_a_past_restore_there_is_no_pace(cluster: FakeCluster, clock: FakeClock) -> None:
    assert "HOLDFAST_BYTES_PER_SECOND" not in environment(started(cluster, clock))


def second(cluster: FakeCluster, clock: FakeClock, **spec: Any) -> str:
    """Where another restore stands that was created while the first is at work."""
    clock.advance(1)
    cluster.put(RESTORE_RUN, restore_body("second", **{**APPLY, **spec}))
    reconcile(cluster, clock, "second")
    return str(found(cluster, RESTORE_RUN, "second")["status"]["reason"])


def test_two_restores_into_one_target_go_one_after_the_other(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock, **APPLY)
    assert second(cluster, clock) == "TargetBusy"
    assert "RestoreRun back" in found(cluster, RESTORE_RUN, "second")["status"]["message"]
    set_status(cluster, RESTORE_RUN, "back", phase="Failed")
    reconcile(cluster, clock, "second")
    assert cluster.get(JOB, NAMESPACE, "restore-second") is not None


def test_of_two_restores_created_together_the_older_goes_first(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(RESTORE_RUN, restore_body(**APPLY))
    assert second(cluster, clock) == "TargetBusy"
    reconcile(cluster, clock)
    assert says(cluster) == ("Pending", "Pending")


@pytest.mark.parametrize(
    "spec",
    [
        {"mode": "Plan"},
        {"target": {"uriSecretRef": {"name": "other"}}},
        {"target": {"database": "b"}},
    ],
)
def test_restores_that_do_not_meet_do_not_wait(cluster: FakeCluster, clock: FakeClock, spec: dict[str, Any]) -> None:
    started(cluster, clock, target={"database": "a"}, **APPLY)
    assert second(cluster, clock, **spec) == "Pending"


def test_a_target_of_its_own_is_mounted_from_its_secret(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock, target={"uriSecretRef": {"name": "other", "key": "URI"}})
    volumes = {volume["name"]: volume for volume in job["spec"]["template"]["spec"]["volumes"]}
    assert volumes["target"]["secret"]["secretName"] == "other"
    assert volumes["target"]["secret"]["items"] == [{"key": "URI", "path": "uri"}]
    assert volumes["source"]["secret"]["secretName"] == "shop"


def test_a_backup_run_of_the_same_name_has_another_job(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.put(BACKUP_RUN, run_body("back"))
    reconcile_run(cluster, NAMESPACE, "back", image=IMAGE, clock=clock)
    started(cluster, clock)
    assert [job["metadata"]["name"] for job in cluster.list(JOB, NAMESPACE)] == ["back", JOB_NAME]


def test_the_job_of_a_restore_is_no_backup(cluster: FakeCluster, clock: FakeClock) -> None:
    job = started(cluster, clock)
    reconcile_run(cluster, NAMESPACE, JOB_NAME, image=IMAGE, clock=clock)
    assert cluster.list(BACKUP_RUN, NAMESPACE) == []
    assert run_key(job) == Key("RestoreRun", NAMESPACE, "back")


def test_the_survey_yields_restores_that_have_not_ended(cluster: FakeCluster, clock: FakeClock) -> None:
    started(cluster, clock)
    cluster.put(RESTORE_RUN, restore_body("over") | {"status": {"phase": "Failed"}})
    assert {key for key in survey(cluster, (), Census(clock)) if key.kind == "RestoreRun"} == {
        Key("RestoreRun", NAMESPACE, "back")
    }


# --- the backup before a restore -----------------------------------------------------------------------------------


@pytest.fixture
def before(cluster: FakeCluster, clock: FakeClock) -> KubeObject:
    """A restore at work that takes a backup of what it is about to replace; the BackupRun."""
    job = started(cluster, clock, **APPLY)
    policy = parse_policy(found(cluster, BACKUP_POLICY, "shop"))
    restore = parse_restore(found(cluster, RESTORE_RUN, "back"))
    wish = backup_before_restore(policy, restore, job=JOB_NAME, job_uid=job["metadata"]["uid"])
    return cluster.put(BACKUP_RUN, wish | {"status": {"phase": "Running"}})


def reconcile_before(cluster: FakeCluster, clock: FakeClock) -> dict[str, Any]:
    reconcile_run(cluster, NAMESPACE, "before-back", image=IMAGE, clock=clock)
    result: dict[str, Any] = found(cluster, BACKUP_RUN, "before-back")["status"]
    return result


def test_a_backup_before_a_restore_is_left_to_the_worker(
    cluster: FakeCluster, clock: FakeClock, before: KubeObject
) -> None:
    assert before["spec"] == {"policyRef": {"name": "shop"}, "reason": "PreRestore"}
    assert reconcile_before(cluster, clock)["phase"] == "Running"
    assert len(cluster.list(JOB, NAMESPACE)) == 1


@pytest.mark.usefixtures("before")
def test_a_backup_before_a_restore_ends_at_the_latest_with_the_restore(cluster: FakeCluster, clock: FakeClock) -> None:
    words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, {"backupId": "the restored one"})
    ended(cluster, found(cluster, JOB, JOB_NAME), clock, "Complete", words, 0)
    result = reconcile_before(cluster, clock)
    assert (result["phase"], result["reason"]) == ("Failed", "RestoreEnded")
    assert "backupId" not in result


@pytest.mark.usefixtures("before")
def test_a_backup_before_a_restore_ends_where_the_job_is_gone(cluster: FakeCluster, clock: FakeClock) -> None:
    cluster.delete(JOB, found(cluster, JOB, JOB_NAME))
    assert reconcile_before(cluster, clock)["reason"] == "RestoreEnded"
