"""Writing a status so that nothing is written when nothing changed, and no writer overwrites another."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from holdfast.errors import ClusterUnavailable, InvalidSpec
from holdfast.ports import BACKUP_RUN, Cluster, Kind, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun, BackupRunStatus

CONFLICTS = 10


def merge_changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The JSON merge patch that turns ``old`` into ``new``; empty if they are the same."""
    changes: dict[str, Any] = {name: None for name in old if name not in new}
    for name, value in new.items():
        before = old.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if inner := merge_changes(before, value):
                changes[name] = inner
        elif name not in old or before != value:
            changes[name] = value
    return changes


def write_status(cluster: Cluster, kind: Kind, current: KubeObject, new: Mapping[str, Any]) -> KubeObject | None:
    """The object with its new status; None if it is gone or was changed since it was read."""
    changes = merge_changes(current.get("status") or {}, new)
    return cluster.patch_status(kind, current, changes) if changes else current


def change_run(
    cluster: Cluster, namespace: str, name: str, change: Callable[[BackupRun], BackupRunStatus | None]
) -> BackupRun | None:
    """Given how a run's status is to change, write it, reading it anew as often as somebody else was faster.

    A run that has ended is left alone. Returns the run as it then is, or None if there is none.
    """
    for _ in range(CONFLICTS):
        current = cluster.get(BACKUP_RUN, namespace, name)
        if current is None:
            return None
        run = parse_run(current)
        if run.status.terminal:
            return run
        status = change(run)
        if status is None:
            return run
        if (written := write_status(cluster, BACKUP_RUN, current, status.to_wire())) is not None:
            return parse_run(written)
    raise ClusterUnavailable(f"BackupRun {namespace}/{name} changes faster than it can be written.")


def parse_run(body: KubeObject) -> BackupRun:
    return BackupRun.model_validate(body)


def parse_policy(body: KubeObject) -> BackupPolicy:
    """InvalidSpec, naming the field, for what the CRD would have refused (an older CRD, a newer release)."""
    try:
        return BackupPolicy.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidSpec(f"{where}: {first['msg']}.", hint="Correct the field.") from None
