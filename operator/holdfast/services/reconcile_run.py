"""Give a BackupRun its Job, and see to it that the run ends, whatever dies.

The worker reports on its run itself. This is for all that the worker cannot say: it never started, was killed, or its
Job is gone.
"""

from datetime import datetime, timedelta
from typing import Any

from holdfast.domain.phases import Phase
from holdfast.domain.run_end import RunEnd, RunWaits, job_vanished, judge
from holdfast.errors import InvalidSpec, NotAuthorized
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, Clock, Cluster, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun, BackupRunStatus
from holdfast.services.follow_job import belongs, controller, observe, run_of_job, settle_job
from holdfast.services.write_status import change_run, parse_policy, parse_run
from holdfast.specs import run_status
from holdfast.specs.names import JOB_LABEL, job_of_run, policy_labels
from holdfast.specs.worker import WorkerImage, job_for_run

LOOK_AGAIN = 5.0
"""Seconds until the next look at a run whose pod has not started."""

POLICY_PATIENCE = timedelta(seconds=15)
"""For a policy that is applied together with the run, and after it."""

_DEFAULT_START_TIMEOUT = timedelta(seconds=600)

_PENDING = RunWaits("Pending", "")

_Verdict = RunEnd | RunWaits | None


def reconcile_run(cluster: Cluster, namespace: str, name: str, *, image: WorkerImage, clock: Clock) -> float | None:
    """Given a run's name, bring it one step on. Returns seconds until it wants to be looked at again, if it does."""
    body = cluster.get(BACKUP_RUN, namespace, name) or run_of_job(cluster, namespace, name)
    if body is None:
        return None
    run = parse_run(body)
    if run.metadata.deletion_timestamp:
        return None
    job_name = run.metadata.labels.get(JOB_LABEL)
    if run.status.terminal:
        settle_job(cluster, run, job_name, run.status.reason)
        return None
    policy = cluster.get(BACKUP_POLICY, namespace, run.spec.policy_ref.name)
    if job_name is None:
        verdict = _start(cluster, run, policy, image, clock())
    else:
        verdict = _follow(cluster, run, job_name, policy, clock())
    if isinstance(verdict, RunEnd):
        if job_name is None and policy is not None:
            _label(cluster, run)
        _end(cluster, run, clock(), verdict)
        settle_job(cluster, run, job_name, verdict.reason)
        return None
    if isinstance(verdict, RunWaits):
        _show(cluster, run, clock(), verdict)
        return LOOK_AGAIN
    if run.status.phase is None:
        _show(cluster, run, clock(), _PENDING)
    return LOOK_AGAIN if run.status.phase in (None, Phase.PENDING) else None


def _start(
    cluster: Cluster, run: BackupRun, policy_body: KubeObject | None, image: WorkerImage, now: datetime
) -> _Verdict:
    """Give a run by hand its Job."""
    namespace = run.metadata.namespace
    if policy_body is None or "deletionTimestamp" in policy_body["metadata"]:
        where = f"{namespace}/{run.spec.policy_ref.name}"
        message = f"There is no BackupPolicy {where}. Name an existing one in spec.policyRef of a new run."
        over = _age(run, now) >= POLICY_PATIENCE
        return RunEnd(Phase.FAILED, "PolicyNotFound", message) if over else RunWaits("PolicyNotFound", message)
    name = job_of_run(run.metadata.name)
    try:
        policy = parse_policy(policy_body)
        job = cluster.create(JOB, job_for_run(policy, run, image)) or cluster.get(JOB, namespace, name)
    except InvalidSpec as error:
        return RunEnd(Phase.FAILED, error.reason, f"The run cannot have a Job: {error}")
    except NotAuthorized as error:
        message = f"The Job cannot be created: {error}"
        over = _age(run, now) >= _start_timeout(policy_body)
        return RunEnd(Phase.FAILED, "JobRefused", message) if over else RunWaits("JobRefused", message)
    if job is None:
        return _PENDING
    if controller(job).get("uid") != run.metadata.uid:
        message = f"Job {namespace}/{name} exists and belongs to something else. Give a new run another name."
        return RunEnd(Phase.FAILED, "NameTaken", message)
    _adopt(cluster, run, policy, name)
    return _PENDING


def _adopt(cluster: Cluster, run: BackupRun, policy: BackupPolicy, job_name: str) -> None:
    """Note that the run has its Job, and tie it to its policy. A conflict is met at the next look."""
    current = cluster.get(BACKUP_RUN, run.metadata.namespace, run.metadata.name)
    if current is None:
        return
    owners: list[dict[str, Any]] = list(current["metadata"].get("ownerReferences") or [])
    if all(owner.get("uid") != policy.metadata.uid for owner in owners):
        owners.append({**policy.owner_reference, "controller": not controller(current)})
    labels = {**policy_labels(policy.metadata.name), JOB_LABEL: job_name}
    cluster.patch(BACKUP_RUN, current, {"metadata": {"labels": labels, "ownerReferences": owners}})


def _label(cluster: Cluster, run: BackupRun) -> None:
    """Have a run that gets no Job counted among those of its policy all the same."""
    current = cluster.get(BACKUP_RUN, run.metadata.namespace, run.metadata.name)
    if current is not None:
        cluster.patch(BACKUP_RUN, current, {"metadata": {"labels": policy_labels(run.spec.policy_ref.name)}})


def _follow(cluster: Cluster, run: BackupRun, job_name: str, policy_body: KubeObject | None, now: datetime) -> _Verdict:
    """See whether the Job has ended, or cannot start."""
    job = cluster.get(JOB, run.metadata.namespace, job_name)
    if job is None or not belongs(job, run):
        if policy_body is not None:
            return job_vanished(job_name)
        message = f"BackupPolicy {run.spec.policy_ref.name} was deleted before the run ended."
        return RunEnd(Phase.CANCELLED, "PolicyDeleted", message)
    state, pods = observe(cluster, job)
    return judge(state, pods, start_timeout=_start_timeout(policy_body), now=now)


def _age(run: BackupRun, now: datetime) -> timedelta:
    return now - (run.metadata.creation_timestamp or now)


def _start_timeout(policy_body: KubeObject | None) -> timedelta:
    try:
        if policy_body is not None:
            return timedelta(seconds=parse_policy(policy_body).spec.job.start_timeout_seconds)
    except InvalidSpec:
        pass
    return _DEFAULT_START_TIMEOUT


def _end(cluster: Cluster, run: BackupRun, now: datetime, end: RunEnd) -> None:
    def change(current: BackupRun) -> BackupRunStatus:
        return run_status.ended(current.status, end, now=now, generation=current.metadata.generation)

    change_run(cluster, run.metadata.namespace, run.metadata.name, change)


def _show(cluster: Cluster, run: BackupRun, now: datetime, waits: RunWaits) -> None:
    """Say what a run waits for. One that a worker has begun keeps its phase."""

    def change(current: BackupRun) -> BackupRunStatus | None:
        status, phase = current.status, current.status.phase or Phase.PENDING
        if (status.phase, status.reason, status.message) == (phase, waits.reason, waits.message):
            return None
        generation = current.metadata.generation
        return run_status.moved(
            status, phase, reason=waits.reason, message=waits.message, now=now, generation=generation
        )

    change_run(cluster, run.metadata.namespace, run.metadata.name, change)
