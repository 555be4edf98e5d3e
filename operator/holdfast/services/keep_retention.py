"""The operator's part in retention: say how the rule is kept, prune where nobody has, and forget old runs.

It never touches a repository: a Job does, as the worker does after each backup.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from holdfast.domain.notifications import DeliveryPhase
from holdfast.domain.phases import Phase
from holdfast.domain.schedule import Schedule
from holdfast.errors import HoldfastError, Unavailable
from holdfast.ports import BACKUP_RUN, JOB, Cluster, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun
from holdfast.services.write_status import parse_run
from holdfast.specs.job_state import job_state
from holdfast.specs.names import POLICY_LABEL, job_of_prune
from holdfast.specs.prune_job import prune_job
from holdfast.specs.retention_status import GRACE, Compliance, compliance
from holdfast.specs.worker import WorkerImage

_log = logging.getLogger(__name__)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
SETTLING = timedelta(hours=1)
"""A run that ended less long ago is left alone: its Job is being followed, and its mail is being sent."""


def keep_retention(
    cluster: Cluster, policy: BackupPolicy, schedule: Schedule, image: WorkerImage, now: datetime
) -> Compliance:
    """Given a valid policy, return how its rule is kept. Raises ClusterUnavailable; any other trouble is logged."""
    namespace, name = policy.metadata.namespace, policy.metadata.name
    bodies = cluster.list(BACKUP_RUN, namespace, {POLICY_LABEL: name})
    pairs = [(parse_run(body), body) for body in bodies if body["spec"]["policyRef"]["name"] == name]
    runs = [run for run, _ in pairs]
    verdict = compliance(policy, schedule, runs, now)
    try:
        if verdict.status.overdue and all(run.status.terminal for run in runs):
            _start_prune(cluster, policy, image, now)
        for body in excess(policy, pairs, now):
            cluster.delete(BACKUP_RUN, body)
    except Unavailable:
        raise
    except HoldfastError as error:
        _log.error("Retention of BackupPolicy %s/%s: %s", namespace, name, error)
    return verdict


def excess(policy: BackupPolicy, runs: Sequence[tuple[BackupRun, KubeObject]], now: datetime) -> list[KubeObject]:
    """The runs beyond the limits of the history. One whose backup is there, or may be, is never among them."""
    ordered = sorted(runs, key=lambda pair: (pair[0].born or _NEVER, pair[0].metadata.name), reverse=True)
    failed, pruned = [], []
    for run, body in ordered:
        status = run.status
        if status.phase in (Phase.FAILED, Phase.CANCELLED) and not run.stored:
            failed.append((run, body))
        elif status.terminal and status.prune_time is not None:
            pruned.append((run, body))
    limits = policy.spec.history_limits
    beyond = failed[limits.failed_runs :] + pruned[limits.pruned_runs :]
    return [body for run, body in beyond if _may_go(run, policy, now)]


def _may_go(run: BackupRun, policy: BackupPolicy, now: datetime) -> bool:
    ours = any(owner.uid == policy.metadata.uid for owner in run.metadata.owner_references)
    told = run.status.notifications.deliveries if run.status.notifications else ()
    settled = (run.status.completion_time or now) <= now - SETTLING
    owed = any(delivery.phase is DeliveryPhase.OWED for delivery in told)
    return ours and settled and not owed and not run.held and run.metadata.deletion_timestamp is None


def _start_prune(cluster: Cluster, policy: BackupPolicy, image: WorkerImage, now: datetime) -> None:
    """Have the one Job that prunes. One that has ended makes room for the next after a while."""
    namespace, name = policy.metadata.namespace, job_of_prune(policy.metadata.name)
    job = cluster.get(JOB, namespace, name)
    if job is None:
        cluster.create(JOB, prune_job(policy, image))
        return
    owners = job["metadata"].get("ownerReferences") or []
    ours = any(owner.get("uid") == policy.metadata.uid for owner in owners)
    created = datetime.fromisoformat(job["metadata"]["creationTimestamp"])
    if ours and job_state(job).end and created + GRACE <= now:
        cluster.delete(JOB, job)
