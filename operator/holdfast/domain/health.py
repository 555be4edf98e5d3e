"""How a policy does: five checks, each a pure rule, and one verdict. It flaps for nobody.

No message tells an age: a status is written when something changed, not because time went by.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from holdfast.domain.phases import Phase
from holdfast.domain.schedule import Schedule


class Verdict(StrEnum):
    HEALTHY = "Healthy"
    WARNING = "Warning"
    CRITICAL = "Critical"

    @property
    def badness(self) -> int:
        return list(Verdict).index(self)


class CheckName(StrEnum):
    DATABASE_CONNECTION = "DatabaseConnection"
    RECENT_BACKUP = "RecentBackup"
    BACKUP_INTEGRITY = "BackupIntegrity"
    RETENTION_COMPLIANCE = "RetentionCompliance"
    CRON_SCHEDULE = "CronSchedule"


DISTANCE = timedelta(seconds=45)
"""Between the two looks that it takes to change a verdict. Less than the minute between two surveys."""

LATENESS = timedelta(hours=2)
"""How long after it was due a backup, or a drill, may still be on its way."""

REPEATED = 2
"""So many failed backups in a row are no hiccup any more."""


@dataclass(frozen=True)
class Finding:
    """What one check says at one look. ``certain``: it comes from something that has ended, and is true at once."""

    check: CheckName
    verdict: Verdict
    message: str
    certain: bool = False


@dataclass(frozen=True)
class Judged:
    """What a check is said to be. ``pending``: what it will be if the next look finds the same."""

    check: CheckName
    verdict: Verdict
    message: str
    since: datetime
    pending: Verdict | None = None
    pending_since: datetime | None = None


@dataclass(frozen=True)
class Ended:
    """A backup run that has ended, and was not cancelled."""

    name: str
    phase: Phase
    time: datetime
    message: str = ""


@dataclass(frozen=True)
class Ping:
    """What the source said when it was asked. ``problem`` is empty if it can be read."""

    problem: str = ""
    member: str = ""


@dataclass(frozen=True)
class Drills:
    """What is known of the drills of a policy that asks for them."""

    schedule: Schedule
    since: datetime
    """Since when they are asked for."""
    suspended: bool = False
    last: datetime | None = None
    passed: bool = False
    message: str = ""


def connection(ping: Ping | None, runs: Sequence[Ended]) -> Finding:
    """Whether the source can be read. ``ping``: None where the operator is not to ask; the newest run tells then."""
    name = CheckName.DATABASE_CONNECTION
    if ping is None:
        if runs and runs[0].phase is Phase.SUCCEEDED:
            return Finding(name, Verdict.HEALTHY, f"BackupRun {runs[0].name} read all of it.", certain=True)
        if runs:
            return Finding(name, Verdict.WARNING, f"BackupRun {runs[0].name} did not read all of it.", certain=True)
        return Finding(name, Verdict.HEALTHY, "It is not asked (spec.health.ping), and no backup has tried yet.")
    if ping.problem:
        return Finding(name, Verdict.CRITICAL, f"The source cannot be read: {ping.problem}")
    return Finding(name, Verdict.HEALTHY, f"{ping.member or 'The source'} answers.")


def recent_backup(
    last_good: Ended | None, schedule: Schedule | None, max_age: timedelta, *, created: datetime, now: datetime
) -> Finding:
    """Whether a good backup is young enough: ``max_age``, or the interval of the schedule itself and a little more."""
    name = CheckName.RECENT_BACKUP
    start = last_good.time if last_good else created
    interval = schedule.interval_at(start) if schedule else timedelta()
    limit = start + max(max_age, interval + LATENESS)
    overdue = now > limit
    if last_good is None:
        advice = "Back up now with a BackupRun, and look at the newest run's message."
        if overdue:
            return Finding(name, Verdict.CRITICAL, f"There is no good backup, and one was due. {advice}")
        return Finding(name, Verdict.WARNING, "There is no good backup yet. Take the first now with a BackupRun.")
    told = f"The newest good backup, of BackupRun {last_good.name}, ended at {_at(last_good.time)}"
    if overdue:
        return Finding(
            name,
            Verdict.CRITICAL,
            f"{told}: the next was due by {_at(limit)}. Look at the newest run's message and at the CronJob.",
        )
    return Finding(name, Verdict.HEALTHY, f"{told}.", certain=True)


def integrity(
    runs: Sequence[Ended],
    drills: Drills | None,
    surprises: Sequence[str],
    archive: Sequence[tuple[Verdict, str]] = (),
    *,
    now: datetime,
) -> Finding:
    """Whether the newest backup is whole and believable, drills restore it, and the oplog behind it is archived.
    ``runs``: newest first. ``archive``: what is wrong with the last of these."""
    found = [*_of_runs(runs), *(_of_drills(drills, now) if drills else ()), *archive]
    found += [(Verdict.WARNING, surprise) for surprise in surprises]
    if not found:
        if not runs:
            message = "There is nothing to check yet."
        else:
            message = f"The backup of BackupRun {runs[0].name} is whole and verified."
            if drills and drills.last and drills.passed:
                message += f" The drill of {_at(drills.last)} restored a backup and found it equal."
        return Finding(CheckName.BACKUP_INTEGRITY, Verdict.HEALTHY, message, certain=True)
    worst = max((verdict for verdict, _ in found), key=lambda verdict: verdict.badness)
    message = " ".join(text for _, text in sorted(found, key=lambda one: -one[0].badness))
    return Finding(CheckName.BACKUP_INTEGRITY, worst, message, certain=True)


def _of_runs(runs: Sequence[Ended]) -> list[tuple[Verdict, str]]:
    if not runs or runs[0].phase is Phase.SUCCEEDED:
        return []
    newest = runs[0]
    if newest.phase is Phase.PARTIALLY_FAILED:
        return [(Verdict.WARNING, f"The backup of BackupRun {newest.name} lacks collections: {newest.message}")]
    bad = next((index for index, run in enumerate(runs) if run.phase is Phase.SUCCEEDED), len(runs))
    if bad >= REPEATED:
        return [(Verdict.CRITICAL, f"The newest {bad} backups are not good. BackupRun {newest.name}: {newest.message}")]
    return [(Verdict.WARNING, f"BackupRun {newest.name} failed: {newest.message}")]


def _of_drills(drills: Drills, now: datetime) -> list[tuple[Verdict, str]]:
    if drills.last and not drills.passed:
        return [(Verdict.CRITICAL, f"The drill of {_at(drills.last)} failed: {drills.message}")]
    due = drills.schedule.next_after(drills.last or drills.since)
    if drills.suspended or now <= due + LATENESS:
        return []
    return [(Verdict.WARNING, f"The drill that was due at {_at(due)} has not ended. Look at its CronJob and its Jobs.")]


def retention(compliant: bool | None, message: str) -> Finding:
    """Whether what the rule does not keep is removed in time. ``compliant``: None while nobody knows."""
    verdict = Verdict.WARNING if compliant is False else Verdict.HEALTHY
    return Finding(CheckName.RETENTION_COMPLIANCE, verdict, message or "There is nothing to keep yet.")


def cron_schedule(*, in_force: bool, unready: str, stalled: bool, suspended: bool, missed: str) -> Finding:
    """Whether backups start by themselves, and can work.

    ``unready``: what keeps the policy from being ready; ``stalled``: it is the spec, which a person must change;
    ``missed``: what is said of a tick that just went by unused.
    """
    name = CheckName.CRON_SCHEDULE
    if not in_force:
        why = unready or "The operator makes it anew at its next look."
        return Finding(name, Verdict.CRITICAL, f"There is no CronJob: no backup starts by itself. {why}")
    if unready and stalled:
        return Finding(name, Verdict.WARNING, f"The schedule of an earlier spec is in force: {unready}")
    if unready:
        return Finding(name, Verdict.CRITICAL, f"The next backup cannot work: {unready}")
    if suspended:
        return Finding(name, Verdict.WARNING, "Scheduled backups are suspended by spec.schedule.suspend.")
    if missed:
        return Finding(name, Verdict.WARNING, missed)
    return Finding(name, Verdict.HEALTHY, "The CronJob is in force, and every backup that was due has started.")


def settle(finding: Finding, before: Judged | None, now: datetime) -> Judged:
    """What a check is said to be after this look. Another verdict needs two looks at a distance, or certainty."""
    if before is None or before.check is not finding.check:
        return Judged(finding.check, finding.verdict, finding.message, now)
    if finding.verdict is before.verdict:
        return Judged(finding.check, finding.verdict, finding.message, before.since)
    first_seen = (before.pending_since if before.pending is finding.verdict else None) or now
    if finding.certain or now - first_seen >= DISTANCE:
        return Judged(finding.check, finding.verdict, finding.message, now)
    return Judged(finding.check, before.verdict, before.message, before.since, finding.verdict, first_seen)


def overall(checks: Sequence[Judged]) -> Verdict:
    return max((check.verdict for check in checks), key=lambda verdict: verdict.badness, default=Verdict.HEALTHY)


def _at(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
