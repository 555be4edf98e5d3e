"""How a policy's rule is kept, as a pure function of its runs. The planner is that of the prune itself.

The repository decides: what a prune left in place by the present rule is kept, whatever a plan by the runs would say,
because some backups may have no run any more. A plan is made where no prune has looked yet.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from holdfast.domain.phases import Phase
from holdfast.domain.retention import Decision, StoredBackup, plan
from holdfast.domain.schedule import Schedule
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.retention import PREVIEW_LIMIT, PlannedRemoval, PolicyRetention, RunRetention
from holdfast.resources.run import BackupRun

RETENTION_COMPLIANT = "RetentionCompliant"

GRACE = timedelta(hours=1)
"""So long after the next backup was due, it ought to have pruned. So long after a prune that failed, comes another."""

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Compliance:
    """The status, and what the condition says."""

    status: PolicyRetention
    compliant: bool
    reason: str
    message: str


def compliance(policy: BackupPolicy, schedule: Schedule, runs: Sequence[BackupRun], now: datetime) -> Compliance:
    """Given all runs of a policy, say what the next prune removes, and whether it ought to have happened."""
    stored = [run for run in runs if run.stored]
    good, last = _last_prunes(runs)
    failed = last if last and last.error else None
    generation, known = policy.metadata.generation, policy.status.retention
    expired = [] if _settled(good, failed, stored, generation) else _expired(policy, schedule, stored, now)
    since = due = None
    if expired:
        since = known.expired_since if known and known.generation == generation and known.expired_since else now
        if not policy.spec.schedule.suspend:
            due = failed.time + GRACE if failed else schedule.next_after(since) + GRACE
    overdue = len(expired) if due and now >= due else 0
    status = PolicyRetention(
        kept=len(stored) - len(expired),
        held=sum(run.held for run in stored) or None,
        expired=len(expired),
        overdue=overdue,
        expired_since=since,
        due_time=due,
        last_prune_time=good.time if good else None,
        freed_bytes=good.freed_bytes if good else None,
        generation=generation,
        preview=tuple(
            PlannedRemoval(backup_id=one.backup.id, reason=", ".join(one.reasons)) for one in expired[:PREVIEW_LIMIT]
        ),
    )
    return Compliance(status, *_said(status, failed, suspended=policy.spec.schedule.suspend))


def _said(status: PolicyRetention, failed: RunRetention | None, *, suspended: bool) -> tuple[bool, str, str]:
    waiting = f"{status.expired} backups that the rule does not keep"
    if status.overdue:
        return False, "PruneOverdue", f"{waiting} ought to be gone. " + (failed.error or "" if failed else "")
    if failed:
        return False, failed.reason or "PruneFailed", failed.error or ""
    if status.expired and suspended:
        return True, "Suspended", f"{waiting} stay while the schedule is suspended."
    if status.expired:
        return True, "PruneDue", f"{waiting} go after the next backup; status.retention.preview lists them."
    return True, "Compliant", f"Backups that are kept: {status.kept}."


def _last_prunes(runs: Iterable[BackupRun]) -> tuple[RunRetention | None, RunRetention | None]:
    """The last that went well, and the last of all."""
    told = sorted((run.status.retention for run in runs if run.status.retention), key=lambda one: one.time)
    good = [one for one in told if not one.error]
    return good[-1] if good else None, told[-1] if told else None


def _settled(
    good: RunRetention | None, failed: RunRetention | None, stored: Sequence[BackupRun], generation: int
) -> bool:
    """Whether a prune has gone well by the present rule since the newest backup."""
    if good is None or failed is not None or good.generation != generation:
        return False
    return all((run.status.completion_time or _NEVER) <= good.time for run in stored)


def _expired(policy: BackupPolicy, schedule: Schedule, stored: Sequence[BackupRun], now: datetime) -> list[Decision]:
    """What a prune would remove, newest first."""
    return [decision for decision in decisions(policy, schedule, stored, now) if not decision.keep]


def decisions(policy: BackupPolicy, schedule: Schedule, stored: Sequence[BackupRun], now: datetime) -> list[Decision]:
    """What the rule says of each stored backup, newest first. Databases are apart, as the prune has them."""
    groups: dict[tuple[str | None, bool], list[StoredBackup]] = {}
    for run in stored:
        group = (run.status.database, run.pre_restore)
        groups.setdefault(group, []).append(_backup(run))
    rule, zone = policy.spec.retention.rule, schedule.zone
    planned = [decision for group in groups.values() for decision in plan(group, rule, now, zone)]
    return sorted(planned, key=lambda decision: decision.backup.id, reverse=True)


def _backup(run: BackupRun) -> StoredBackup:
    status = run.status
    whole = status.phase is Phase.SUCCEEDED
    moment = status.start_time or run.metadata.creation_timestamp or _NEVER
    return StoredBackup(status.backup_id or "", moment, good=whole, verified=whole, held=run.held)
