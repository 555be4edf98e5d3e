"""Names and labels. All are deterministic: what is made twice meets itself."""

import re
from datetime import UTC, datetime
from hashlib import sha256

from holdfast.resources.job import MOST_PODS
from holdfast.resources.run import RunReason

NAME_LIMIT = 63
"""Of a Job's name and of a label's value."""

INDEXED_NAME_LIMIT = NAME_LIMIT - len(str(-(MOST_PODS - 1)))
"""Of an Indexed Job's name: its pods have the index behind it."""

CRON_JOB_NAME_LIMIT = 52

MANAGED_BY = "app.kubernetes.io/managed-by"
POLICY_LABEL = "holdfast.dev/policy"
JOB_LABEL = "holdfast.dev/job"
JOB_UID_LABEL = "holdfast.dev/job-uid"
"""On a BackupRun that was made for a Job: a later Job of the same name is another run."""
RESTORE_ANNOTATION = "holdfast.dev/restore-run"
"""On the pods of a RestoreRun: its name, which may be too long for a label."""
SETTLED_ANNOTATION = "holdfast.dev/settled"
"""On a failed Job: its run has been told, so a run that somebody deletes does not come back."""

INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
"""On the pods of an Indexed Job, by its controller."""

RUN_ANNOTATION = "holdfast.dev/run"
"""On a Job that was not made for a run: the uid of its BackupRun. One that somebody deletes stays gone."""

DEADLINE_ANNOTATION = "holdfast.dev/deadline-seconds"
"""On a Job whose worker waits for its turn: how long its work may take. The Job's own deadline counts the wait too."""

PRUNE_LABEL = "holdfast.dev/prune"
"""On a Job that only prunes: its policy. It has no BackupRun, and must not be taken for a backup."""
DRILL_LABEL = "holdfast.dev/drill"
"""On the Jobs and pods of drills: they have no run of their own."""

ARCHIVER_LABEL = "holdfast.dev/archiver"
"""On the pod that archives the oplog of a policy's source."""
SPEC_ANNOTATION = "holdfast.dev/spec"
"""On that pod: what it was made for, as a hash."""

SYNC_LABEL = "holdfast.dev/sync"
"""On a Job that brings the catalogue back: its policy. It has no BackupRun either."""

FINALIZER = "holdfast.dev/backup"
"""On a BackupRun whose backup is to go with it."""
DELETES_ANNOTATION = "holdfast.dev/deletes"
"""On a Job that removes a backup: the uid of the BackupRun that goes with it."""

MANAGED = {MANAGED_BY: "holdfast"}

WORKER_CONTAINER = "worker"


def fit(name: str, limit: int = NAME_LIMIT) -> str:
    """``name``, or its start and a hash where it is too long."""
    if len(name) <= limit:
        return name
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name[: limit - 9].rstrip('-.')}-{digest}"


def worker_account(policy: str) -> str:
    """Name of the worker's ServiceAccount, Role and RoleBinding."""
    return fit(f"holdfast-{policy}")


def drill_cron_job_name(policy: str) -> str:
    """A CronJob's name has at most 52 characters: it appends eleven for its Jobs."""
    return fit(f"{policy}-drill", CRON_JOB_NAME_LIMIT)


def drill_database(policy_uid: str) -> str:
    """The database of a policy's drills on a server that is there. Fits MongoDB's limit of 63 bytes."""
    return f"holdfast-drill-{sha256(policy_uid.encode()).hexdigest()[:16]}"


def archiver_name(policy: str) -> str:
    """Name of the Deployment that archives the oplog. Its pods have a longer one, which must fit too."""
    return fit(f"{policy}-oplog", NAME_LIMIT - 17)


def first_run_of(policy: str, lineage: str) -> str:
    """Name of the BackupRun from which what is archived in a lineage can be replayed."""
    return fit(f"{policy}-oplog-{lineage}")


def job_of_run(run: str) -> str:
    """Name of the Job of a run that was made by hand."""
    return _host(run)


def job_of_restore(run: str) -> str:
    """Name of the Job of a RestoreRun. A BackupRun of the same name has another."""
    return _host(f"restore-{run}")


def _host(name: str) -> str:
    """``name``, or one like it, of a Job of several pods. With an index behind it, it is the name of a host: one
    label."""
    if "." not in name:
        return fit(name, INDEXED_NAME_LIMIT)
    digest = sha256(name.encode()).hexdigest()[:8]
    return f"{name.replace('.', '-')[: INDEXED_NAME_LIMIT - 9].rstrip('-')}-{digest}"


def job_of_prune(policy: str) -> str:
    """Name of the one Job that prunes for a policy when no backup has done so."""
    return fit(f"prune-{policy}")


def job_of_sync(policy: str) -> str:
    """Name of the one Job that gives the backups of a policy's repository their BackupRuns."""
    return fit(f"sync-{policy}")


def job_of_delete(run: str) -> str:
    """Name of the one Job that removes the backup of a BackupRun that is being deleted."""
    return fit(f"delete-{run}")


def imported_run_name(backup_id: str) -> str:
    """Name of the BackupRun of a backup that was found in the repository."""
    return fit(f"imported-{backup_id.lower()}", 253)


def run_before_restore(run: str) -> str:
    """Name of the BackupRun of the backup that is taken before a RestoreRun replaces anything."""
    return fit(f"before-{run}", 253)


def reason_of_job(policy: str, job: str) -> RunReason:
    """A CronJob names its Jobs ``<cronjob>-<minutes since 1970>``; any other Job was made by hand."""
    return RunReason.MANUAL if tick_of_job(policy, job) is None else RunReason.SCHEDULED


def tick_of_job(policy: str, job: str) -> datetime | None:
    """The time for which a CronJob started a Job, and the run of the same name; None if it was made by hand."""
    scheduled = re.fullmatch(rf"{re.escape(policy)}-(\d{{8,9}})", job)
    return datetime.fromtimestamp(int(scheduled[1]) * 60, UTC) if scheduled else None


def run_of_tick(policy: str, tick: datetime) -> str:
    """Name of the run that is due at that time, and of the Job that Kubernetes' CronJob controller starts for it."""
    return f"{policy}-{int(tick.timestamp()) // 60}"


def policy_labels(policy: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "holdfast", **MANAGED, POLICY_LABEL: policy}


def worker_labels(policy: str) -> dict[str, str]:
    return {**policy_labels(policy), "app.kubernetes.io/component": "worker"}
