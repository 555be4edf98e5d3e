"""The Deployment of a policy's archiver: one small pod that follows the oplog, with the account of the worker."""

import json
from hashlib import sha256

from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.metadata import owned_metadata
from holdfast.specs.names import ARCHIVER_LABEL, SPEC_ANNOTATION, archiver_name, policy_labels, worker_labels
from holdfast.specs.worker import Errand, WorkerImage, pod_spec


def archiver(policy: BackupPolicy, image: WorkerImage) -> KubeObject:
    """A second pod would do no harm, and is not wanted either: the old one goes before the new one comes."""
    own = {ARCHIVER_LABEL: "true"}
    selected = {**policy_labels(policy.metadata.name), **own}
    errand = Errand("archive", resources=policy.spec.point_in_time.resources.to_wire(), of_a_job=False)
    return {
        "metadata": owned_metadata(policy, archiver_name(policy.metadata.name)),
        "spec": {
            "replicas": 1,
            "revisionHistoryLimit": 1,
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selected},
            "template": {
                "metadata": {
                    "labels": {**policy.spec.job.pod_labels, **worker_labels(policy.metadata.name), **own},
                    "annotations": {SPEC_ANNOTATION: _mark(policy)},
                },
                "spec": {**pod_spec(policy, image, errand), "restartPolicy": "Always"},
            },
        },
    }


def _mark(policy: BackupPolicy) -> str:
    """Another one for another spec, as far as an archiver reads it: then it begins anew."""
    spec = policy.spec.to_wire()
    read = [spec.get(name) for name in ("source", "storage", "compression", "encryption", "pointInTime")]
    return sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()[:16]
