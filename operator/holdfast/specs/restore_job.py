"""The Job of a RestoreRun, and the BackupRun of the backup that it takes before it replaces anything."""

from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import RunReason
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
    secret = spec.target.uri_secret_ref
    errand = Errand(
        "restore",
        environment,
        {TARGET: MountedSecret(secret.name, {secret.key: URI_FILE}, ((URI_FILE,),))} if secret else {},
        {RESTORE_ANNOTATION: name},
        spec.active_deadline_seconds,
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


def backup_before_restore(policy: BackupPolicy, run: RestoreRun, *, job: str, job_uid: str) -> KubeObject:
    """Goes with its policy, as every BackupRun does."""
    metadata = owned_metadata(policy, run_before_restore(run.metadata.name))
    metadata["labels"] = {**metadata["labels"], JOB_LABEL: job, JOB_UID_LABEL: job_uid}
    return {
        "metadata": metadata,
        "spec": {"policyRef": {"name": policy.metadata.name}, "reason": RunReason.PRE_RESTORE.value},
    }
