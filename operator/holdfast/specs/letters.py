"""What a mail tells of runs, as plain facts: the templates only lay them out."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from holdfast.domain.human import human_bytes, human_duration
from holdfast.domain.notifications import PROBLEMS, Event, event_of
from holdfast.domain.phases import CollectionPhase, Phase
from holdfast.domain.schedule import parse_zone
from holdfast.errors import InvalidSpec
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun

SHOWN = 20
"""Collections and warnings that a mail lists at most."""
RUNS_SHOWN = 10
MESSAGE_LIMIT = 1000

TEMPLATES = {
    Event.BACKUP_SUCCEEDED: "backup_success",
    Event.BACKUP_FAILED: "backup_failure",
    Event.BACKUP_PARTIAL: "backup_partial",
    Event.BACKUP_RECOVERED: "backup_recovered",
    Event.RESTORE_SUCCEEDED: "restore_success",
    Event.RESTORE_FAILED: "restore_failure",
    Event.SCHEDULE_MISSED: "schedule_missed",
    Event.DRILL_PASSED: "drill_passed",
    Event.DRILL_FAILED: "drill_failed",
    Event.HEALTH_CRITICAL: "health_critical",
    Event.HEALTH_RECOVERED: "health_recovered",
    Event.WEEKLY_SUMMARY: "weekly_summary",
    Event.NEW_USER: "new_user",
}

TEMPLATE_NAMES = frozenset(f"{name}.{kind}" for name in (*TEMPLATES.values(), "run") for kind in ("html", "txt")) | {
    "base.html",
    "parts.html",
}
"""What a policy may bring templates of its own for."""

_SUBJECTS = {
    Event.BACKUP_SUCCEEDED: "Backup of {database} succeeded",
    Event.BACKUP_FAILED: "Backup of {database} FAILED",
    Event.BACKUP_PARTIAL: "Backup of {database} is good in part",
    Event.BACKUP_RECOVERED: "Backups of {database} are good again",
}

_OUTCOMES = {
    Phase.SUCCEEDED: ("good", "Succeeded"),
    Phase.PARTIALLY_FAILED: ("partial", "Good in part"),
    Phase.FAILED: ("bad", "Failed"),
    Phase.CANCELLED: ("none", "Cancelled"),
}


def run_facts(
    policy: BackupPolicy, database: str, event: Event, run: BackupRun, others: Sequence[BackupRun]
) -> Mapping[str, Any]:
    """Given the newest run that a mail tells of, and the other ones, newest first, return the facts of the mail."""
    problems = sum(event_of(one.status.phase, None) in PROBLEMS for one in (run, *others) if one.status.phase)
    zone = zone_of(policy)
    told = [short_run(one, zone) for one in others[:RUNS_SHOWN]]
    subject = _SUBJECTS[event].format(database=database)
    if event in PROBLEMS and problems > 1:
        subject += f" ({problems} times)"
    return {
        "subject": f"{subject} ({policy.metadata.namespace}/{policy.metadata.name})",
        "preview": _preview(run),
        "outcome": outcome_of(run),
        "policy": policy.metadata.name,
        "namespace": policy.metadata.namespace,
        "database": database,
        "problems": problems,
        "run": _long_run(run),
        "rows": _rows(policy, run, zone),
        "others": told,
        "more": len(others) - len(told),
        "last_good": last_good_words(policy, zone),
        "commands": _commands(policy, run),
    }


def short_run(run: BackupRun, zone: ZoneInfo) -> Mapping[str, str]:
    phase = run.status.phase or Phase.PENDING
    return {
        "name": run.metadata.name,
        "outcome": outcome_of(run),
        "outcome_text": _OUTCOMES.get(phase, ("none", str(phase)))[1],
        "ended": moment_words(run.status.completion_time, zone),
        "message": "" if phase is Phase.SUCCEEDED else sentence(run.status.message)[:160],
    }


def outcome_of(run: BackupRun) -> str:
    return _OUTCOMES.get(run.status.phase or Phase.PENDING, ("none", ""))[0]


def moment_words(moment: datetime | None, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).strftime("%a %d %b %Y, %H:%M %Z") if moment else ""


def zone_of(policy: BackupPolicy) -> ZoneInfo:
    """The zone of the schedule; UTC where that makes no sense, which the policy itself says."""
    try:
        return parse_zone(policy.spec.schedule.time_zone)
    except InvalidSpec:
        return ZoneInfo("Etc/UTC")


def _long_run(run: BackupRun) -> Mapping[str, Any]:
    failed = [item for item in run.status.collections if item.phase is CollectionPhase.FAILED]
    return {
        "message": sentence(run.status.message),
        "failed_collections": [(item.name, sentence(item.error)) for item in failed[:SHOWN]],
        "warnings": [sentence(warning) for warning in run.status.warnings[:SHOWN]],
    }


def _rows(policy: BackupPolicy, run: BackupRun, zone: ZoneInfo) -> list[tuple[str, Any]]:
    status = run.status
    size = status.stored_size or (human_bytes(status.stored_bytes) if status.stored_bytes is not None else None)
    new = f" ({status.new_size} new)" if size and status.new_size else ""
    took = status.duration
    if took is None and status.start_time and status.completion_time:
        took = human_duration(status.completion_time - status.start_time)
    return [
        ("Run", f"{policy.metadata.namespace}/{run.metadata.name}"),
        ("Reason", status.reason if status.phase is not Phase.SUCCEEDED else None),
        ("Started", moment_words(status.start_time, zone)),
        ("Ended", moment_words(status.completion_time, zone)),
        ("Took", took),
        ("Backup", status.backup_id),
        ("Documents", f"{status.documents:,}" if status.documents is not None else None),
        ("Size", f"{size}{new}" if size else None),
        ("Consistency", status.consistency.level if status.consistency else None),
    ]


def last_good_words(policy: BackupPolicy, zone: ZoneInfo) -> str:
    last = policy.status.last_successful_run
    if last is None or last.completion_time is None:
        return "There is no good backup of this policy yet."
    return f"The last good backup is of {moment_words(last.completion_time, zone)}."


def _commands(policy: BackupPolicy, run: BackupRun) -> list[str]:
    namespace, name = policy.metadata.namespace, policy.metadata.name
    return [
        f"kubectl describe backuprun {run.metadata.name} --namespace {namespace}",
        f"kubectl create job --from=cronjob/{name} {name}-now --namespace {namespace}",
    ]


def _preview(run: BackupRun) -> str:
    return sentence(run.status.message)[:120]


def sentence(text: str | None) -> str:
    """On one line, and not too long."""
    return " ".join((text or "").split())[:MESSAGE_LIMIT]
