"""The runs of a policy, and which backup is whose."""

from collections.abc import Sequence

from holdfast.ports import BACKUP_RUN, Cluster
from holdfast.repository.repository import new_backup_id
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.write_status import parse_run


def runs_of(cluster: Cluster, policy: BackupPolicy) -> Sequence[BackupRun]:
    """All runs of a policy, by what they say: one that has lost its label may hold a backup all the same."""
    namespace, name = policy.metadata.namespace, policy.metadata.name
    bodies = cluster.list(BACKUP_RUN, namespace)
    return [parse_run(body) for body in bodies if body["spec"]["policyRef"]["name"] == name]


def backup_id_of(run: BackupRun) -> str:
    """Of a run that could not report it, the one that its worker gave it."""
    created = run.metadata.creation_timestamp
    if run.status.backup_id or created is None:
        return run.status.backup_id or run.metadata.uid
    return new_backup_id(created, run.metadata.uid)
