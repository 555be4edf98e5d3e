"""The policy that something is about: for a worker, which cannot go on without it, and for whoever looks after it."""

from holdfast.errors import InvalidSpec
from holdfast.ports import BACKUP_POLICY, Cluster, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.services.write_status import parse_policy


def find_policy(cluster: Cluster, namespace: str, name: str) -> KubeObject:
    """As it is in the cluster. InvalidSpec if it is gone."""
    body = cluster.get(BACKUP_POLICY, namespace, name)
    if body is None:
        raise InvalidSpec(f"There is no BackupPolicy {namespace}/{name} any more.")
    return body


def living_policy(cluster: Cluster, namespace: str, name: str) -> tuple[KubeObject, BackupPolicy] | None:
    """As it was read, and as a model; None if it is gone or going, or makes no sense, as its condition Ready says."""
    body = cluster.get(BACKUP_POLICY, namespace, name)
    if body is None or "deletionTimestamp" in body["metadata"]:
        return None
    try:
        return body, parse_policy(body)
    except InvalidSpec:
        return None
