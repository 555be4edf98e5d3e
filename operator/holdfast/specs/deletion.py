"""What becomes of a backup when its BackupRun is deleted, as pure functions."""

from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun, DeletionPolicy
from holdfast.specs.names import DELETES_ANNOTATION, FINALIZER, MANAGED, job_of_delete
from holdfast.specs.worker import Errand, WorkerImage, job_spec

PATIENCE_SECONDS = 900
"""From the deletion of a BackupRun on. What is not done by then is given up: nothing hangs for longer."""


def deletes(run: BackupRun, policy: BackupPolicy) -> bool:
    """Whether the backup is to go with the run."""
    return (run.spec.deletion_policy or policy.spec.deletion_policy) is DeletionPolicy.DELETE


def has_something_to_delete(run: BackupRun) -> bool:
    """Whether a run has a backup, or may have one. Of a backup before a restore only its status tells which."""
    if run.status.terminal or run.pre_restore:
        return run.stored
    return True


def wanted_finalizers(run: BackupRun, policy: BackupPolicy) -> list[str]:
    """Those of others, and ours where a deletion is to wait for a Job."""
    others = [one for one in run.metadata.finalizers if one != FINALIZER]
    return [*others, FINALIZER] if deletes(run, policy) and has_something_to_delete(run) else others


def delete_job(policy: BackupPolicy, run: BackupRun, image: WorkerImage) -> KubeObject:
    """Owned by the policy: the run is about to go. As a prune's, it must not be taken for a backup."""
    return {
        "metadata": {
            "name": job_of_delete(run.metadata.name),
            "namespace": run.metadata.namespace,
            "labels": {"app.kubernetes.io/name": "holdfast", **MANAGED},
            "annotations": {DELETES_ANNOTATION: run.metadata.uid},
            "ownerReferences": [policy.owner_reference],
        },
        "spec": job_spec(
            policy,
            image,
            Errand("delete", {"HOLDFAST_RUN": run.metadata.name}, deadline_seconds=PATIENCE_SECONDS),
        ),
    }
