"""Tell of scheduled backups that never started: a row of them is one mail."""

from datetime import datetime, timedelta

from holdfast.domain.notifications import DeliveryPhase, Event
from holdfast.ports import Cluster
from holdfast.resources.notifications import PolicyNotifications
from holdfast.resources.policy import BackupPolicy
from holdfast.services.courier import Courier
from holdfast.services.mail_account import Account, database_name
from holdfast.services.policy_post import Story, owe_story, tell_story
from holdfast.specs.missed_letter import missed_facts

_MISSED = Story(frozenset({Event.SCHEDULE_MISSED}), "missed_time")


def tell_missed(
    cluster: Cluster, courier: Courier, policy: BackupPolicy, account: Account, *, since: datetime, now: datetime
) -> datetime | None:
    """Given a policy as it was read, send what is owed about missed backups. Returns when to look again.

    What was due before ``since`` is not told. After a mail, what is missed further waits for ``collectSeconds``.
    """
    missed = policy.status.missed_schedules
    if missed is None or missed.last is None or missed.last < since:
        return None
    notes: PolicyNotifications | None = policy.status.notifications or PolicyNotifications()
    if not _owed(notes):
        due = _collected_until(policy, notes)
        if due is not None and due > now:
            return due if notes and notes.missed_time != missed.last else None
        notes = owe_story(cluster, policy, account, _MISSED, Event.SCHEDULE_MISSED, missed.last)
    if notes is None:
        return None
    return tell_story(
        *(cluster, courier, policy, account, _MISSED, notes),
        lambda: missed_facts(policy, database_name(cluster, policy), missed),
        since=since,
        now=now,
    )


def _owed(notes: PolicyNotifications | None) -> bool:
    """While a mail is being tried, it takes up what is missed meanwhile."""
    return (
        any(one.phase is DeliveryPhase.OWED for one in notes.deliveries if one.event in _MISSED.events)
        if notes
        else False
    )


def _collected_until(policy: BackupPolicy, notes: PolicyNotifications | None) -> datetime | None:
    sent = [one.sent_time for one in notes.deliveries if one.event in _MISSED.events and one.sent_time] if notes else []
    return max(sent) + timedelta(seconds=policy.spec.notifications.email.collect_seconds) if sent else None
