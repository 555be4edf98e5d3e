"""What a mail tells of a policy's health, as plain facts."""

from collections.abc import Mapping
from typing import Any

from holdfast.domain.health import CheckName, Verdict
from holdfast.resources.health import Health, HealthCheck
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.letters import last_good_words, moment_words, sentence, zone_of

_OUTCOMES = {Verdict.HEALTHY: "good", Verdict.WARNING: "partial", Verdict.CRITICAL: "bad"}


_NAMES = {
    CheckName.DATABASE_CONNECTION: "Connection",
    CheckName.RECENT_BACKUP: "Recent backup",
    CheckName.BACKUP_INTEGRITY: "Integrity",
    CheckName.RETENTION_COMPLIANCE: "Retention",
    CheckName.CRON_SCHEDULE: "Schedule",
}


def health_facts(policy: BackupPolicy, database: str, health: Health) -> Mapping[str, Any]:
    """Under the names that the mails about runs have."""
    namespace, name, zone = policy.metadata.namespace, policy.metadata.name, zone_of(policy)
    said = "CRITICAL" if health.verdict is Verdict.CRITICAL else health.verdict.lower()
    return {
        "subject": f"Backups of {database} are {said} ({namespace}/{name})",
        "preview": sentence(health.message)[:120],
        "outcome": _OUTCOMES[health.verdict],
        "policy": name,
        "namespace": namespace,
        "database": database,
        "run": {"message": sentence(health.message), "failed_collections": [], "warnings": []},
        "rows": [
            ("Since", moment_words(health.since, zone)),
            *((_NAMES[check.name], _words(health, check)) for check in health.checks),
        ],
        "last_good": last_good_words(policy, zone),
        "others": [],
        "more": 0,
        "commands": [
            f"kubectl describe backuppolicy {name} --namespace {namespace}",
            f"kubectl get backupruns --namespace {namespace}",
        ],
    }


def _words(health: Health, check: HealthCheck) -> str:
    """What the summary says already is not said twice."""
    if check.status in (Verdict.HEALTHY, health.verdict):
        return check.status
    return f"{check.status}: {sentence(check.message)}"
