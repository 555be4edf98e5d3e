"""Keep the backup of a run for ever, or no longer."""

from typing import Any

from holdfast.errors import RunNotFound, Unavailable
from holdfast.ports import BACKUP_RUN, Cluster, KubeObject, Reviewer, Viewer
from holdfast.resources.run import HOLD_ANNOTATION, BackupRun
from holdfast.services.rights import check_right

TRIES = 5
HELD, RELEASED = "BackupHeld", "BackupReleased"


def set_hold(cluster: Cluster, namespace: str, name: str, *, hold: bool) -> KubeObject:
    """The BackupRun as it is then. Raises RunNotFound."""
    changes: dict[str, Any] = {"spec": {"hold": hold}}
    if not hold:
        changes["metadata"] = {"annotations": {HOLD_ANNOTATION: None}}
    for _ in range(TRIES):
        current = cluster.get(BACKUP_RUN, namespace, name)
        if current is None:
            raise RunNotFound(
                f"There is no BackupRun {namespace}/{name}.", hint="`kubectl get backupruns` lists those there are."
            )
        if changed := cluster.patch(BACKUP_RUN, current, changes):
            return changed
    raise Unavailable(f"BackupRun {namespace}/{name} changes all the time.", hint="Try again.")


def hold_for(cluster: Cluster, reviewer: Reviewer, viewer: Viewer, run: BackupRun, *, hold: bool) -> None:
    """The same for somebody who asks for it, with a word on who it was. NotAuthorized if they may not patch runs."""
    place, name = run.metadata.namespace, run.metadata.name
    check_right(reviewer, viewer, "patch", BACKUP_RUN, place, role="edit")
    changed = set_hold(cluster, place, name, hold=hold)
    word = "holds this backup from now on." if hold else "lets this backup go again."
    cluster.record(changed, BACKUP_RUN, "Normal", HELD if hold else RELEASED, f"{viewer.name} {word}")
