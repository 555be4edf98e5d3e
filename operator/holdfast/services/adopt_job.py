"""Note which Job is that of a run.

A run that is due on schedule may be asked for before Kubernetes' own CronJob controller has started its Job, or while
it does. Both take the name that the time gives, so there is one Job at the end, and whoever sees it first notes it.
"""

from typing import Any

from holdfast.ports import BACKUP_RUN, JOB, Cluster, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun, RunReason
from holdfast.services.follow_job import belongs, controller
from holdfast.specs.names import JOB_LABEL, JOB_UID_LABEL, policy_labels, tick_of_job


def adopt(cluster: Cluster, run: BackupRun, policy: BackupPolicy, job: str, job_uid: str | None = None) -> None:
    """Note that the run has its Job, and tie it to its policy. A conflict is met at the next look.

    ``job_uid``: of a Job that was not made for the run."""
    current = cluster.get(BACKUP_RUN, run.metadata.namespace, run.metadata.name)
    if current is None:
        return
    owners: list[dict[str, Any]] = list(current["metadata"].get("ownerReferences") or [])
    if all(owner.get("uid") != policy.metadata.uid for owner in owners):
        owners.append({**policy.owner_reference, "controller": not controller(current)})
    labels = {**policy_labels(policy.metadata.name), JOB_LABEL: job, **({JOB_UID_LABEL: job_uid} if job_uid else {})}
    cluster.patch(BACKUP_RUN, current, {"metadata": {"labels": labels, "ownerReferences": owners}})


def job_of_schedule(cluster: Cluster, run: BackupRun) -> KubeObject | None:
    """The Job that the CronJob of the run's policy started for the time that the run is for."""
    if not may_have_job_of_schedule(run):
        return None
    job = cluster.get(JOB, run.metadata.namespace, run.metadata.name)
    return job if job and controller(job).get("kind") == "CronJob" and belongs(job, run) else None


def may_have_job_of_schedule(run: BackupRun) -> bool:
    on_schedule = tick_of_job(run.spec.policy_ref.name, run.metadata.name) is not None
    return on_schedule and run.spec.reason is RunReason.SCHEDULED and JOB_LABEL not in run.metadata.labels
