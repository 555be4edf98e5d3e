"""Metadata of the objects that a policy owns."""

from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.names import policy_labels


def owned_metadata(policy: BackupPolicy, name: str) -> KubeObject:
    return {
        "name": name,
        "namespace": policy.metadata.namespace,
        "labels": policy_labels(policy.metadata.name),
        "ownerReferences": [policy.owner_reference],
    }
