"""What a mail tells of a drill, as plain facts."""

from collections.abc import Mapping
from typing import Any

from holdfast.resources.drill import LastDrill
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.letters import moment_words, sentence, zone_of
from holdfast.specs.names import drill_cron_job_name


def drill_facts(policy: BackupPolicy, database: str, drill: LastDrill) -> Mapping[str, Any]:
    """Under the names that the mails about runs have."""
    namespace, name = policy.metadata.namespace, policy.metadata.name
    what = f"Drill of {database} passed" if drill.passed else f"Drill of {database} FAILED"
    cron_job = drill_cron_job_name(name)
    return {
        "subject": f"{what} ({namespace}/{name})",
        "preview": sentence(drill.message)[:120],
        "outcome": "good" if drill.passed else "bad",
        "policy": name,
        "namespace": namespace,
        "database": database,
        "run": {"message": sentence(drill.message), "failed_collections": [], "warnings": []},
        "rows": [
            ("Job", f"{namespace}/{drill.job}"),
            ("Ended", moment_words(drill.time, zone_of(policy))),
            ("Recovery time", drill.duration),
            ("Backup", drill.backup_id),
            ("Documents", f"{drill.documents:,}" if drill.documents is not None else None),
        ],
        "others": [],
        "more": 0,
        "commands": [
            f"kubectl describe backuppolicy {name} --namespace {namespace}",
            f"kubectl create job --from=cronjob/{cron_job} {cron_job}-now --namespace {namespace}",
        ],
    }
