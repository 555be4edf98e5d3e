"""Letters with real facts, one of each kind, for looking at them and for keeping them as they are."""

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from holdfast.domain.new_users import Detail
from holdfast.domain.notifications import Event
from holdfast.ports import Letter, Person
from holdfast.resources.base import format_time
from holdfast.resources.drill import LastDrill
from holdfast.resources.health import Health
from holdfast.resources.missed import MissedSchedules
from holdfast.resources.new_users import SignupsSeen
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun
from holdfast.specs.drill_letter import drill_facts
from holdfast.specs.health_letter import health_facts
from holdfast.specs.letters import TEMPLATES, run_facts
from holdfast.specs.missed_letter import missed_facts
from holdfast.specs.new_user_letter import new_user_facts
from holdfast.specs.restore_letter import restore_facts
from holdfast.specs.sample_letters import check_facts
from holdfast.specs.weekly_letter import week_facts
from tests.support.kube_objects import policy_model

NOW = datetime(2026, 3, 2, 1, 0, 42, tzinfo=UTC)
WEEK_DUE = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
"""Monday at 08:00 in Berlin."""
EVIL = "<script>alert(1)</script>"
PIXEL = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGOQj18BAAHHASdPJTHcAAAAAElFTkSuQmCC")
"""A PNG: one blue pixel, which a mail blows up to its logo."""

_LAST = {"name": "timetrack-29384720", "completionTime": "2026-03-01T01:00:40Z", "backupId": "b0"}
_GOOD: dict[str, Any] = {
    "phase": "Succeeded",
    "reason": "Succeeded",
    "startTime": "2026-03-02T01:00:02Z",
    "duration": "40s",
    "backupId": "20260302T010004Z-8c1f",
    "documents": 1_234_567,
    "storedBytes": 83_000_000,
    "storedSize": "79.2 MiB",
    "newSize": "1.4 MiB",
    "consistency": {"level": "Snapshot", "clusterTime": "1772413204.1"},
}
_BAD: dict[str, Any] = {
    "phase": "Failed",
    "reason": "SourceUnavailable",
    "message": "The database db.example.org:27017 does not answer. Check that it runs, and that the network lets the "
    "worker through. (Tried 4 times.)",
    "startTime": "2026-03-02T01:00:02Z",
    "duration": "40s",
}
_PARTIAL: dict[str, Any] = {
    **_GOOD,
    "phase": "PartiallyFailed",
    "reason": "CollectionFailed",
    "message": "1 of 6 collections could not be backed up: feedback.",
    "collections": [
        {"name": "feedback", "phase": "Failed", "error": f"Not authorized to read it. {EVIL}"},
        {"name": "users", "phase": "Succeeded", "documents": 12},
    ],
    "warnings": ["spec.source.collections names userGoals, which is not in the database."],
}


DRILLS = {
    Event.DRILL_PASSED: LastDrill(
        job="timetrack-drill-29386160",
        result="Passed",
        time=NOW,
        backup_id="20260302T010004Z-8c1f",
        documents=1_234_567,
        duration_seconds=93,
        duration="1m33s",
        message="Backup 20260302T010004Z-8c1f was restored and proven in 1m33s.",
    ),
    Event.DRILL_FAILED: LastDrill(
        job="timetrack-drill-29386160",
        result="Failed",
        time=NOW,
        backup_id="20260302T010004Z-8c1f",
        message="Backup 20260302T010004Z-8c1f cannot be restored: chunk 8c1f is missing. Restore another backup.",
    ),
}


_CRITICAL = (
    "RecentBackup: The newest good backup, of BackupRun timetrack-29384720, ended at 2026-03-01T01:00:40Z: the next "
    "was due by 2026-03-02T03:00:40Z. Look at the newest run's message and at the CronJob."
)


def _health(verdict: str, message: str, recent: str) -> Health:
    since = format_time(NOW)
    checks = [
        ("DatabaseConnection", "Healthy", "Replica set rs0 answers."),
        ("RecentBackup", verdict, recent),
        ("BackupIntegrity", "Healthy", "The backup of BackupRun timetrack-29384720 is whole and verified."),
        ("RetentionCompliance", "Healthy", "Backups that are kept: 8."),
        ("CronSchedule", "Healthy", "The CronJob is in force, and every backup that was due has started."),
    ]
    told = [{"name": name, "status": status, "message": words, "since": since} for name, status, words in checks]
    return Health.model_validate({"verdict": verdict, "since": since, "message": message, "checks": told})


HEALTHS = {
    Event.HEALTH_CRITICAL: _health("Critical", _CRITICAL, _CRITICAL.removeprefix("RecentBackup: ")),
    Event.HEALTH_RECOVERED: _health(
        "Healthy",
        "All five checks are good.",
        "The newest good backup, of BackupRun timetrack-29386160, ended at 2026-03-02T01:00:42Z.",
    ),
}


MISSED = MissedSchedules(count=3, last=NOW, schedule="0 2 * * * Europe/Berlin", settled_until=NOW)


