"""From the runs of a policy to the facts of its health, and from findings to the status. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from holdfast.domain.archive import Archive
from holdfast.domain.health import Drills, Ended, Finding, Judged, Verdict, overall, settle
from holdfast.domain.history import History, PastRun
from holdfast.domain.history import Trend as Movement
from holdfast.domain.phases import CollectionPhase, Phase
from holdfast.domain.schedule import parse_schedule
from holdfast.domain.selection import select
from holdfast.errors import InvalidSpec
from holdfast.resources.conditions import MESSAGE_LIMIT, find_condition
from holdfast.resources.health import FAILURES_LIMIT, Failures, Health, HealthCheck, Statistics, Trend
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun

HEALTHY = "Healthy"
POINT_IN_TIME = "PointInTime"
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def ended_backups(runs: Iterable[BackupRun]) -> list[BackupRun]:
    """Those that say something of the policy's health, newest first: ended, not cancelled, and of its own source."""
    told = [
        run
        for run in runs
        if run.status.terminal
        and run.status.phase is not Phase.CANCELLED
        and run.status.completion_time is not None
        and not run.pre_restore
    ]
    return sorted(told, key=lambda run: (run.status.completion_time or _NEVER, run.metadata.name), reverse=True)


def ended(run: BackupRun) -> Ended:
    status = run.status
    return Ended(
        run.metadata.name, status.phase or Phase.FAILED, status.completion_time or _NEVER, _words(status.message)
    )


def last_good(policy: BackupPolicy, runs: Sequence[BackupRun]) -> Ended | None:
    """The newest good backup that is stored: of a run, or of one that somebody deleted, as the status remembers it."""
    found = next((ended(run) for run in runs if run.status.phase is Phase.SUCCEEDED and run.stored), None)
    known = policy.status.last_successful_run
    if known is None or known.completion_time is None or (found and found.time >= known.completion_time):
        return found
    if any(run.metadata.name == known.name and not run.stored for run in runs):
        return found
    return Ended(known.name, Phase.SUCCEEDED, known.completion_time)


def past_runs(policy: BackupPolicy, runs: Sequence[BackupRun]) -> list[PastRun]:
    """Of the database that the newest one backed up, and the collections that are still asked for."""
    database = next((run.status.database for run in runs if run.status.database), None)
    return [_past(policy, run) for run in runs if run.status.database in (None, database)]


def _past(policy: BackupPolicy, run: BackupRun) -> PastRun:
    status, source = run.status, policy.spec.source
    begin, end = status.start_time, status.completion_time
    asked = select((one.name for one in status.collections), source.collections, source.exclude).chosen
    return PastRun(
        name=run.metadata.name,
        phase=status.phase or Phase.FAILED,
        time=end or _NEVER,
        reason=status.reason or "",
        duration=end - begin if begin and end else None,
        logical_bytes=status.logical_bytes,
        stored_bytes=status.stored_bytes,
        collections={
            one.name: one.documents
            for one in status.collections
            if one.name in asked and one.phase is CollectionPhase.SUCCEEDED and one.documents is not None
        },
        all_listed=not status.collections_omitted,
    )


def drills(policy: BackupPolicy, since: datetime | None) -> Drills | None:
    """What is known of the drills that the policy asks for. ``since``: when their CronJob was made."""
    spec, last = policy.spec.verification.drill, policy.status.last_drill
    if spec is None or since is None:
        return None
    try:
        schedule = parse_schedule(spec.schedule, policy.spec.schedule.time_zone)
    except InvalidSpec:
        return None  # the policy's condition Ready says it
    return Drills(
        schedule,
        since,
        suspended=spec.suspend,
        last=last.time if last else None,
        passed=last.passed if last else False,
        message=_words(last.message) if last else "",
    )


def archive(policy: BackupPolicy, now: datetime) -> Archive | None:
    """What is known of the archive of the oplog that the policy asks for."""
    if not policy.archives:
        return None
    status, asked = policy.status.point_in_time, find_condition(policy.status.conditions, POINT_IN_TIME)
    gap = status.open_gap if status else None
    return Archive(
        since=asked.last_transition_time if asked else now,
        interval=timedelta(seconds=policy.spec.point_in_time.slice_seconds),
        until=status.to if status else None,
        gap=_words(gap.message) if gap else None,
        problem=_words(status.message) if status and status.reason else "",
    )


def health(known: Health | None, findings: Sequence[Finding], now: datetime) -> Health:
    """The status after a look that found ``findings``, given the status before it."""
    before = {check.name: _judged(check) for check in known.checks} if known else {}
    checks = [settle(finding, before.get(finding.check), now) for finding in findings]
    verdict = overall(checks)
    since = known.since if known and known.verdict is verdict else now
    return Health(verdict=verdict, since=since, message=_summary(checks, verdict), checks=tuple(map(_check, checks)))


def pending(status: Health) -> bool:
    return any(check.pending is not None for check in status.checks)


def _summary(checks: Sequence[Judged], verdict: Verdict) -> str:
    if verdict is Verdict.HEALTHY:
        return "All five checks are good."
    worst = [f"{check.check}: {check.message}" for check in checks if check.verdict is verdict]
    return " ".join(worst)[:MESSAGE_LIMIT]


def _judged(check: HealthCheck) -> Judged:
    return Judged(check.name, check.status, check.message, check.since, check.pending, check.pending_since)


def _check(judged: Judged) -> HealthCheck:
    return HealthCheck(
        name=judged.check,
        status=judged.verdict,
        message=judged.message[:MESSAGE_LIMIT],
        since=judged.since,
        pending=judged.pending,
        pending_since=judged.pending_since,
    )


def statistics(numbers: History) -> Statistics:
    interval = numbers.average_interval
    return Statistics(
        runs=numbers.runs,
        succeeded=numbers.succeeded,
        partially_failed=numbers.partial,
        failed=numbers.failed,
        success_percent=numbers.success_percent,
        failures=tuple(Failures(reason=reason, count=count) for reason, count in numbers.failures[:FAILURES_LIMIT]),
        average_interval_seconds=round(interval.total_seconds()) if interval else None,
        logical_bytes=_trend(numbers.logical_bytes),
        stored_bytes=_trend(numbers.stored_bytes),
        duration_seconds=_trend(numbers.seconds),
    )


def _trend(movement: Movement | None) -> Trend | None:
    if movement is None:
        return None
    return Trend(newest=movement.newest, average=movement.average, per_week=movement.per_week)


def _words(text: str | None) -> str:
    """On one line, and short enough to be one of several."""
    return " ".join((text or "").split())[:500]
