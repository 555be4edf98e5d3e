"""A run's Job: which one it is, how it stands, and what is left to do with it after the end."""

from collections.abc import Mapping, Sequence
from typing import Any

from holdfast.domain.run_end import CANCEL_REQUESTED, JobState, PodState
from holdfast.domain.worker_message import WorkerMessage, parse_worker_message
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, POD, RESTORE_RUN, Cluster, KubeObject
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun
from holdfast.services.write_status import parse_policy, parse_restore, parse_run
from holdfast.specs.job_state import job_state, newer_than, pod_state
from holdfast.specs.names import (
    DRILL_LABEL,
    JOB_LABEL,
    JOB_UID_LABEL,
    MANAGED,
    POLICY_LABEL,
    RUN_ANNOTATION,
    SETTLED_ANNOTATION,
    job_of_restore,
    reason_of_job,
)
from holdfast.specs.worker import run_for_job

Run = BackupRun | RestoreRun
OWNERS = frozenset({BACKUP_RUN.name, RESTORE_RUN.name})
"""Kinds of which a Job can be made for one."""

JOB_NAME_LABEL = "batch.kubernetes.io/job-name"

START_REASONS = frozenset(
    {"ImagePullFailed", "Unschedulable", "QuotaExceeded", "PodRefused", "ConfigError", "NotStarted"}
)
"""Ends that only the operator writes, of runs whose Job would go on trying."""


def observe(cluster: Cluster, job: KubeObject) -> tuple[JobState, list[PodState]]:
    metadata = job["metadata"]
    bodies = pods_of(cluster, metadata["namespace"], metadata["name"])
    pods = [pod_state(body) for body in bodies if controller(body).get("uid") == metadata["uid"]]
    refusals: Sequence[KubeObject] = ()
    if all(pod.finished for pod in pods):
        # An older refusal was overcome by the pod that came after it.
        newest = max((pod.created for pod in pods), default=None)
        refusals = [event for event in cluster.events(job, "FailedCreate") if newer_than(event, newest)]
    return job_state(job, refusals), pods


def pods_of(cluster: Cluster, namespace: str, job: str) -> Sequence[KubeObject]:
    """The pods of a Job of this name, also where the Job itself is gone."""
    return cluster.list(POD, namespace, {JOB_NAME_LABEL: job})


def last_words(cluster: Cluster, job: KubeObject) -> WorkerMessage | None:
    """Of the newest pod of a Job that has ended."""
    metadata = job["metadata"]
    bodies = pods_of(cluster, metadata["namespace"], metadata["name"])
    pods = [pod_state(body) for body in bodies if controller(body).get("uid") == metadata["uid"]]
    newest = max((pod for pod in pods if pod.finished), key=lambda pod: pod.created, default=None)
    return parse_worker_message(newest.terminated_message) if newest else None


def run_of_job(cluster: Cluster, namespace: str, name: str) -> KubeObject | None:
    """The BackupRun that a Job without one ought to have: its pod may never start, and somebody must tell.

    A Job that had one lost it to somebody who deleted it. It ends then, also where nobody watched."""
    job = cluster.get(JOB, namespace, name)
    if job is None or not _wants_run(job):
        return None
    if RUN_ANNOTATION in (job["metadata"].get("annotations") or {}):
        if not job_state(job).end:
            cluster.delete(JOB, job)
        return None
    policy_name = job["metadata"]["labels"][POLICY_LABEL]
    policy_body = cluster.get(BACKUP_POLICY, namespace, policy_name)
    if policy_body is None or "deletionTimestamp" in policy_body["metadata"]:
        return None
    wish = run_for_job(parse_policy(policy_body), name, job["metadata"]["uid"], reason_of_job(policy_name, name))
    return cluster.create(BACKUP_RUN, wish) or cluster.get(BACKUP_RUN, namespace, name)