SIGNUPS = SignupsSeen(
    count=57,
    ids=('"0"', '"1"', '"2"', '"3"'),
    first_time=NOW,
    last_time=NOW + timedelta(minutes=9),
    missing_since=NOW - timedelta(days=2),
)
PEOPLE = [
    Person("Ada Lovelace", "ada@example.org", NOW),
    Person(EVIL, "a.very.long.address.that.does.not.fit.on.a.telephone@students.example.org", NOW),
    Person("", "nameless@example.org", None),
]
"""Of the four that are shown, one is gone again."""


def restore_of(phase: str) -> RestoreRun:
    failed = {
        "message": f"1 of 6 collections could not be restored. {EVIL}",
        "collections": [{"name": "users", "phase": "Failed", "error": "The target refuses a document (code 121)."}],
    }
    good = {
        "documents": 1_234_567,
        "verification": {"result": "Equal", "collections": 6, "documents": 1_234_567},
        "preRestoreBackupId": "20260302T005900Z-11aa",
        "warnings": ["The user cannot set validators to warn; they stay as they are."],
    }
    return RestoreRun.model_validate(
        {
            "metadata": {"name": "undo-friday", "namespace": "team", "uid": "undo"},
            "spec": {"source": {"policyRef": {"name": "timetrack"}, "latest": True}, "mode": "Apply"},
            "status": {
                "phase": phase,
                "reason": "CollectionFailed" if phase == "Failed" else phase,
                "backupId": "20260302T010004Z-8c1f",
                "database": "timetrack_copy",
                "completionTime": format_time(NOW),
                "duration": "2m5s",
                **(failed if phase == "Failed" else good),
            },
        }
    )


def run_of(name: str, ended: datetime = NOW, **status: Any) -> BackupRun:
    return BackupRun.model_validate(
        {
            "metadata": {"name": name, "namespace": "team", "uid": name},
            "spec": {"policyRef": {"name": "timetrack"}},
            "status": {"completionTime": format_time(ended), **status},
        }
    )


def week() -> list[BackupRun]:
    """Seven days: good ones that grow, one without a backup, one that failed, one that failed twice and came back."""
    begin = WEEK_DUE - timedelta(days=7, hours=8)
    ends: list[tuple[float, dict[str, Any], float]] = [
        (0.1, _GOOD, 1.0),
        (1.1, _GOOD, 1.1),
        (3.1, _BAD, 0),
        (4.1, _BAD, 0),
        (4.2, _BAD, 0),
        (4.3, _GOOD, 1.2),
        (5.1, _PARTIAL, 0.9),
        (6.1, _GOOD, 1.3),
    ]
    runs = []
    for number, (day, status, factor) in enumerate(ends):
        sizes = {"storedBytes": int(83_000_000 * factor), "newBytes": 1_400_000} if factor else {}
        runs.append(run_of(f"timetrack-{29386160 + number}", begin + timedelta(days=day), **{**status, **sizes}))
    return runs


def facts_of(event: Event) -> Mapping[str, Any]:
    shown = policy()
    earlier = [run_of(f"timetrack-2938{4600 - hour}", NOW - timedelta(hours=hour), **_BAD) for hour in range(1, 24)]
    status, others = {
        Event.BACKUP_SUCCEEDED: (_GOOD, []),
        Event.BACKUP_FAILED: (_BAD, earlier),
        Event.BACKUP_PARTIAL: (_PARTIAL, []),
        Event.BACKUP_RECOVERED: (_GOOD, earlier[:2]),
    }[event]
    return run_facts(shown, "timetrack", event, run_of("timetrack-29386160", **status), others)


def policy() -> BackupPolicy:
    body = policy_model("timetrack", schedule={"cron": "0 2 * * *", "timeZone": "Europe/Berlin"})
    return body.model_copy(
        update={
            "metadata": body.metadata.model_copy(update={"namespace": "team"}),
            "status": body.status.model_validate({"lastSuccessfulRun": _LAST}),
        }
    )


def letters() -> Mapping[str, Letter]:
    """By template."""
    restores = {Event.RESTORE_SUCCEEDED: restore_of("Succeeded"), Event.RESTORE_FAILED: restore_of("Failed")}
    apart = {Event.WEEKLY_SUMMARY, Event.SCHEDULE_MISSED, Event.NEW_USER, *DRILLS, *HEALTHS, *restores}
    every = {TEMPLATES[event]: facts_of(event) for event in TEMPLATES if event not in apart}
    every |= {TEMPLATES[event]: drill_facts(policy(), "timetrack", drill) for event, drill in DRILLS.items()}
    every |= {TEMPLATES[event]: health_facts(policy(), "timetrack", health) for event, health in HEALTHS.items()}
    every |= {TEMPLATES[event]: restore_facts(policy(), "timetrack", run, []) for event, run in restores.items()}
    every["schedule_missed"] = missed_facts(policy(), "timetrack", MISSED)
    every["weekly_summary"] = week_facts(policy(), "timetrack", week(), WEEK_DUE)
    every["new_user"] = new_user_facts(policy(), "timetrack", SIGNUPS, PEOPLE, detail=Detail.FULL, unread="")
    every["test"] = check_facts("smtp.example.com:587")
    return {
        template: Letter(f"{template}@example.com", "admin@example.com", NOW, template, facts)
        for template, facts in every.items()
    }
