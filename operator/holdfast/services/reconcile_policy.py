"""Bring the cluster to what a BackupPolicy says: the worker's rights, and the CronJob; then say how it stands.

Idempotent, and silent when nothing changed. An invalid spec leaves the last good CronJob in force: a typing error
must not stop backups.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.domain.schedule import Schedule, parse_schedule
from holdfast.errors import HoldfastError, InvalidSpec, Unavailable
from holdfast.ports import (
    BACKUP_POLICY,
    CRON_JOB,
    ROLE,
    ROLE_BINDING,
    SERVICE_ACCOUNT,
    Clock,
    Cluster,
    Kind,
    KubeObject,
)
from holdfast.resources.conditions import Condition, condition, find_condition, set_condition
from holdfast.resources.policy import BackupPolicy
from holdfast.services.check_needs import Needs
from holdfast.services.keep_catalogue import Look, catalogue_event, keep_catalogue
from holdfast.services.keep_finalizers import keep_finalizers
from holdfast.services.keep_retention import keep_retention
from holdfast.services.last_runs import last_runs
from holdfast.services.see_missed import missed_condition, missed_event, see_missed
from holdfast.services.see_to_archiver import (
    archive_condition,
    archive_events,
    see_to_archiver,
    start_first_backup,
)
from holdfast.services.see_to_drills import drill_condition, drill_event, drill_history, see_to_drills
from holdfast.services.write_status import parse_policy, policy_status, write_status
from holdfast.specs import access
from holdfast.specs.failure_domain import SHARED_FAILURE_DOMAIN, Sharing
from holdfast.specs.retention_status import RETENTION_COMPLIANT, Compliance
from holdfast.specs.run_status import STALLED
from holdfast.specs.worker import WorkerImage, cron_job

READY = "Ready"

LOOK_AGAIN = 10.0
"""Seconds until the next look at a policy that is not ready: a Secret may come, and is not watched."""


class NameTaken(HoldfastError):
    """An object that we want to make exists and is not ours."""

    reason = "NameTaken"


@dataclass(frozen=True)
class _Verdict:
    ready: bool
    reason: str
    message: str
    lasting: bool = False
    """It does not mend itself: a person must change something."""


def reconcile_policy(cluster: Cluster, namespace: str, name: str, *, image: WorkerImage, clock: Clock) -> float | None:
    """Given a policy's name, make it so and write its status. Returns seconds until it wants to be looked at again.

    Raises ClusterUnavailable if the cluster does not answer: the caller tries again.
    """
    body = cluster.get(BACKUP_POLICY, namespace, name)
    if body is None or "deletionTimestamp" in body["metadata"]:
        return None
    now = clock()
    schedule: Schedule | None = None
    policy: BackupPolicy | None = None
    sharing: Sharing | None = None
    try:
        policy = parse_policy(body)
        schedule = _check(policy)
        needs = Needs(cluster, policy)
        sharing = needs.sharing()
        _apply_all(cluster, policy, image)
        see_to_drills(cluster, policy, image, _ensure)
        see_to_archiver(cluster, policy, image, _ensure)
        needs.check()
        verdict = _in_force(policy)
    except Unavailable:
        raise
    except HoldfastError as error:
        verdict = _Verdict(False, error.reason, str(error), lasting=isinstance(error, (InvalidSpec, NameTaken)))
    retention = keep_retention(cluster, policy, schedule, image, now) if policy and schedule else None
    if policy:
        keep_finalizers(cluster, policy)
    catalogue: Look | None = None
    if policy and schedule and verdict.ready:
        start_first_backup(cluster, policy)
        catalogue = keep_catalogue(cluster, policy, schedule, image, now)
    _write(cluster, body, policy, verdict, sharing, schedule, retention, catalogue, now)
    if not verdict.ready:
        return LOOK_AGAIN
    return catalogue.again if catalogue else None


def _check(policy: BackupPolicy) -> Schedule:
    return parse_schedule(policy.spec.schedule.cron, policy.spec.schedule.time_zone)


def _in_force(policy: BackupPolicy) -> _Verdict:
    schedule = policy.spec.schedule
    if schedule.suspend:
        return _Verdict(True, "Suspended", "Scheduled backups are suspended by spec.schedule.suspend.")
    return _Verdict(True, "Scheduled", f"Backups are scheduled at {schedule.cron!r} in {schedule.time_zone}.")


def _apply_all(cluster: Cluster, policy: BackupPolicy, image: WorkerImage) -> None:
    _ensure(cluster, SERVICE_ACCOUNT, access.service_account(policy))
    _ensure(cluster, ROLE, access.role(policy))
    _ensure(cluster, ROLE_BINDING, access.role_binding(policy))
    _ensure(cluster, CRON_JOB, cron_job(policy, image))


def _ensure(cluster: Cluster, kind: Kind, wanted: KubeObject) -> None:
    """Make one object so, unless it already is. NameTaken if it is not the policy's: nothing is ever adopted."""
    metadata = wanted["metadata"]
    existing = cluster.get(kind, metadata["namespace"], metadata["name"])
    if existing is not None:
        owners = existing["metadata"].get("ownerReferences") or []
        if all(owner.get("uid") != metadata["ownerReferences"][0]["uid"] for owner in owners):
            raise NameTaken(
                f"{kind.name} {metadata['namespace']}/{metadata['name']} exists and belongs to something else.",
                hint="Rename the policy, or delete that object.",
            )
        if "deletionTimestamp" in existing["metadata"] or covers(existing, wanted):
            return
    cluster.apply(kind, wanted)


