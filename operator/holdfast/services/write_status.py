"""Writing a status so that nothing is written when nothing changed, and no writer overwrites another."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from holdfast.errors import ClusterUnavailable, InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, RESTORE_RUN, Cluster, Kind, KubeObject
from holdfast.resources.policy import BackupPolicy, BackupPolicyStatus
from holdfast.resources.restore_run import RestoreRun, RestoreRunStatus
from holdfast.resources.run import BackupRun, BackupRunStatus
from holdfast.resources.stored import as_far_as_known
from holdfast.specs.run_events import RunEvent, backup_events, restore_events
from holdfast.version import VERSION

CONFLICTS = 10

_R = TypeVar("_R", BackupRun, RestoreRun)


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
    """The object with its new status; None if it is gone or was changed since it was read.

    What of the old one this release does not know stays: a newer one has written it.
    """
    changes = merge_changes(_status(kind, current).to_wire(), new)
    return cluster.patch_status(kind, current, changes) if changes else current


def change_run(
    cluster: Cluster, namespace: str, name: str, change: Callable[[BackupRun], BackupRunStatus | None]
) -> BackupRun | None:
    """Given how a run's status is to change, write it, reading it anew as often as somebody else was faster.

    A run that has ended is left alone. Returns the run as it then is, or None if there is none. Each step of it is told
    by an event.
    """
    return _change(cluster, BACKUP_RUN, parse_run, namespace, name, change)


def amend_run(
    cluster: Cluster, namespace: str, name: str, change: Callable[[BackupRun], BackupRunStatus | None]
) -> BackupRun | None:
    """The same for what is added to a run after its end."""
    return _change(cluster, BACKUP_RUN, parse_run, namespace, name, change, ended_too=True)


def change_restore(
    cluster: Cluster, namespace: str, name: str, change: Callable[[RestoreRun], RestoreRunStatus | None]
) -> RestoreRun | None:
    """The same for a RestoreRun."""
    return _change(cluster, RESTORE_RUN, parse_restore, namespace, name, change)


def _change(
    cluster: Cluster,
    kind: Kind,
    parse: Callable[[KubeObject], _R],
    namespace: str,
    name: str,
    change: Callable[[_R], BackupRunStatus | RestoreRunStatus | None],
    *,
    ended_too: bool = False,
) -> _R | None:
    for _ in range(CONFLICTS):
        current = cluster.get(kind, namespace, name)
        if current is None:
            return None
        run = parse(current)
        if run.status.terminal and not ended_too:
            return run
        status = change(run)
        if status is None:
            return run
        if (written := write_status(cluster, kind, current, status.to_wire())) is not None:
            after = parse(written)
            _tell(cluster, kind, run, after)
            return after
    raise ClusterUnavailable(f"{kind.name} {namespace}/{name} changes faster than it can be written.")


def _tell(cluster: Cluster, kind: Kind, before: BackupRun | RestoreRun, after: BackupRun | RestoreRun) -> None:
    events: list[RunEvent] = []
    if isinstance(before, BackupRun) and isinstance(after, BackupRun):
        events = backup_events(before.status, after.status)
    elif isinstance(before, RestoreRun) and isinstance(after, RestoreRun):
        events = restore_events(before.status, after.status)
    for event in events:
        cluster.record(about(after), kind, *event)


def about(run: BackupRun | RestoreRun) -> KubeObject:
    """As much of a run as an event needs; the run itself may be gone."""
    return {
        "metadata": {
            "name": run.metadata.name,
            "namespace": run.metadata.namespace,
            "uid": run.metadata.uid,
            "resourceVersion": run.metadata.resource_version,
        }
    }


def policy_status(body: KubeObject) -> BackupPolicyStatus:
    """Of a policy that need not make sense."""
    return as_far_as_known(BackupPolicyStatus.model_validate, body.get("status") or {})[0]


def _status(kind: Kind, body: KubeObject) -> BackupPolicyStatus | BackupRunStatus | RestoreRunStatus:
    if kind == BACKUP_POLICY:
        return policy_status(body)
    return parse_run(body).status if kind == BACKUP_RUN else parse_restore(body).status


def parse_run(body: KubeObject) -> BackupRun:
    return BackupRun.model_validate(body)


def parse_restore(body: KubeObject) -> RestoreRun:
    return RestoreRun.model_validate(body)


def parse_policy(body: KubeObject) -> BackupPolicy:
    """InvalidSpec, naming the field, for what the CRD would have refused (an older CRD, a newer release)."""
    try:
        return BackupPolicy.model_validate(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise InvalidSpec(
                f"{where} is not known to Holdfast {VERSION}.",
                hint="Correct the name of the field, or upgrade Holdfast if a newer one knows it.",
            ) from None
        raise InvalidSpec(f"{where}: {first['msg']}.", hint="Correct the field.") from None
