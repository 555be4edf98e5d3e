"""Say how a policy does: five checks, a verdict, and the numbers of the last 30 days.

It writes only what changed, and only its own part of the status.
"""

from datetime import datetime, timedelta
from typing import Literal

from holdfast.domain.archive import archive_findings
from holdfast.domain.health import (
    DISTANCE,
    Finding,
    Ping,
    Verdict,
    connection,
    cron_schedule,
    integrity,
    recent_backup,
    retention,
)
from holdfast.domain.history import history, surprises
from holdfast.domain.mongodb_uri import uri_database
from holdfast.domain.schedule import Schedule, parse_schedule
from holdfast.errors import ClusterUnavailable, HoldfastError, InvalidSpec, SecretMissing
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, CRON_JOB, Clock, Cluster, KubeObject, SourceProbe
from holdfast.resources.conditions import condition, find_condition, set_condition
from holdfast.resources.health import Health
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.find_policy import living_policy
from holdfast.services.mail_account import secret_values
from holdfast.services.own_objects import own_object
from holdfast.services.see_missed import SCHEDULE_MISSED
from holdfast.services.write_status import parse_run, write_status
from holdfast.specs.health_status import (
    HEALTHY,
    archive,
    drills,
    ended,
    ended_backups,
    health,
    last_good,
    past_runs,
    pending,
    statistics,
)
from holdfast.specs.job_state import parse_time
from holdfast.specs.names import POLICY_LABEL, drill_cron_job_name
from holdfast.specs.retention_status import RETENTION_COMPLIANT
from holdfast.specs.run_status import STALLED

_READY = "Ready"

AGAIN = 1.0
"""Seconds until the next look where somebody else wrote in between."""


def look_after_health(cluster: Cluster, probe: SourceProbe, namespace: str, name: str, *, clock: Clock) -> float | None:
    """Given a policy's name, write how it does. Returns seconds until it wants to be looked at again.

    Raises ClusterUnavailable if the cluster does not answer: the caller tries again.
    """
    found = living_policy(cluster, namespace, name)
    if found is None:
        return None
    body, policy = found
    if policy.status.observed_generation in (None, -1):
        return None  # nothing is made yet: whoever makes it changes the status, and that leads here
    bodies = cluster.list(BACKUP_RUN, namespace, {POLICY_LABEL: name})
    runs = [run for run in map(parse_run, bodies) if run.spec.policy_ref.name == name]
    ping = _ping(cluster, probe, policy) if policy.spec.health.ping else None
    now = clock()
    backups = ended_backups(runs)
    status = health(policy.status.health, _findings(cluster, policy, backups, ping, now), now)
    if not _write(cluster, body, policy, status, backups, now):
        return AGAIN
    return DISTANCE.total_seconds() if pending(status) else None


def _findings(
    cluster: Cluster, policy: BackupPolicy, backups: list[BackupRun], ping: Ping | None, now: datetime
) -> list[Finding]:
    told = [ended(run) for run in backups]
    compliant = find_condition(policy.status.conditions, RETENTION_COMPLIANT)
    drill_cron_job = own_object(cluster, CRON_JOB, policy, drill_cron_job_name(policy.metadata.name))
    asked = drills(policy, parse_time(drill_cron_job["metadata"].get("creationTimestamp")) if drill_cron_job else None)
    return [
        connection(ping, told),
        recent_backup(
            last_good(policy, backups),
            _schedule(policy),
            timedelta(seconds=policy.spec.health.max_age_seconds),
            created=policy.metadata.creation_timestamp or now,
            now=now,
        ),
        integrity(
            told, asked, surprises(past_runs(policy, backups)), archive_findings(archive(policy, now), now), now=now
        ),
        retention(compliant.status == "True" if compliant else None, compliant.message if compliant else ""),
        _cron(cluster, policy),
    ]


def _cron(cluster: Cluster, policy: BackupPolicy) -> Finding:
    conditions = policy.status.conditions
    ready, stalled = find_condition(conditions, _READY), find_condition(conditions, STALLED)
    missed = find_condition(conditions, SCHEDULE_MISSED)
    return cron_schedule(
        in_force=own_object(cluster, CRON_JOB, policy, policy.metadata.name) is not None,
        unready=ready.message if ready and ready.status != "True" else "",
        stalled=stalled is not None and stalled.status == "True",
        suspended=policy.spec.schedule.suspend,
        missed=missed.message if missed and missed.status == "True" else "",
    )


def _schedule(policy: BackupPolicy) -> Schedule | None:
    try:
        return parse_schedule(policy.spec.schedule.cron, policy.spec.schedule.time_zone)
    except InvalidSpec:
        return None


def _ping(cluster: Cluster, probe: SourceProbe, policy: BackupPolicy) -> Ping:
    source, namespace = policy.spec.source, policy.metadata.namespace
    reference = source.uri_secret_ref
    where = f"key {reference.key} of Secret {namespace}/{reference.name}"
    try:
        values = secret_values(cluster, namespace, reference.name)
        if values is None:
            raise SecretMissing(
                f"There is no Secret {namespace}/{reference.name}.", hint=f"Create it, with key {reference.key}."
            )
        if not values.get(reference.key, "").strip():
            raise SecretMissing(f"There is no {where}.", hint="Add it, or name another in the policy.")
        uri = values[reference.key].strip()
        uri_database(uri, where)
        return Ping(member=probe.probe(uri, origin=where, read_preference=source.read_preference))
    except ClusterUnavailable:
        raise  # that says nothing of the source
    except HoldfastError as error:
        return Ping(problem=str(error))


def _write(
    cluster: Cluster, body: KubeObject, policy: BackupPolicy, new: Health, backups: list[BackupRun], now: datetime
) -> bool:
    """False if somebody else wrote in between."""
    generation, before = policy.metadata.generation, policy.status.health
    verdict = condition(
        HEALTHY, new.verdict is Verdict.HEALTHY, new.verdict, new.message, now=now, generation=generation
    )
    status = policy.status.model_copy(
        update={
            "health": new,
            "statistics": statistics(history(past_runs(policy, backups), now)),
            "conditions": set_condition(policy.status.conditions, verdict),
        }
    )
    if write_status(cluster, BACKUP_POLICY, body, status.to_wire()) is None:
        return False
    if before is not None and before.verdict is not new.verdict:
        kind: Literal["Normal", "Warning"] = "Normal" if new.verdict is Verdict.HEALTHY else "Warning"
        cluster.record(body, BACKUP_POLICY, kind, f"Health{new.verdict}", new.message)
    return True
