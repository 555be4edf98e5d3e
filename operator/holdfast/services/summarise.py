"""Tell of a policy's week, once, also when nobody was there at the minute that it was due."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from holdfast.domain.notifications import Event
from holdfast.domain.week import days_of_week, last_due
from holdfast.ports import Cluster
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.courier import Courier
from holdfast.services.mail_account import Account, database_name
from holdfast.services.policy_post import Story, owe_story, tell_story
from holdfast.specs.letters import zone_of
from holdfast.specs.weekly_letter import week_facts

_WEEK = Story(frozenset({Event.WEEKLY_SUMMARY}), "summary_time")


def summarise(
    cluster: Cluster,
    courier: Courier,
    policy: BackupPolicy,
    account: Account,
    runs: Sequence[BackupRun],
    *,
    since: datetime,
    now: datetime,
) -> datetime | None:
    """Given the runs that have ended, oldest first, send the summary that is due. Returns when to look again."""
    due = last_due(now, zone_of(policy))
    next_due = last_due(now + timedelta(days=7), zone_of(policy))
    notes = owe_story(cluster, policy, account, _WEEK, Event.WEEKLY_SUMMARY, due) if due > since else None
    if notes is None or notes.summary_time is None:
        return next_due
    told_of = notes.summary_time
    look = tell_story(
        *(cluster, courier, policy, account, _WEEK, notes),
        lambda: _facts(cluster, policy, runs, told_of),
        since=since,
        now=now,
    )
    return min(look, next_due) if look else next_due


def _facts(cluster: Cluster, policy: BackupPolicy, runs: Sequence[BackupRun], due: datetime) -> Mapping[str, Any]:
    days = days_of_week(due, zone_of(policy))
    begin, end = days[0][0], days[-1][1]
    week = [run for run in runs if run.status.completion_time and begin <= run.status.completion_time < end]
    return week_facts(policy, database_name(cluster, policy), week, due)
