"""Mails with sample data, to see whether mail works and how it looks. Each says that it is a sample."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from holdfast.domain.new_users import Detail
from holdfast.domain.notifications import Event
from holdfast.ports import Person
from holdfast.resources.base import format_time
from holdfast.resources.new_users import SignupsSeen
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.specs.letters import run_facts
from holdfast.specs.new_user_letter import new_user_facts
from holdfast.specs.weekly_letter import week_facts

DAY = timedelta(days=1)
TOOK = timedelta(seconds=40)
_MARK = "This is a sample"
_GOOD: Mapping[str, Any] = {
    "phase": "Succeeded",
    "reason": "Succeeded",
    "backupId": "sample",
    "documents": 1_234_567,
    "storedBytes": 83_000_000,
    "newBytes": 1_400_000,
    "warnings": [f"{_MARK}: no backup was taken."],
}
_BAD: Mapping[str, Any] = {
    "phase": "Failed",
    "reason": "SourceUnavailable",
    "message": f"{_MARK}: no backup failed. Here stands what is wrong, and what to do.",
}


class Sample(StrEnum):
    """Which mail. Each is the name of its template."""

    TEST = "test"
    NEW_USER = "new_user"
    BACKUP_SUCCESS = "backup_success"
    BACKUP_FAILURE = "backup_failure"
    WEEKLY_SUMMARY = "weekly_summary"


def check_facts(server: str) -> Mapping[str, Any]:
    """Of the mail that only says that mail works; ``server`` took it."""
    return {"subject": "Mail works", "preview": "", "outcome": "good", "server": server}


def sample_facts(sample: Sample, policy: BackupPolicy, database: str, server: str, now: datetime) -> Mapping[str, Any]:
    """The facts of a mail that nothing has led to. They name the policy and the database that they would be of."""
    if sample is Sample.TEST:
        return check_facts(server)
    facts = _facts(sample, policy, database, now)
    return {**facts, "subject": f"Sample: {facts['subject']}", "preview": f"{_MARK}. {facts['preview']}"}


def _facts(sample: Sample, policy: BackupPolicy, database: str, now: datetime) -> Mapping[str, Any]:
    if sample is Sample.NEW_USER:
        seen = SignupsSeen(count=1, ids=('"sample"',), first_time=now, last_time=now)
        people = [Person(f"{_MARK}: nobody", "nobody@example.com", now)]
        return new_user_facts(policy, database, seen, people, detail=Detail.FULL, unread="")
    if sample is Sample.WEEKLY_SUMMARY:
        return week_facts(policy, database, _week(policy, now), now)
    good = sample is Sample.BACKUP_SUCCESS
    event = Event.BACKUP_SUCCEEDED if good else Event.BACKUP_FAILED
    return run_facts(policy, database, event, _run(policy, now, _GOOD if good else _BAD), [])


def _week(policy: BackupPolicy, now: datetime) -> Sequence[BackupRun]:
    """Six good ones, and the newest failed: its message says what this is."""
    return [_run(policy, now - DAY * age - TOOK, _GOOD if age else _BAD) for age in range(6, -1, -1)]


def _run(policy: BackupPolicy, ended: datetime, status: Mapping[str, Any]) -> BackupRun:
    name, times = f"{policy.metadata.name}-sample", {"startTime": ended - TOOK, "completionTime": ended}
    return BackupRun.model_validate(
        {
            "metadata": {"name": name, "namespace": policy.metadata.namespace, "uid": name},
            "spec": {"policyRef": {"name": policy.metadata.name}},
            "status": {**status, **{key: format_time(time) for key, time in times.items()}},
        }
    )
