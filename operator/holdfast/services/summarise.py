"""Tell of a policy's week, once, also when nobody was there at the minute that it was due."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from holdfast.domain.notifications import DeliveryPhase, Event
from holdfast.domain.week import days_of_week, last_due
from holdfast.errors import ClusterUnavailable
from holdfast.ports import BACKUP_POLICY, Cluster, Mailer
from holdfast.resources.notifications import Delivery, PolicyNotifications
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.mail_account import Account, database_name
from holdfast.services.outbox import change_delivery
from holdfast.services.post import Owner, Post, debt_of, place_of, withdrawn
from holdfast.services.write_status import CONFLICTS, parse_policy
from holdfast.specs.letters import zone_of
from holdfast.specs.weekly_letter import week_facts

_POLICY = ""
"""Where a run has its name: what is owed here is owed by the policy itself."""


def summarise(
    cluster: Cluster,
    mailer: Mailer,
    policy: BackupPolicy,
    account: Account,
    runs: Sequence[BackupRun],
    *,
    since: datetime,
    now: datetime,
) -> datetime | None:
    """Given the runs that have ended, oldest first, send the summary that is due. Returns when to look again."""
    due = last_due(now, zone_of(policy))
    notes = _owe(cluster, policy, account, due) if due > since else None
    next_due = last_due(now + timedelta(days=7), zone_of(policy))
    if notes is None or notes.summary_time is None:
        return next_due
    body = cluster.get(BACKUP_POLICY, policy.metadata.namespace, policy.metadata.name)
    if body is None:
        return None
    owner = Owner(place_of(BACKUP_POLICY, body), body)
    told_of = notes.summary_time
    looks = [next_due]
    for delivery in notes.deliveries:
        if delivery.phase is not DeliveryPhase.OWED:
            continue
        if delivery.to not in account.recipients or told_of <= since:
            change_delivery(cluster, owner.place, delivery.to, delivery.event, withdrawn)
            continue
        post = Post(
            cluster,
            mailer,
            account.server,
            delivery.to,
            {_POLICY: owner},
            lambda _: _facts(cluster, policy, runs, told_of),
            now,
        )
        look = post.pay([debt_of(_POLICY, told_of, delivery)], timedelta(0))
        looks += [look] if look else []
    return min(looks)


def _owe(cluster: Cluster, policy: BackupPolicy, account: Account, due: datetime) -> PolicyNotifications | None:
    """Write down who is owed the summary of that moment, unless it is written already. None if the policy is gone."""
    wanted = [to for to, events in account.recipients.items() if Event.WEEKLY_SUMMARY in events]
    owed = PolicyNotifications(
        summary_time=due, deliveries=tuple(Delivery(to=to, event=Event.WEEKLY_SUMMARY) for to in wanted)
    )
    for _ in range(CONFLICTS):
        body = cluster.get(BACKUP_POLICY, policy.metadata.namespace, policy.metadata.name)
        if body is None or body["metadata"]["uid"] != policy.metadata.uid:
            return None
        notes = parse_policy(body).status.notifications
        if notes and notes.summary_time and notes.summary_time >= due:
            return notes
        if cluster.patch_status(BACKUP_POLICY, body, {"notifications": owed.to_wire()}) is not None:
            return owed
    raise ClusterUnavailable(f"BackupPolicy {policy.metadata.name} changes faster than it can be written.")


def _facts(cluster: Cluster, policy: BackupPolicy, runs: Sequence[BackupRun], due: datetime) -> Mapping[str, Any]:
    days = days_of_week(due, zone_of(policy))
    begin, end = days[0][0], days[-1][1]
    week = [run for run in runs if run.status.completion_time and begin <= run.status.completion_time < end]
    return week_facts(policy, database_name(cluster, policy), week, due)
