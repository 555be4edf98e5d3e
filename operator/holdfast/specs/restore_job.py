"""The Job of a RestoreRun, and the BackupRun of the backup that it takes before it replaces anything."""

from collections.abc import Iterable
from datetime import UTC, datetime

from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import Mode, RestoreRun
from holdfast.resources.run import PolicyRef, RunReason
from holdfast.specs.metadata import owned_metadata
from holdfast.specs.names import (
    JOB_LABEL,
    JOB_UID_LABEL,
    RESTORE_ANNOTATION,
    job_of_restore,
    run_before_restore,
    worker_labels,
)
from holdfast.specs.store_access import URI_FILE, MountedSecret
from holdfast.specs.worker import Errand, WorkerImage, job_spec

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)

TARGET = "target"
"""Folder of the target's Secret, where it is not that of the policy's source."""


def job_for_restore(
    policy: BackupPolicy, run: RestoreRun, image: WorkerImage, *, bytes_per_second: float | None = None
) -> KubeObject:
    """``bytes_per_second``: how fast past restores were, for the plan's estimate."""
    name, spec = run.metadata.name, run.spec
    environment = {"HOLDFAST_RESTORE": name, "HOLDFAST_RESTORE_UID": run.metadata.uid}
    if bytes_per_second is not None:
        environment["HOLDFAST_BYTES_PER_SECOND"] = f"{bytes_per_second:.0f}"
    pods = pods_of(policy, run)
    if pods > 1:
        environment["HOLDFAST_PARALLELISM"] = str(pods)
    secret = spec.target.uri_secret_ref
    errand = Errand(
        "restore",
        environment,
        {TARGET: MountedSecret(secret.name, {secret.key: URI_FILE}, ((URI_FILE,),))} if secret else {},
        {RESTORE_ANNOTATION: name},
        spec.active_deadline_seconds,
        pods,
    )
    return {
        "metadata": {
            "name": job_of_restore(name),
            "namespace": run.metadata.namespace,
            "labels": worker_labels(policy.metadata.name),
            "annotations": {RESTORE_ANNOTATION: name},
            "ownerReferences": [run.owner_reference],
        },
        "spec": job_spec(policy, image, errand),
    }


def pods_wanted(policy: BackupPolicy, run: RestoreRun) -> int:
    """How many pods are asked for, by the run or else by its policy."""
    return run.spec.parallelism or policy.spec.job.parallelism


def pods_of(policy: BackupPolicy, run: RestoreRun) -> int:
    """How many do it. A plan is no work, and the oplog has one order."""
    alone = run.spec.mode is not Mode.APPLY or run.spec.source.replays
    return 1 if alone else pods_wanted(policy, run)


def backup_before_restore(policy: BackupPolicy, run: RestoreRun, *, job: str, job_uid: str) -> KubeObject:
    """Goes with its policy, as every BackupRun does."""
    metadata = owned_metadata(policy, run_before_restore(run.metadata.name))
    metadata["labels"] = {**metadata["labels"], JOB_LABEL: job, JOB_UID_LABEL: job_uid}
    return {
        "metadata": metadata,
        "spec": {"policyRef": {"name": policy.metadata.name}, "reason": RunReason.PRE_RESTORE.value},
    }


def same_target(run: RestoreRun, policy: str, others: Iterable[RestoreRun]) -> str | None:
    """Given a run that has no Job yet, and all runs of its namespace, name one that has to end before it.

    Of two that are created at once the older goes first. A run that names no database may mean any. What is beyond one
    namespace is told by the engine.
    """
    if run.spec.mode is not Mode.APPLY:
        return None
    ours, age = _place(run, policy), (run.metadata.creation_timestamp or _NEVER, run.metadata.name)
    for other in others:
        if other.metadata.uid == run.metadata.uid or other.status.terminal or other.spec.mode is not Mode.APPLY:
            continue
        first = other.status.job is not None or (other.metadata.creation_timestamp or _NEVER, other.metadata.name) < age
        place = _place(other, other.status.policy or (other.spec.source.policy_ref or PolicyRef(name=policy)).name)
        databases = {run.spec.target.database, other.spec.target.database}
        if first and place == ours and (len(databases) == 1 or None in databases):
            return other.metadata.name
    return None


def _place(run: RestoreRun, policy: str) -> tuple[str, str, str]:
    """Where the URI of a run's target comes from."""
    secret = run.spec.target.uri_secret_ref
    return ("secret", secret.name, secret.key) if secret else ("policy", policy, "")