def note_run(cluster: Cluster, job: KubeObject, run: BackupRun) -> None:
    """Have a Job of the CronJob remember that it has a run."""
    annotations = job["metadata"].get("annotations") or {}
    if controller(job).get("kind") not in OWNERS and annotations.get(RUN_ANNOTATION) != run.metadata.uid:
        cluster.patch(JOB, job, {"metadata": {"annotations": {RUN_ANNOTATION: run.metadata.uid}}})


def settle_job(cluster: Cluster, run: Run, job_name: str | None, reason: str | None) -> None:
    """After a run's end, for ``reason``: delete a Job that cannot start or is cancelled, mark a failed one as told."""
    job = cluster.get(JOB, run.metadata.namespace, job_name) if job_name else None
    if job is None or not belongs(job, run):
        return
    end = job_state(job).end
    if not end:
        if reason in START_REASONS or reason == CANCEL_REQUESTED or _waits_in_vain(cluster, job):
            cluster.delete(JOB, job)
    elif end == "Failed" and SETTLED_ANNOTATION not in (job["metadata"].get("annotations") or {}):
        cluster.patch(JOB, job, {"metadata": {"annotations": {SETTLED_ANNOTATION: "true"}}})


def _waits_in_vain(cluster: Cluster, job: KubeObject) -> bool:
    """Whether all that is left of a Job whose run has ended is pods that cannot start: others have done their work, and
    its CronJob starts no other one before it is gone."""
    if job["spec"].get("completionMode") != "Indexed":
        return False
    left = [pod for pod in observe(cluster, job)[1] if not pod.finished]
    return bool(left) and not any(pod.started for pod in left)


def cancel_job(cluster: Cluster, run_body: KubeObject) -> None:
    """Given a BackupRun that somebody deleted before it ended, end its Job: nobody waits for it any more."""
    run = parse_run(run_body)
    _cancel(cluster, run, run.metadata.labels.get(JOB_LABEL))


def cancel_restore(cluster: Cluster, run_body: KubeObject) -> None:
    """The same of a RestoreRun. Its worker is asked to stop, and tells in an event what state the target is in."""
    run = parse_restore(run_body)
    _cancel(cluster, run, run.status.job or job_of_restore(run.metadata.name))


def _cancel(cluster: Cluster, run: Run, job_name: str | None) -> None:
    if run.status.terminal or job_name is None:
        return
    job = cluster.get(JOB, run.metadata.namespace, job_name)
    if job is not None and belongs(job, run) and not job_state(job).end:
        cluster.delete(JOB, job)


def unsettled(job: KubeObject) -> bool:
    """Whether somebody may still have to tell how a Job of ours ended."""
    end = job_state(job).end
    return not end or (end == "Failed" and SETTLED_ANNOTATION not in (job["metadata"].get("annotations") or {}))


def belongs(job: KubeObject, run: Run) -> bool:
    """Whether a Job is that of the run: made for it, or of the same name and policy."""
    owner = controller(job)
    if owner.get("kind") in OWNERS:
        return bool(owner.get("uid") == run.metadata.uid)
    if isinstance(run, RestoreRun):
        return False
    if run.metadata.labels.get(JOB_UID_LABEL, job["metadata"]["uid"]) != job["metadata"]["uid"]:
        return False
    labels: Mapping[str, str] = job["metadata"].get("labels") or {}
    return bool(job["metadata"]["name"] == run.metadata.name and labels.get(POLICY_LABEL) == run.spec.policy_ref.name)


def controller(body: KubeObject) -> dict[str, Any]:
    owners: list[dict[str, Any]] = body["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), {})


def _wants_run(job: KubeObject) -> bool:
    metadata = job["metadata"]
    labels: Mapping[str, str] = metadata.get("labels") or {}
    ours = POLICY_LABEL in labels and all(labels.get(key) == value for key, value in MANAGED.items())
    ours = ours and DRILL_LABEL not in labels
    return ours and "deletionTimestamp" not in metadata and controller(job).get("kind") not in OWNERS and unsettled(job)
