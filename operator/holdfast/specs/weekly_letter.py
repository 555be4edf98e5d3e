"""What the weekly summary tells, as plain facts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.domain.human import human_bytes
from holdfast.domain.phases import Phase
from holdfast.domain.week import days_of_week
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.specs.letters import RUNS_SHOWN, moment_words, short_run, zone_of

BARE_WIDTH = 6
"""Percent, for a day that has an outcome but no size."""


def week_facts(policy: BackupPolicy, database: str, runs: Sequence[BackupRun], due: datetime) -> Mapping[str, Any]:
    """Given the runs that ended in the week before ``due``, oldest first, return the facts of the mail."""
    zone = zone_of(policy)
    counted = [run for run in runs if run.status.phase is not Phase.CANCELLED]
    good = [run for run in counted if run.status.phase is Phase.SUCCEEDED]
    failures = [run for run in reversed(counted) if run.status.phase is not Phase.SUCCEEDED]
    days = days_of_week(due, zone)
    headline = f"{len(good)} of {len(counted)} backups good" if counted else "no backups"
    outcome = "good" if good and not failures else "partial" if good else "bad"
    return {
        "subject": f"Week of {database}: {headline} ({policy.metadata.namespace}/{policy.metadata.name})",
        "preview": headline,
        "outcome": outcome,
        "headline": headline,
        "policy": policy.metadata.name,
        "namespace": policy.metadata.namespace,
        "database": database,
        "from": _date(days[0][0], zone),
        "to": _date(days[-1][0], zone),
        "rows": _rows(policy, good, counted, zone),
        "days": _days(counted, days, zone),
        "failures": [short_run(run, zone) for run in failures[:RUNS_SHOWN]],
        "more": max(0, len(failures) - RUNS_SHOWN),
    }


def _date(moment: datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%a %d %b %Y")


def _rows(
    policy: BackupPolicy, good: Sequence[BackupRun], counted: Sequence[BackupRun], zone: ZoneInfo
) -> list[tuple[str, Any]]:
    last = policy.status.last_successful_run
    newest = good[-1].status if good else None
    added = [run.status.new_bytes for run in counted if run.status.new_bytes is not None]
    return [
        ("Good", f"{len(good)} of {len(counted)}"),
        ("Last good", moment_words(last.completion_time, zone) if last else "never"),
        ("Documents", f"{newest.documents:,}" if newest and newest.documents is not None else None),
        ("Size", human_bytes(newest.stored_bytes) if newest and newest.stored_bytes is not None else None),
        ("New this week", human_bytes(sum(added)) if added else None),
    ]


def _days(
    runs: Sequence[BackupRun], days: Sequence[tuple[datetime, datetime]], zone: ZoneInfo
) -> list[Mapping[str, Any]]:
    by_day = [[run for run in runs if begin <= (run.status.completion_time or end) < end] for begin, end in days]
    sizes = [max((run.status.stored_bytes or 0 for run in day), default=0) for day in by_day]
    return [
        _day(begin.astimezone(zone).strftime("%a"), day, size, max(sizes))
        for (begin, _), day, size in zip(days, by_day, sizes, strict=True)
    ]


def _day(name: str, runs: Sequence[BackupRun], size: int, largest: int) -> Mapping[str, Any]:
    if not runs:
        return {"name": name, "width": 0, "outcome": "none", "size": "", "text": "no backup"}
    good = sum(run.status.phase is Phase.SUCCEEDED for run in runs)
    outcome = "good" if good == len(runs) else "partial" if good or size else "bad"
    return {
        "name": name,
        "width": max(BARE_WIDTH, 100 * size // largest) if largest else BARE_WIDTH,
        "outcome": outcome,
        "size": human_bytes(size) if size else "",
        "text": f"{good} of {len(runs)} good",
    }
