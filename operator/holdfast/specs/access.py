"""What the worker may do in the cluster: read its policy, and report on its run. Nothing else.

It may never create a RestoreRun: who can write a policy cannot thereby replace data.
"""

from holdfast.ports import KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.metadata import owned_metadata
from holdfast.specs.names import worker_account


def service_account(policy: BackupPolicy) -> KubeObject:
    metadata = owned_metadata(policy, worker_account(policy.metadata.name))
    if annotations := policy.spec.job.service_account_annotations:
        metadata["annotations"] = dict(annotations)
    return {"metadata": metadata, "automountServiceAccountToken": False}


def role(policy: BackupPolicy) -> KubeObject:
    return {
        "metadata": owned_metadata(policy, worker_account(policy.metadata.name)),
        "rules": [
            *(_of_archiver(policy) if policy.archives else ()),
            {
                "apiGroups": ["holdfast.dev"],
                "resources": ["backuppolicies"],
                "resourceNames": [policy.metadata.name],
                "verbs": ["get"],
            },
            {
                "apiGroups": ["holdfast.dev"],
                "resources": ["backupruns"],
                # list: a prune keeps what any run of the policy holds.
                "verbs": ["get", "list", "create"],
            },
            {
                "apiGroups": ["holdfast.dev"],
                "resources": ["backupruns/status"],
                "verbs": ["patch"],
            },
            {
                "apiGroups": ["holdfast.dev"],
                "resources": ["restoreruns"],
                # list: a prune keeps what a restore is going to read.
                "verbs": ["get", "list"],
            },
            {
                "apiGroups": ["holdfast.dev"],
                "resources": ["restoreruns/status"],
                "verbs": ["patch"],
            },
            # Whether the worker whose lock is in the way has ended.
            {
                "apiGroups": [""],
                "resources": ["pods"],
                "verbs": ["get"],
            },
            # Each step of a run is told by who takes it; and a restore whose RestoreRun was deleted has no other place
            # to say what state the target is in.
            {
                "apiGroups": [""],
                "resources": ["events"],
                "verbs": ["create"],
            },
        ],
    }


def _of_archiver(policy: BackupPolicy) -> list[KubeObject]:
    """It tells in the status of its policy how far it is."""
    return [
        {
            "apiGroups": ["holdfast.dev"],
            "resources": ["backuppolicies/status"],
            "resourceNames": [policy.metadata.name],
            "verbs": ["patch"],
        }
    ]


def role_binding(policy: BackupPolicy) -> KubeObject:
    name = worker_account(policy.metadata.name)
    return {
        "metadata": owned_metadata(policy, name),
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": policy.metadata.namespace}],
    }
