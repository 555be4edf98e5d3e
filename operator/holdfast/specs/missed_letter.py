"""What a mail tells of scheduled backups that never started, as plain facts."""

from collections.abc import Mapping
from typing import Any

from holdfast.resources.missed import MissedSchedules
from holdfast.resources.policy import BackupPolicy
from holdfast.specs.letters import last_good_words, moment_words, sentence, zone_of


def missed_facts(policy: BackupPolicy, database: str, missed: MissedSchedules) -> Mapping[str, Any]:
    """Under the names that the mails about runs have."""
    namespace, name, zone = policy.metadata.namespace, policy.metadata.name, zone_of(policy)
    due = moment_words(missed.last, zone)
    message = (
        f"The backup that was due on {due} never started: an earlier run still worked, or Kubernetes' CronJob "
        "controller was down for longer than spec.schedule.startingDeadlineSeconds."
    )
    count = f" ({missed.count} so far)" if missed.count > 1 else ""
    return {
        "subject": f"Backup of {database} did not start{count} ({namespace}/{name})",
        "preview": sentence(message)[:120],
        "outcome": "bad",
        "policy": name,
        "namespace": namespace,
        "database": database,
        "run": {"message": message, "failed_collections": [], "warnings": []},
        "rows": [
            ("Schedule", f"{policy.spec.schedule.cron} ({policy.spec.schedule.time_zone})"),
            ("Was due", due),
            ("Missed so far", str(missed.count)),
        ],
        "last_good": last_good_words(policy, zone),
        "others": [],
        "more": 0,
        "commands": [
            f"kubectl describe cronjob {name} --namespace {namespace}",
            f"kubectl create job --from=cronjob/{name} {name}-now --namespace {namespace}",
        ],
    }
