"""A policy's archiver, as the operator sees it: its Deployment, what it tells, and the backup that it begins from.

What is archived can only be replayed from a backup that was taken meanwhile. So where an archive begins, and behind
each gap, a backup starts by itself: one, by a name that is the same at every look.
"""

from collections.abc import Callable
from datetime import datetime

from holdfast.domain.phases import Phase
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, DEPLOYMENT, Cluster, Kind, KubeObject
from holdfast.resources.conditions import Condition, condition, set_condition
from holdfast.resources.point_in_time import PointInTimeStatus
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun, RunReason
from holdfast.services.own_objects import own_object
from holdfast.services.policy_runs import runs_of
from holdfast.specs.archiver import archiver
from holdfast.specs.health_status import POINT_IN_TIME
from holdfast.specs.metadata import owned_metadata
from holdfast.specs.names import archiver_name, first_run_of
from holdfast.specs.worker import WorkerImage

Ensure = Callable[[Cluster, Kind, KubeObject], None]


def see_to_archiver(cluster: Cluster, policy: BackupPolicy, image: WorkerImage, ensure: Ensure) -> None:
    """Make the Deployment so, or remove it where nothing is to be archived. InvalidSpec, and what ``ensure`` raises."""
    _ = policy.spec.point_in_time.within  # InvalidSpec
    if policy.archives:
        ensure(cluster, DEPLOYMENT, archiver(policy, image))
        return
    existing = own_object(cluster, DEPLOYMENT, policy, archiver_name(policy.metadata.name))
    if existing is not None:
        cluster.delete(DEPLOYMENT, existing)


def start_first_backup(cluster: Cluster, policy: BackupPolicy) -> None:
    """Start the backup from which what is archived now can be replayed, where there is none and none is at work."""
    status = policy.status.point_in_time
    if not policy.archives or status is None or status.lineage is None or not status.wants_backup:
        return
    name = first_run_of(policy.metadata.name, status.lineage)
    if cluster.get(BACKUP_RUN, policy.metadata.namespace, name) is not None:
        return  # once: what becomes of it, its own status says
    runs = [run for run in runs_of(cluster, policy) if not run.pre_restore]
    if any(not run.status.terminal or _leads_on(run, status) for run in runs):
        return
    spec = {"policyRef": {"name": policy.metadata.name}, "reason": RunReason.OPLOG.value}
    made = cluster.create(BACKUP_RUN, {"metadata": owned_metadata(policy, name), "spec": spec})
    if made:
        why = "There is a gap in the archived oplog" if status.open_gap else "The oplog is archived from now on"
        note = f"{why}: this backup is where a replay can begin."
        cluster.record(made, BACKUP_RUN, "Normal", "OplogNeedsBackup", note)


def _leads_on(run: BackupRun, status: PointInTimeStatus) -> bool:
    """Whether the archiver will find this backup in what it archives, at its next look."""
    consistency = run.status.consistency
    seconds = (consistency.cluster_time or "").partition(".")[0] if consistency else ""
    good = run.status.phase is Phase.SUCCEEDED and run.stored
    return good and seconds.isdecimal() and int(seconds) > status.begins_at


def archive_condition(
    conditions: tuple[Condition, ...], policy: BackupPolicy, *, now: datetime, generation: int
) -> tuple[Condition, ...]:
    """The conditions with the one about the archive, or without it where none is wanted."""
    if not policy.spec.point_in_time.enabled:
        return tuple(one for one in conditions if one.type != POINT_IN_TIME)
    holds, reason, message = archive_verdict(policy)
    new = condition(POINT_IN_TIME, holds, reason, message, now=now, generation=generation)
    return set_condition(conditions, new)


def archive_verdict(policy: BackupPolicy) -> tuple[bool | None, str, str]:
    """Whether any second can be restored from here on, why, and the same for people."""
    status = policy.status.point_in_time
    if not policy.archives:
        return False, "Suspended", "The archiver stands still while the schedule is suspended."
    if status is None:
        return None, "Starting", "The archiver has not told anything yet. Look at its Deployment if that stays so."
    if status.reason:
        return False, status.reason, status.message or ""
    if gap := status.open_gap:
        return False, "Gap", f"{gap.message or ''} A new backup starts by itself, and leads on.".strip()
    if status.from_ is None:
        return False, "AwaitsBackup", "The oplog is archived. Any second can be restored from the first backup on."
    return True, "Archiving", "The oplog is archived: status.pointInTime tells which seconds can be restored."


def archive_events(
    cluster: Cluster, body: KubeObject, before: tuple[Condition, ...], after: tuple[Condition, ...]
) -> None:
    """Tell people where it has changed."""
    old = next((one for one in before if one.type == POINT_IN_TIME), None)
    new = next((one for one in after if one.type == POINT_IN_TIME), None)
    if new is None or (old is not None and (old.status, old.reason) == (new.status, new.reason)):
        return
    if new.status == "True":
        cluster.record(body, BACKUP_POLICY, "Normal", "PointInTime", new.message)
    elif new.status == "False" and new.reason not in ("Suspended", "AwaitsBackup"):
        cluster.record(body, BACKUP_POLICY, "Warning", f"PointInTime{new.reason}", new.message)
