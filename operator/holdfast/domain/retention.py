"""Which backups of one database a rule keeps, and why. Nothing is removed that this page does not name.

Hours and days are **counted**: the newest good backup of each of the N newest hours or days that have one. So a time
without backups removes nothing. Weeks, months and years are **spaced by age** (:mod:`holdfast.domain.spacing`): what is
kept as the monthly one is about 30 days old, never today's.

The plan depends on what is there and on nothing else, so a prune that was missed or cut short is made up by the next.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from holdfast.domain.duration import format_duration
from holdfast.domain.spacing import MONTH, WEEK, YEAR, make_room, reference_day, spaced

SKEW_DAYS = 2
"""A backup whose time is further ahead than this was dated by a clock that was wrong: it is kept, and not counted."""


@dataclass(frozen=True)
class Rule:
    """What is to be kept. A count of 0 is no rule."""

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    keep_within: timedelta | None = None
    min_successful: int = 1
    """So many good backups always stay. Never less than one."""

    @property
    def empty(self) -> bool:
        """Whether it names nothing to keep. Such a rule keeps everything."""
        counts = (self.keep_last, self.keep_hourly, self.keep_daily)
        spaces = (self.keep_weekly, self.keep_monthly, self.keep_yearly)
        return not any((*counts, *spaces, self.keep_within))


@dataclass(frozen=True)
class StoredBackup:
    """What a rule asks of a backup."""

    id: str
    time: datetime
    """When it was started; aware."""
    good: bool = True
    """False for a partial one: a collection is missing from it."""
    verified: bool = False
    held: bool = False


@dataclass(frozen=True)
class Decision:
    """What happens to one backup, and why."""

    backup: StoredBackup
    keep: bool
    reasons: tuple[str, ...]


@dataclass
class _Plan:
    """The backups at work, newest first, with the reasons found so far."""

    backups: Sequence[StoredBackup]
    zone: ZoneInfo
    reasons: dict[str, list[str]] = field(default_factory=dict)

    def keep(self, backup: StoredBackup, reason: str) -> None:
        self.reasons.setdefault(backup.id, []).append(reason)

    def day(self, backup: StoredBackup) -> int:
        return self.day_of(backup.time)

    def day_of(self, moment: datetime) -> int:
        return moment.astimezone(self.zone).toordinal()

    def hour(self, backup: StoredBackup) -> Hashable:
        local = backup.time.astimezone(self.zone)
        # With the offset: an hour that a clock change repeats is two hours.
        return local.date(), local.hour, local.utcoffset()


def plan(backups: Iterable[StoredBackup], rule: Rule, now: datetime, zone: ZoneInfo) -> list[Decision]:
    """Given all backups of one database by one policy, say for each whether it stays; newest first.

    Whatever the rule: the newest good one, the newest verified one, ``min_successful`` good ones, what is held, and
    what is dated ahead of ``now`` are never removed.
    """
    ordered = sorted(backups, key=lambda backup: (backup.time, backup.id), reverse=True)
    work = _Plan(ordered, zone)
    today = work.day_of(now)
    present = [backup for backup in ordered if work.day(backup) <= today + SKEW_DAYS]
    good = [backup for backup in present if backup.good]
    if rule.empty:
        for backup in ordered:
            work.keep(backup, "no rule")
        return _decisions(work)
    _never_removed(work, rule, good, today)
    _counted(work, rule, good)
    _spaced(work, rule, good, _newest_partial(present))
    return _decisions(work)


def never_removed(
    backups: Iterable[StoredBackup], rule: Rule, now: datetime, zone: ZoneInfo
) -> dict[str, tuple[str, ...]]:
    """Given the same, the backups that stay whatever the rule, with the reasons."""
    ordered = sorted(backups, key=lambda backup: (backup.time, backup.id), reverse=True)
    work = _Plan(ordered, zone)
    today = work.day_of(now)
    _never_removed(work, rule, [one for one in ordered if one.good and work.day(one) <= today + SKEW_DAYS], today)
    return {backup_id: tuple(reasons) for backup_id, reasons in work.reasons.items()}


def _never_removed(work: _Plan, rule: Rule, good: Sequence[StoredBackup], today: int) -> None:
    for backup in work.backups:
        if backup.held:
            work.keep(backup, "held")
        if work.day(backup) > today + SKEW_DAYS:
            work.keep(backup, "ahead of the clock")
    # Of those that are not ahead of the clock: a wrong date makes no backup the newest.
    if good:
        work.keep(good[0], "newest good")
    if verified := next((backup for backup in good if backup.verified), None):
        work.keep(verified, "newest verified")
    least = max(1, rule.min_successful)
    for place, backup in enumerate(good[:least], 1):
        if least > 1:
            work.keep(backup, f"good {place} of at least {least}")


def _newest_partial(present: Sequence[StoredBackup]) -> StoredBackup | None:
    """The newest backup, if it is partial: for the collections that it has, nothing newer is there."""
    newest = present[0] if present else None
    return newest if newest and not newest.good else None


def _counted(work: _Plan, rule: Rule, good: Sequence[StoredBackup]) -> None:
    _newest_of_each(work, good, lambda backup: backup.id, rule.keep_last, "last")
    _newest_of_each(work, good, work.hour, rule.keep_hourly, "hourly")
    _newest_of_each(work, good, work.day, rule.keep_daily, "daily")
    if rule.keep_within and good:
        # Of the newest one, not of now: where no backup comes any more, none is removed for its age.
        for backup in good:
            if good[0].time - backup.time <= rule.keep_within:
                work.keep(backup, f"within {format_duration(rule.keep_within)}")


def _newest_of_each(
    work: _Plan, good: Sequence[StoredBackup], bucket: Callable[[StoredBackup], Hashable], count: int, word: str
) -> None:
    newest: dict[Hashable, StoredBackup] = {}
    for backup in good:
        newest.setdefault(bucket(backup), backup)
    for place, backup in enumerate(list(newest.values())[:count], 1):
        work.keep(backup, f"{word} {place} of {count}")


def _spaced(work: _Plan, rule: Rule, good: Sequence[StoredBackup], partial: StoredBackup | None) -> None:
    """Weeks, months and years. A day is spoken for by its newest good backup."""
    of_day: dict[int, StoredBackup] = {}
    for backup in good:
        of_day.setdefault(work.day(backup), backup)
    days = list(of_day)
    reference, calm = reference_day(days[: max(1, min(rule.keep_daily, WEEK))]) if days else (0, True)
    others = {day for day, backup in of_day.items() if backup.id in work.reasons}
    periods = (
        (rule.keep_weekly, WEEK, "weekly"),
        (rule.keep_monthly, MONTH, "monthly"),
        (rule.keep_yearly, YEAR, "yearly"),
    )
    asked = [(count, period, word) for count, period, word in periods if count]
    for count, period, word in asked:
        ladder = spaced(days, period, count, reference, calm=calm)
        if partial and len(asked) == count == 1:
            # The newest one, while it is partial, takes the place of what the rule can do without.
            smaller = make_room(ladder, others, period, max(work.day(partial), reference))
            ladder, partial = (smaller, partial) if smaller else (ladder, None)
        for place, day in enumerate(ladder.steps, 1):
            work.keep(of_day[day], f"{word} {place} of {count}")
        for day in ladder.candidates:
            if day not in others:
                work.keep(of_day[day], f"on its way to {word}")
    if partial:
        work.keep(partial, "partial, and newer than every good one")


def _decisions(work: _Plan) -> list[Decision]:
    kept = [backup for backup in work.backups if backup.good and backup.id in work.reasons]
    oldest = min((backup.time for backup in kept), default=None)
    decisions = []
    for backup in work.backups:
        reasons = work.reasons.get(backup.id)
        decisions.append(Decision(backup, bool(reasons), tuple(reasons or [_why_not(backup, oldest)])))
    return decisions


def _why_not(backup: StoredBackup, oldest_kept: datetime | None) -> str:
    if not backup.good:
        return "partial, and not the newest"
    if oldest_kept is not None and backup.time < oldest_kept:
        return "older than every rule"
    return "no rule needs it"
