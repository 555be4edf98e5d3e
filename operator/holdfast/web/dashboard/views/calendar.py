"""Which backups are there, on which days, why they stay, and which go next."""

import calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from holdfast.domain.schedule import Schedule
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.specs.retention_status import decisions

MONTHS = 24
"""So many months that have a backup are drawn; the list has them all."""
LEFT_ALONE = "the newest prune left it"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Fate(StrEnum):
    KEPT = "Kept"
    HELD = "Held"
    GOES = "Goes"


@dataclass(frozen=True)
class Stored:
    """One backup."""

    run: str
    backup_id: str
    time: datetime
    fate: Fate
    reasons: str


@dataclass(frozen=True)
class Day:
    """``number``: 0 outside of the month."""

    number: int
    fate: Fate | None = None
    text: str = ""


@dataclass(frozen=True)
class Month:
    name: str
    weeks: tuple[tuple[Day, ...], ...]


@dataclass(frozen=True)
class Calendar:
    backups: tuple[Stored, ...]
    """Newest first."""
    months: tuple[Month, ...]
    days: tuple[str, ...]
    zone: str
    going: int


def retention_calendar(policy: BackupPolicy, schedule: Schedule, runs: Sequence[BackupRun], now: datetime) -> Calendar:
    """Given all runs of a policy. What goes is what its status says: the operator decides that, not this page."""
    stored = [run for run in runs if run.stored]
    by_id = {run.status.backup_id or "": run for run in stored}
    state = policy.status.retention
    going = {one.backup_id: one.reason for one in state.preview} if state else {}
    backups = []
    for decision in decisions(policy, schedule, stored, now):
        run = by_id[decision.backup.id]
        reasons = ", ".join(decision.reasons) if decision.keep else LEFT_ALONE
        fate = Fate.HELD if run.held else Fate.KEPT
        if decision.backup.id in going:
            fate, reasons = Fate.GOES, going[decision.backup.id]
        time = decision.backup.time.astimezone(schedule.zone)
        backups.append(Stored(run.metadata.name, decision.backup.id, time, fate, reasons))
    return Calendar(
        tuple(backups),
        tuple(_months(backups)[:MONTHS]),
        _DAYS,
        policy.spec.schedule.time_zone,
        sum(one.fate is Fate.GOES for one in backups),
    )


def _months(backups: Sequence[Stored]) -> list[Month]:
    """Those that have a backup, newest first."""
    of_day: dict[date, list[Stored]] = {}
    for backup in backups:
        of_day.setdefault(backup.time.date(), []).append(backup)
    named = sorted({(day.year, day.month) for day in of_day}, reverse=True)
    return [
        Month(
            f"{calendar.month_name[month]} {year}",
            tuple(
                tuple(_day(number, of_day.get(date(year, month, number), []) if number else []) for number in week)
                for week in calendar.Calendar().monthdayscalendar(year, month)
            ),
        )
        for year, month in named
    ]


def _day(number: int, backups: Sequence[Stored]) -> Day:
    """A day shows the best that becomes of its backups, and tells of all."""
    if not backups:
        return Day(number)
    fates = {one.fate for one in backups}
    best = next(fate for fate in (Fate.HELD, Fate.KEPT, Fate.GOES) if fate in fates)
    text = "; ".join(f"{one.time:%H:%M} {one.fate.lower()}: {one.reasons}" for one in backups)
    return Day(number, best, text)
