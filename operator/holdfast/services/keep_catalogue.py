"""The operator's part in the catalogue: have a Job bring back the BackupRuns of a repository that has backups already.

A worker does the same after each backup, at hardly any cost. So a new policy gets a Job only where no backup is about
to begin: in a cluster that was lost, that is every policy; in one that grows, it is few.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.domain.schedule import Schedule
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import HoldfastError, Unavailable
from holdfast.ports import BACKUP_POLICY, JOB, Cluster, KubeObject
from holdfast.resources.catalogue import SYNC_ANNOTATION, CatalogueStatus
from holdfast.resources.conditions import MESSAGE_LIMIT
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun, RunReason
from holdfast.services.follow_job import controller, last_words
from holdfast.services.policy_runs import runs_of
from holdfast.specs.job_state import job_state
from holdfast.specs.names import SYNC_LABEL, job_of_sync
from holdfast.specs.sync_job import STORAGE_ANNOTATION, storage_mark, sync_job
from holdfast.specs.worker import WorkerImage

_log = logging.getLogger(__name__)

SETTLING = timedelta(seconds=15)
"""After a policy was made: what is applied with it, such as a first run, may come a moment later."""
DEFER = timedelta(minutes=10)
"""So long a new policy leaves it to a backup that is at work, or is about to be."""
AGAIN = timedelta(minutes=10)
"""After a Job that failed, until the next."""
AT_ONCE = 4
"""Sync Jobs at work in one namespace: a hundred policies may come back at the same moment."""
LOOK_AGAIN = 5.0


@dataclass(frozen=True)
class Look:
    """The status as it ought to be, and seconds until the next look, if one is wanted."""

    status: CatalogueStatus | None
    again: float | None = None


def keep_catalogue(
    cluster: Cluster, policy: BackupPolicy, schedule: Schedule, image: WorkerImage, now: datetime
) -> Look:
    """Given a policy that is ready, bring its sync one step on. Raises ClusterUnavailable; other trouble is logged."""
    known = policy.status.catalogue
    try:
        return _look(cluster, policy, schedule, image, now)
    except Unavailable:
        raise
    except HoldfastError as error:
        _log.error("Catalogue of BackupPolicy %s/%s: %s", policy.metadata.namespace, policy.metadata.name, error)
        return Look(known)


def _look(cluster: Cluster, policy: BackupPolicy, schedule: Schedule, image: WorkerImage, now: datetime) -> Look:
    known, storage = policy.status.catalogue or CatalogueStatus(), storage_mark(policy)
    request = policy.metadata.annotations.get(SYNC_ANNOTATION)
    asked = request is not None and request != known.request
    if known.storage == storage and not asked:
        return Look(policy.status.catalogue)
    job = cluster.get(JOB, policy.metadata.namespace, job_of_sync(policy.metadata.name))
    if job is not None:
        return _follow(cluster, policy, job, storage, request, now)
    if known.storage is None and not asked:
        runs = runs_of(cluster, policy)
        if any(run.stored and run.spec.reason is not RunReason.IMPORTED for run in runs):
            # The worker that took it has looked already.
            return Look(CatalogueStatus(storage=storage, request=known.request))
        if (wait := _deferred(policy, schedule, runs, now)) is not None:
            return Look(policy.status.catalogue, wait)
    if _crowded(cluster, policy.metadata.namespace):
        return Look(policy.status.catalogue, LOOK_AGAIN)
    cluster.create(JOB, sync_job(policy, image, request))
    return Look(policy.status.catalogue, LOOK_AGAIN)


def _deferred(policy: BackupPolicy, schedule: Schedule, runs: Sequence[BackupRun], now: datetime) -> float | None:
    """Seconds that a new policy waits for somebody else to do it; None if it waits no more."""
    created = policy.metadata.creation_timestamp or now
    if now < created + SETTLING:
        return (created + SETTLING - now).total_seconds()
    if now >= created + DEFER:
        return None
    at_work = any(not run.status.terminal and run.spec.reason is not RunReason.IMPORTED for run in runs)
    due = not policy.spec.schedule.suspend and schedule.next_after(now) <= created + DEFER
    return (created + DEFER - now).total_seconds() if at_work or due else None


def _crowded(cluster: Cluster, namespace: str) -> bool:
    jobs = [job for job in cluster.list(JOB, namespace) if SYNC_LABEL in (job["metadata"].get("labels") or {})]
    return sum(not job_state(job).end for job in jobs) >= AT_ONCE


def _follow(
    cluster: Cluster, policy: BackupPolicy, job: KubeObject, storage: str, request: str | None, now: datetime
) -> Look:
    known, metadata = policy.status.catalogue, job["metadata"]
    if controller(job).get("uid") != policy.metadata.uid:
        where = f"{metadata['namespace']}/{metadata['name']}"
        _log.error("Job %s exists and belongs to something else; the catalogue is not synced.", where)
        return Look(known)
    state = job_state(job)
    if not state.end:
        return Look(known, LOOK_AGAIN)
    answers = metadata.get("annotations") or {}
    if (answers.get(STORAGE_ANNOTATION), answers.get(SYNC_ANNOTATION)) != (storage, request):
        cluster.delete(JOB, job)
        return Look(known, 1.0)
    words = last_words(cluster, job)
    if state.end == "Complete":
        return Look(_synced(words, storage, request, now))
    if datetime.fromisoformat(metadata["creationTimestamp"]) + AGAIN <= now:
        cluster.delete(JOB, job)
    reason = words.reason if words else state.reason or "JobFailed"
    message = words.message if words else state.message or "Its pod did not say why."
    update = {"reason": reason, "message": message[:MESSAGE_LIMIT]}
    return Look((known or CatalogueStatus()).model_copy(update=update))


def _synced(words: WorkerMessage | None, storage: str, request: str | None, now: datetime) -> CatalogueStatus:
    return CatalogueStatus(
        storage=storage,
        request=request,
        synced_time=now,
        imported=int(words.status.get("imported", 0)) if words else None,
        reason=words.reason if words else "Synced",
        message=words.message[:MESSAGE_LIMIT] if words and words.message else None,
    )


def catalogue_event(
    cluster: Cluster, policy: KubeObject, before: CatalogueStatus | None, after: CatalogueStatus | None
) -> None:
    """Tell people what came of a sync since ``before``. One that found nothing to do is no news."""
    if after is None or after.reason is None or after == before:
        return
    failed = after.synced_time is None or (before is not None and before.synced_time == after.synced_time)
    if failed:
        note = f"{after.message} BackupRuns that are lost stay so until a sync or a backup goes well."
        cluster.record(policy, BACKUP_POLICY, "Warning", "SyncFailed", note)
    elif after.imported or after.request != (before.request if before else None):
        cluster.record(policy, BACKUP_POLICY, "Normal", "CatalogueSynced", after.message or "")
