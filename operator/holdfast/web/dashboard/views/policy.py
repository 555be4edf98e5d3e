"""One policy: how it does and why, what its backups are like, which of them stay, and what was proven."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.domain.phases import Phase
from holdfast.domain.schedule import parse_schedule
from holdfast.errors import InvalidSpec
from holdfast.resources.conditions import find_condition
from holdfast.resources.drill import LastDrill
from holdfast.resources.health import Statistics
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun
from holdfast.web.dashboard.views.calendar import Calendar, retention_calendar
from holdfast.web.dashboard.views.charts import Chart, bytes_chart, seconds_chart
from holdfast.web.dashboard.views.marks import Mark, mark, words
from holdfast.web.dashboard.views.moments import Moments, moments
from holdfast.web.dashboard.views.overview import Card, card

CHARTED = 60
LISTED = 20
_GOOD = (Phase.SUCCEEDED, Phase.PARTIALLY_FAILED)


@dataclass(frozen=True)
class Check:
    name: str
    mark: Mark
    message: str
    since: datetime
    pending: str


@dataclass(frozen=True)
class Row:
    """A run in a list."""

    name: str
    mark: Mark
    reason: str
    time: datetime | None
    duration: str
    documents: int | None
    stored_bytes: int | None
    new_bytes: int | None
    reused_percent: int | None
    held: bool


@dataclass(frozen=True)
class RestoreRow:
    name: str
    mark: Mark
    mode: str
    time: datetime | None
    duration: str
    database: str
    proof: str


@dataclass(frozen=True)
class DrillRow:
    """A drill that has ended."""

    job: str
    mark: Mark
    time: datetime
    duration: str
    documents: int | None
    backup_id: str
    message: str


@dataclass(frozen=True)
class PolicyView:
    card: Card
    cron: str
    zone: str
    storage: str
    encrypted: bool
    not_ready: str
    checks: tuple[Check, ...]
    statistics: Statistics | None
    sizes: Chart | None
    durations: Chart | None
    measured: tuple[Row, ...]
    """What is drawn, as a table; newest first."""
    calendar: Calendar | None
    rule: tuple[tuple[str, str], ...]
    last_prune: datetime | None
    runs: tuple[Row, ...]
    all_runs: int
    moments: Moments | None
    archived: bool
    """Whether the oplog is archived, so that any second can be restored."""
    archive_problem: str
    drill_wanted: bool
    drill: LastDrill | None
    """The newest."""
    drill_mark: Mark | None
    recovery: Chart | None
    """How long drills took, where they passed."""
    drills: tuple[DrillRow, ...]
    """Newest first."""
    restores: tuple[RestoreRow, ...] | None
    """None: the viewer may not see them."""


def policy_view(
    policy: BackupPolicy, runs: Sequence[BackupRun], restores: Sequence[RestoreRun] | None, now: datetime
) -> PolicyView:
    """``runs``: all of the policy, newest first; ``restores``: the same."""
    spec, status = policy.spec, policy.status
    good = [run for run in runs if run.status.phase in _GOOD and run.status.start_time][:CHARTED]
    ready = find_condition(status.conditions, "Ready")
    drills = status.drills or ((status.last_drill,) if status.last_drill else ())
    return PolicyView(
        card=card(policy, runs),
        cron=spec.schedule.cron,
        zone=spec.schedule.time_zone,
        storage=_storage(policy),
        encrypted=spec.encryption is not None,
        not_ready=ready.message if ready and ready.status == "False" else "",
        checks=_checks(policy),
        statistics=status.statistics,
        sizes=_sizes(good),
        durations=_durations(good),
        measured=tuple(row(run) for run in good),
        calendar=_calendar(policy, runs, now),
        rule=_rule(policy),
        last_prune=status.retention.last_prune_time if status.retention else None,
        runs=tuple(row(run) for run in runs[:LISTED]),
        all_runs=len(runs),
        moments=moments(policy),
        archived=spec.point_in_time.enabled,
        archive_problem=(status.point_in_time.message or "") if status.point_in_time else "",
        drill_wanted=spec.verification.drill is not None,
        drill=drills[0] if drills else None,
        drill_mark=mark(drills[0].result) if drills else None,
        recovery=_recovery(drills),
        drills=tuple(map(drill_row, drills)),
        restores=None if restores is None else tuple(restore_row(one) for one in restores[:LISTED]),
    )


def row(run: BackupRun) -> Row:
    status = run.status
    return Row(
        name=run.metadata.name,
        mark=mark(status.phase),
        reason=words(run.spec.reason),
        time=status.start_time or run.born,
        duration=status.duration or "",
        documents=status.documents,
        stored_bytes=status.stored_bytes,
        new_bytes=status.new_bytes,
        reused_percent=reused(status.stored_bytes, status.new_bytes),
        held=run.held,
    )


def reused(stored: int | None, new: int | None) -> int | None:
    """How much of a backup was there already, of a hundred."""
    if not stored or new is None:
        return None
    return max(0, 100 * (stored - new) // stored)


def restore_row(run: RestoreRun) -> RestoreRow:
    status, verification = run.status, run.status.verification
    return RestoreRow(
        name=run.metadata.name,
        mark=mark(status.phase),
        mode=run.spec.mode.value,
        time=status.start_time or run.metadata.creation_timestamp,
        duration=status.duration or "",
        database=status.database or run.spec.target.database or "",
        proof=verification.result if verification else "",
    )


def drill_row(drill: LastDrill) -> DrillRow:
    return DrillRow(
        job=drill.job,
        mark=mark(drill.result),
        time=drill.time,
        duration=drill.duration or "",
        documents=drill.documents,
        backup_id=drill.backup_id or "",
        message="" if drill.passed else drill.message or "",
    )


def _recovery(drills: Sequence[LastDrill]) -> Chart | None:
    """Of those that passed: one that failed recovered nothing."""
    spans = [
        (one.time, float(one.duration_seconds))
        for one in reversed(drills)
        if one.passed and one.duration_seconds is not None
    ]
    return seconds_chart("recovery", "Recovery time", [("Restored and proven in", spans)])


def _checks(policy: BackupPolicy) -> tuple[Check, ...]:
    health = policy.status.health
    return tuple(
        Check(words(one.name), mark(one.status), one.message, one.since, one.pending or "")
        for one in (health.checks if health else ())
    )


def _sizes(runs: Sequence[BackupRun]) -> Chart | None:
    times = [(run, run.status.start_time) for run in reversed(runs)]
    stored = [(time, float(run.status.stored_bytes)) for run, time in times if time and run.status.stored_bytes]
    new = [(time, float(run.status.new_bytes)) for run, time in times if time and run.status.new_bytes is not None]
    return bytes_chart("sizes", "Size", [("Stored in the backup", stored), ("Added by the run", new)])


def _durations(runs: Sequence[BackupRun]) -> Chart | None:
    spans = [
        (run.status.start_time, (run.status.completion_time - run.status.start_time).total_seconds())
        for run in reversed(runs)
        if run.status.start_time and run.status.completion_time
    ]
    return seconds_chart("durations", "Duration", [("Took", spans)])


def _calendar(policy: BackupPolicy, runs: Sequence[BackupRun], now: datetime) -> Calendar | None:
    """None where the policy makes no sense; its checks say so."""
    try:
        schedule = parse_schedule(policy.spec.schedule.cron, policy.spec.schedule.time_zone)
        return retention_calendar(policy, schedule, runs, now)
    except InvalidSpec:
        return None


def _rule(policy: BackupPolicy) -> tuple[tuple[str, str], ...]:
    """The parts of the rule that keep something, in words."""
    rule = policy.spec.retention
    parts = {
        "last": rule.keep_last, "hourly": rule.keep_hourly, "daily": rule.keep_daily, "weekly": rule.keep_weekly,
        "monthly": rule.keep_monthly, "yearly": rule.keep_yearly, "within": rule.keep_within,
        "successful at least": rule.min_successful,
    }  # fmt: skip
    return tuple((name, str(value)) for name, value in parts.items() if value)


def _storage(policy: BackupPolicy) -> str:
    """The kind of store, in words."""
    kinds = {"mongodb": "MongoDB", "s3": "S3", "gcs": "Google Cloud Storage", "azure": "Azure", "volume": "Volume"}
    given = policy.spec.storage.to_wire()
    return next((name for kind, name in kinds.items() if kind in given), "")
