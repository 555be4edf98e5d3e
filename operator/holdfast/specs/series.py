"""What is measured of policies and runs, as samples: pure functions of what the cluster has, made anew at each scrape.

Names and units follow Prometheus' conventions: base units, ``_total`` on what only grows, a time as seconds since 1970.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from holdfast.domain.health import Verdict
from holdfast.domain.notifications import DeliveryPhase
from holdfast.domain.phases import Phase, RestorePhase
from holdfast.ports import Family, Sample
from holdfast.resources.conditions import find_condition
from holdfast.resources.notifications import Delivery
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun

_PhaseName = TypeVar("_PhaseName", Phase, RestorePhase, DeliveryPhase)

POLICY = ("namespace", "policy")

FAMILIES = tuple(
    Family(f"holdfast_{name}", "counter" if name.endswith("_total") else "gauge", help_, POLICY + labels)
    for name, help_, labels in (
        (
            "policy_info",
            "A policy, and what its labels say of it. Always 1.",
            ("schedule", "time_zone", "storage"),
        ),
        ("policy_ready", "Whether the schedule is in force and what the worker needs is there.", ()),
        ("policy_suspended", "Whether scheduled backups are suspended.", ()),
        ("policy_health", "The verdict on a policy: 1 for the status that it has.", ("status",)),
        ("policy_health_check", "Each of the five checks: 1 for the status that it has.", ("check", "status")),
        ("backup_last_success_timestamp_seconds", "When the newest good backup ended.", ()),
        ("backup_age_seconds", "How long ago the newest good backup ended.", ()),
        ("backup_next_timestamp_seconds", "When the next scheduled backup starts.", ()),
        ("backup_last_duration_seconds", "How long the newest good backup took.", ()),
        ("backup_last_documents", "Documents in the newest good backup.", ()),
        ("backup_last_logical_bytes", "Bytes of these documents, before compression.", ()),
        ("backup_last_stored_bytes", "Bytes that the newest good backup takes up, shared ones too.", ()),
        ("backup_last_new_bytes", "Bytes that the newest good backup added to the repository.", ()),
        ("backup_success_ratio", "Good ones among the runs of the last 30 days, 0 to 1.", ()),
        ("backup_runs", "BackupRuns that there are, by their phase.", ("phase",)),
        ("restore_runs", "RestoreRuns that there are, by their phase.", ("phase",)),
        ("backups_kept", "Backups that the retention rule keeps.", ()),
        ("backups_expired", "Backups that the next prune removes.", ()),
        ("backups_overdue", "Backups that ought to have been removed.", ()),
        ("missed_schedules_total", "Scheduled backups that never started, since the schedule was set.", ()),
        ("drill_last_timestamp_seconds", "When the newest drill ended.", ()),
        ("drill_last_passed", "Whether the newest drill restored a backup and found it equal.", ()),
        ("drill_recovery_seconds", "How long the newest drill took to restore and prove a backup.", ()),
        ("point_in_time_from_timestamp_seconds", "The first moment that can be restored by the archived oplog.", ()),
        ("point_in_time_to_timestamp_seconds", "Up to when the oplog is archived.", ()),
        ("point_in_time_lag_seconds", "How long ago that is.", ()),
        ("point_in_time_gaps", "Gaps in the archived oplog, in which nothing can be restored.", ()),
        ("notifications", "Messages in the statuses of a policy and its runs, by their phase.", ("phase",)),
    )
)


@dataclass(frozen=True, slots=True)
class RunFacts:
    """As much of a BackupRun as samples are made of: there may be thousands."""

    name: str
    policy: str
    phase: Phase
    ended: datetime | None
    counts: bool
    """Whether it is a good backup of the policy's own source."""
    seconds: float | None
    documents: int | None
    logical_bytes: int | None
    stored_bytes: int | None
    new_bytes: int | None
    messages: tuple[DeliveryPhase, ...]


def run_facts(run: BackupRun) -> RunFacts:
    status = run.status
    begin, end = status.start_time, status.completion_time
    return RunFacts(
        name=run.metadata.name,
        policy=run.spec.policy_ref.name,
        phase=status.phase or Phase.PENDING,
        ended=end,
        counts=status.phase is Phase.SUCCEEDED and not run.pre_restore,
        seconds=(end - begin).total_seconds() if begin and end else None,
        documents=status.documents,
        logical_bytes=status.logical_bytes,
        stored_bytes=status.stored_bytes,
        new_bytes=status.new_bytes,
        messages=_phases(status.notifications.deliveries if status.notifications else ()),
    )


@dataclass(frozen=True, slots=True)
class RestoreFacts:
    """The same of a RestoreRun. ``policy`` is empty where its source names none and no plan has found it yet."""

    policy: str
    phase: RestorePhase


def restore_facts(run: RestoreRun) -> RestoreFacts:
    named = run.spec.source.policy_ref.name if run.spec.source.policy_ref else ""
    return RestoreFacts(run.status.policy or named, run.status.phase or RestorePhase.PENDING)


