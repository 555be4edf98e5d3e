"""Tell that a policy's health has become Critical, and that it is Healthy again, once each."""

from datetime import datetime

from holdfast.domain.health import CheckName, Verdict
from holdfast.domain.notifications import DeliveryPhase, Event
from holdfast.ports import Cluster
from holdfast.resources.health import Health
from holdfast.resources.notifications import PolicyNotifications
from holdfast.resources.policy import BackupPolicy
from holdfast.services.courier import Courier
from holdfast.services.mail_account import Account, database_name
from holdfast.services.policy_post import Story, owe_story, tell_story
from holdfast.specs.health_letter import health_facts

_HEALTH = Story(frozenset({Event.HEALTH_CRITICAL, Event.HEALTH_RECOVERED}), "health_time")


def tell_health(
    cluster: Cluster, courier: Courier, policy: BackupPolicy, account: Account, *, since: datetime, now: datetime
) -> datetime | None:
    """Given a policy as it was read, send what is owed about its health. Returns when to look again.

    What began before ``since`` is not told. Who was not told of the trouble is not told of its end.
    """
    health = policy.status.health
    if health is None or health.since < since:
        return None
    notes: PolicyNotifications | None = policy.status.notifications or PolicyNotifications()
    event = _event(health, notes)
    if event is not None:
        notes = owe_story(cluster, policy, account, _HEALTH, event, health.since)
    if notes is None or not any(_owed_here(one.phase, one.event) for one in notes.deliveries):
        return None
    return tell_story(
        *(cluster, courier, policy, account, _HEALTH, notes),
        lambda: health_facts(policy, database_name(cluster, policy), health),
        since=since,
        now=now,
    )


def _event(health: Health, notes: PolicyNotifications | None) -> Event | None:
    told = {one.event for one in notes.deliveries} if notes else set()
    if health.verdict is Verdict.CRITICAL:
        return None if _told_otherwise(health) else Event.HEALTH_CRITICAL
    if health.verdict is Verdict.HEALTHY and Event.HEALTH_CRITICAL in told:
        return Event.HEALTH_RECOVERED
    return None


def _told_otherwise(health: Health) -> bool:
    """Backups that failed, and drills, have mails of their own."""
    critical = {check.name for check in health.checks if check.status is Verdict.CRITICAL}
    return critical == {CheckName.BACKUP_INTEGRITY}


def _owed_here(phase: DeliveryPhase, event: Event) -> bool:
    return phase is DeliveryPhase.OWED and event in _HEALTH.events