def covers(existing: Any, wanted: Any) -> bool:
    """Whether ``existing`` says all that ``wanted`` says; the server may have filled in more."""
    if isinstance(wanted, Mapping):
        return isinstance(existing, Mapping) and all(
            (name in existing and covers(existing[name], value)) or (name not in existing and value in (False, {}, []))
            for name, value in wanted.items()
        )
    if isinstance(wanted, (list, tuple)):
        return (
            isinstance(existing, list)
            and len(existing) == len(wanted)
            and all(covers(one, other) for one, other in zip(existing, wanted, strict=True))
        )
    return bool(existing == wanted)


def _write(
    cluster: Cluster,
    body: KubeObject,
    policy: BackupPolicy | None,
    verdict: _Verdict,
    sharing: Sharing | None,
    schedule: Schedule | None,
    retention: Compliance | None,
    catalogue: Look | None,
    now: datetime,
) -> None:
    generation = body["metadata"].get("generation", 0)
    old = policy_status(body)
    before = find_condition(old.conditions, READY)
    conditions = _judged(old.conditions, verdict, sharing, retention, now, generation)
    suspended = policy is not None and policy.spec.schedule.suspend
    last_run, last_success = last_runs(cluster, body["metadata"]["namespace"], body["metadata"]["name"], old)
    drills = drill_history(cluster, policy) if policy else old.drills
    drill = drills[0] if drills else old.last_drill
    conditions = drill_condition(conditions, drill, now=now, generation=generation)
    missed = see_missed(cluster, policy, schedule, now) if policy and schedule else old.missed_schedules
    conditions = missed_condition(conditions, missed, now=now, generation=generation)
    if policy:
        conditions = archive_condition(conditions, policy, now=now, generation=generation)
    status = old.model_copy(
        update={
            "observed_generation": generation,
            "conditions": conditions,
            "next_schedule_time": schedule.next_after(now) if schedule and not suspended else None,
            "missed_schedules": missed,
            "last_run": last_run,
            "last_successful_run": last_success,
            "retention": retention.status if retention else old.retention,
            "catalogue": catalogue.status if catalogue else old.catalogue,
            "last_drill": drill,
            "drills": drills,
            "point_in_time": old.point_in_time if policy is None or policy.spec.point_in_time.enabled else None,
        }
    )
    written = write_status(cluster, BACKUP_POLICY, body, status.to_wire())
    after = find_condition(conditions, READY)
    same = before is not None and after is not None and (before.status, before.reason) == (after.status, after.reason)
    if written is not None and not same:
        cluster.record(body, BACKUP_POLICY, "Normal" if verdict.ready else "Warning", verdict.reason, verdict.message)
    if written is not None and drill is not None and drill != old.last_drill:
        drill_event(cluster, body, drill)
    if written is not None:
        missed_event(cluster, body, old.missed_schedules, missed)
        archive_events(cluster, body, old.conditions, conditions)
        catalogue_event(cluster, body, old.catalogue, status.catalogue)


def _judged(
    conditions: tuple[Condition, ...],
    verdict: _Verdict,
    sharing: Sharing | None,
    retention: Compliance | None,
    now: datetime,
    generation: int,
) -> tuple[Condition, ...]:
    """What was just judged, set among the conditions."""

    def told(type_: str, holds: bool | None, reason: str, message: str) -> Condition:
        return condition(type_, holds, reason, message, now=now, generation=generation)

    judged = [told(READY, verdict.ready, verdict.reason, verdict.message)]
    if sharing is not None:
        judged.append(told(SHARED_FAILURE_DOMAIN, sharing.shared, sharing.reason, sharing.message))
    if verdict.lasting:
        judged.append(told(STALLED, True, verdict.reason, verdict.message))
    else:
        conditions = tuple(one for one in conditions if one.type != STALLED)
    if retention is not None:
        judged.append(told(RETENTION_COMPLIANT, retention.compliant, retention.reason, retention.message))
    for one in judged:
        conditions = set_condition(conditions, one)
    return conditions