def policy_samples(
    policy: BackupPolicy, runs: Iterable[RunFacts], restores: Iterable[RestoreFacts], now: datetime
) -> Iterator[Sample]:
    """All of one policy, given its runs and restores in any order. What is not known has no sample."""
    runs = list(runs)
    status, spec = policy.status, policy.spec
    ready = find_condition(status.conditions, "Ready")
    found: dict[str, float | None] = {
        "policy_ready": ready is not None and ready.status == "True",
        "policy_suspended": spec.schedule.suspend,
        "backup_next_timestamp_seconds": _seconds(status.next_schedule_time),
        **_last_backup(policy, runs, now),
        **_retention(policy),
        **_drill(policy),
        **_point_in_time(policy, now),
    }
    if status.statistics and status.statistics.runs:
        found["backup_success_ratio"] = status.statistics.succeeded / status.statistics.runs
    yield _sample(policy, "policy_info", 1, spec.schedule.cron, spec.schedule.time_zone, _storage(policy))
    for name, value in found.items():
        if value is not None:
            yield _sample(policy, name, value)
    yield from _health(policy)
    yield from _by_phase(policy, "backup_runs", Phase, Counter(run.phase for run in runs))
    yield from _by_phase(policy, "restore_runs", RestorePhase, Counter(run.phase for run in restores))
    own = _phases(status.notifications.deliveries if status.notifications else ())
    messages = Counter((*own, *(phase for run in runs for phase in run.messages)))
    yield from _by_phase(policy, "notifications", DeliveryPhase, messages)


def _last_backup(policy: BackupPolicy, runs: list[RunFacts], now: datetime) -> Mapping[str, float | None]:
    good = [run for run in runs if run.counts and run.ended]
    newest = max(good, key=lambda run: (run.ended, run.name), default=None)
    known = policy.status.last_successful_run
    ended = max(
        (moment for moment in (newest and newest.ended, known and known.completion_time) if moment), default=None
    )
    if ended is None:
        return {}
    if newest is None or newest.ended != ended:
        figures: dict[str, float | None] = {
            "documents": known.documents if known else None,
            "stored_bytes": known.stored_bytes if known else None,
        }
    else:
        figures = {
            "duration_seconds": newest.seconds,
            "documents": newest.documents,
            "logical_bytes": newest.logical_bytes,
            "stored_bytes": newest.stored_bytes,
            "new_bytes": newest.new_bytes,
        }
    return {
        "backup_last_success_timestamp_seconds": ended.timestamp(),
        "backup_age_seconds": max(0.0, (now - ended).total_seconds()),
        **{f"backup_last_{name}": value for name, value in figures.items()},
    }


def _retention(policy: BackupPolicy) -> Mapping[str, float | None]:
    retention, missed = policy.status.retention, policy.status.missed_schedules
    return {
        "backups_kept": retention.kept if retention else None,
        "backups_expired": retention.expired if retention else None,
        "backups_overdue": retention.overdue if retention else None,
        "missed_schedules_total": missed.count if missed else None,
    }


def _drill(policy: BackupPolicy) -> Mapping[str, float | None]:
    drill = policy.status.last_drill
    if drill is None:
        return {}
    return {
        "drill_last_timestamp_seconds": _seconds(drill.time),
        "drill_last_passed": drill.passed,
        "drill_recovery_seconds": drill.duration_seconds,
    }


def _point_in_time(policy: BackupPolicy, now: datetime) -> Mapping[str, float | None]:
    status = policy.status.point_in_time
    if status is None:
        return {}
    return {
        "point_in_time_from_timestamp_seconds": _seconds(status.from_),
        "point_in_time_to_timestamp_seconds": _seconds(status.to),
        "point_in_time_lag_seconds": max(0.0, (now - status.to).total_seconds()) if status.to else None,
        "point_in_time_gaps": len(status.gaps),
    }


def _health(policy: BackupPolicy) -> Iterator[Sample]:
    health = policy.status.health
    if health is None:
        return
    for status in Verdict:
        yield _sample(policy, "policy_health", health.verdict is status, status)
        for check in health.checks:
            yield _sample(policy, "policy_health_check", check.status is status, check.name, status)


def _storage(policy: BackupPolicy) -> str:
    kinds = type(policy.spec.storage).model_fields
    return next((kind for kind in kinds if getattr(policy.spec.storage, kind) is not None), "")


def _by_phase(
    policy: BackupPolicy, name: str, phases: Iterable[_PhaseName], counts: Mapping[_PhaseName, int]
) -> Iterator[Sample]:
    """One for each phase, so that a rate or an alert finds the zero before the one."""
    for phase in phases:
        yield _sample(policy, name, counts.get(phase, 0), phase)


def _sample(policy: BackupPolicy, name: str, value: float, *labels: str) -> Sample:
    return Sample(f"holdfast_{name}", (policy.metadata.namespace, policy.metadata.name, *labels), float(value))


def _seconds(moment: datetime | None) -> float | None:
    return moment.timestamp() if moment else None


def _phases(deliveries: Iterable[Delivery]) -> tuple[DeliveryPhase, ...]:
    return tuple(delivery.phase for delivery in deliveries)
