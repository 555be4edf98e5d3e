"""Notice the scheduled backups of a policy that never started, whoever was down: the operator, or Kubernetes' own
CronJob controller.

Kubernetes says nothing of them. What is settled is kept in the policy's status, so that a run that is removed later is
not taken for one that never was.
"""

from datetime import datetime, timedelta

from holdfast.domain.missed_ticks import settle_ticks
from holdfast.domain.schedule import Schedule
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, Cluster, KubeObject
from holdfast.resources.base import format_time
from holdfast.resources.conditions import Condition, condition, set_condition
from holdfast.resources.missed import MissedSchedules
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.names import POLICY_LABEL, tick_of_job

SCHEDULE_MISSED = "ScheduleMissed"

NOTICE = timedelta(minutes=2)
"""Until the CronJob controller and we have seen what there is to see."""


def see_missed(cluster: Cluster, policy: BackupPolicy, schedule: Schedule, now: datetime) -> MissedSchedules:
    """Given a policy whose status says what was settled before, settle what is due since then."""
    spec, status = policy.spec.schedule, policy.status
    watched = f"{spec.cron.strip()} {spec.time_zone}"
    known = status.missed_schedules
    if known is None:
        # One that was invalid, or of an earlier release, does not tell since when.
        # Only a new one counts from its beginning.
        new = status.observed_generation in (None, -1)
        start = policy.metadata.creation_timestamp if new else None
        known = MissedSchedules(schedule=watched, settled_until=start or now, suspended=spec.suspend)
    elif known.schedule != watched:
        known = MissedSchedules(schedule=watched, settled_until=now, suspended=spec.suspend)
    elif known.suspended != spec.suspend:
        known = known.model_copy(update={"settled_until": now, "suspended": spec.suspend})
    if spec.suspend or schedule.next_after(known.settled_until) > now:
        return known
    patience = timedelta(seconds=spec.starting_deadline_seconds) + NOTICE
    served = _served(cluster, policy.metadata.namespace, policy.metadata.name)
    settled = settle_ticks(schedule, since=known.settled_until, now=now, served=served, patience=patience)
    return known.model_copy(
        update={
            "settled_until": settled.until,
            "count": known.count + settled.missed,
            "last": settled.last_missed or known.last,
        }
    )


def _served(cluster: Cluster, namespace: str, policy: str) -> set[datetime]:
    labels = {POLICY_LABEL: policy}
    bodies = [*cluster.list(BACKUP_RUN, namespace, labels), *cluster.list(JOB, namespace, labels)]
    ticks = (tick_of_job(policy, body["metadata"]["name"]) for body in bodies)
    return {tick for tick in ticks if tick is not None}


def missed_condition(
    conditions: tuple[Condition, ...], missed: MissedSchedules | None, *, now: datetime, generation: int
) -> tuple[Condition, ...]:
    """The conditions with one about the newest scheduled backup, from the first that was missed on."""
    if missed is None or missed.last is None:
        return tuple(one for one in conditions if one.type != SCHEDULE_MISSED)
    missing = missed.last == missed.settled_until
    reason, message = ("NotStarted", _message(missed)) if missing else ("OnTime", "The newest one started.")
    return set_condition(
        conditions, condition(SCHEDULE_MISSED, missing, reason, message, now=now, generation=generation)
    )


def missed_event(
    cluster: Cluster, policy: KubeObject, before: MissedSchedules | None, missed: MissedSchedules | None
) -> None:
    """Tell people of what was missed since ``before``."""
    if missed is not None and missed.last is not None and (before is None or before.last != missed.last):
        cluster.record(policy, BACKUP_POLICY, "Warning", SCHEDULE_MISSED, _message(missed))


def _message(missed: MissedSchedules) -> str:
    due = format_time(missed.last) if missed.last else "?"
    others = f" So far {missed.count} were missed on this schedule." if missed.count > 1 else ""
    return (
        f"The backup that was due at {due} never started: an earlier run still worked, or Kubernetes' CronJob "
        f"controller was down for longer than spec.schedule.startingDeadlineSeconds.{others} "
        "Look at the events of the CronJob; back up now by a BackupRun of your own."
    )
