"""The Job that prunes for a policy where no backup has done so in time."""

from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.names import MANAGED, PRUNE_LABEL, job_of_prune
from holdfast.specs.worker import Errand, WorkerImage, job_spec


def prune_job(policy: BackupPolicy, image: WorkerImage) -> KubeObject:
    """Without the label of a policy's backups: it has no run, and nobody is to make one for it."""
    name = policy.metadata.name
    return {
        "metadata": {
            "name": job_of_prune(name),
            "namespace": policy.metadata.namespace,
            "labels": {"app.kubernetes.io/name": "holdfast", **MANAGED, PRUNE_LABEL: name},
            "ownerReferences": [policy.owner_reference],
        },
        "spec": job_spec(policy, image, Errand("prune")),
    }
