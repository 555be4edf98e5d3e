"""Give a RestoreRun its Job, and see to it that the run ends, whatever dies.

A run gets one Job in its life. One that has ended never runs again: its status says so, and its spec cannot change.
It is owned by nobody, so that it stays what it is when its policy is made anew.
"""

from dataclasses import dataclass
from datetime import datetime

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.domain.run_end import FAILING_PATIENCE, RESTORE_LOST, RunEnd, RunWaits, job_vanished, judge
from holdfast.errors import Interrupted, InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, RESTORE_RUN, Clock, Cluster
from holdfast.resources.restore_run import RestoreRun, RestoreRunStatus
from holdfast.services.follow_job import belongs, observe, pods_of, settle_job
from holdfast.services.give_job import LOOK_AGAIN, PATIENCE, PENDING, give_job, late, no_policy, start_timeout
from holdfast.services.understand import check_understood
from holdfast.services.write_status import change_restore, parse_policy, parse_restore, parse_run
from holdfast.specs import restore_status
from holdfast.specs.job_state import parse_time, pod_state
from holdfast.specs.names import job_of_restore
from holdfast.specs.restore_job import job_for_restore, same_target
from holdfast.specs.worker import WorkerImage

_Verdict = RunEnd | RunWaits | None

_ADVICE = "Its events say what state the target is in. Create another run if the restore is still wanted."


@dataclass(frozen=True)
class _Origin:
    """Where the backup comes from; ``backup_id`` is None where the worker has to look for it."""

    policy: str
    backup_id: str | None = None


def reconcile_restore(cluster: Cluster, namespace: str, name: str, *, image: WorkerImage, clock: Clock) -> float | None:
    """Given a run's name, bring it one step on. Returns seconds until it wants to be looked at again, if it does."""
    body = cluster.get(RESTORE_RUN, namespace, name)
    if body is None or "deletionTimestamp" in body["metadata"]:
        return None
    run = parse_restore(body)
    job_name = run.status.job or job_of_restore(name)
    if run.status.terminal:
        settle_job(cluster, run, job_name, run.status.reason)
        return None
    if run.status.job is None:
        verdict = _start(cluster, run, job_name, image, clock())
    else:
        verdict = _follow(cluster, run, job_name, clock())
    if isinstance(verdict, RunEnd):
        _end(cluster, run, clock(), verdict)
        settle_job(cluster, run, job_name, verdict.reason)
        return None
    if isinstance(verdict, RunWaits):
        _show(cluster, run, clock(), verdict)
        return LOOK_AGAIN
    if run.status.phase is None:
        _show(cluster, run, clock(), PENDING)
    return LOOK_AGAIN if run.status.phase in (None, RestorePhase.PENDING) else None


def _start(cluster: Cluster, run: RestoreRun, job_name: str, image: WorkerImage, now: datetime) -> _Verdict:
    origin = _origin(cluster, run, now)
    if not isinstance(origin, _Origin):
        return origin
    policy_body = cluster.get(BACKUP_POLICY, run.metadata.namespace, origin.policy)
    if policy_body is None or "deletionTimestamp" in policy_body["metadata"]:
        return no_policy(run, origin.policy, now)
    try:
        check_understood(run)
        policy = parse_policy(policy_body)
    except InvalidSpec as error:
        return RunEnd(Phase.FAILED, error.reason, f"The run cannot have a Job: {error}")
    others = [parse_restore(body) for body in cluster.list(RESTORE_RUN, run.metadata.namespace)]
    if holder := same_target(run, origin.policy, others):
        message = f"RestoreRun {holder} restores into the same target. This one starts when that one has ended."
        return RunWaits("TargetBusy", message)
    speed = restore_status.bytes_per_second(others, origin.policy)
    verdict = give_job(
        cluster,
        run,
        job_name,
        lambda: job_for_restore(policy, run, image, bytes_per_second=speed),
        timeout=start_timeout(policy_body),
        now=now,
    )
    if verdict is not None:
        return verdict
    _note_job(cluster, run, job_name, origin, now)
    return None


def _origin(cluster: Cluster, run: RestoreRun, now: datetime) -> _Origin | RunEnd | RunWaits:
    """Which policy's repository the backup lies in."""
    source, namespace = run.spec.source, run.metadata.namespace
    if source.policy_ref is not None:
        return _Origin(source.policy_ref.name)
    if source.backup_run_ref is None:
        return RunEnd(Phase.FAILED, InvalidSpec.reason, "spec.source names neither a BackupRun nor a policy.")
    name = source.backup_run_ref.name
    body = cluster.get(BACKUP_RUN, namespace, name)
    if body is None:
        message = (
            f"There is no BackupRun {namespace}/{name}. Its backup may still be there: name it by "
            "spec.source.policyRef and backupId in a new run."
        )
        return late(run, now, PATIENCE, "BackupNotFound", message)
    backup = parse_run(body)
    if not backup.status.terminal:
        return RunWaits("BackupAtWork", f"BackupRun {name} is still at work. The restore starts when it has ended.")
    if backup.status.backup_id is None:
        why = backup.status.message or backup.status.reason or ""
        message = f"BackupRun {namespace}/{name} ended without a backup ({backup.status.phase}). {why}".strip()
        return RunEnd(Phase.FAILED, "BackupNotFound", f"{message} Name another backup in a new run.")
    return _Origin(backup.spec.policy_ref.name, backup.status.backup_id)


def _note_job(cluster: Cluster, run: RestoreRun, job_name: str, origin: _Origin, now: datetime) -> None:
    """Say that the run has its Job: from here on it never gets another."""

    def change(current: RestoreRun) -> RestoreRunStatus | None:
        if current.metadata.uid != run.metadata.uid:
            return None
        status = current.status
        if status.phase is None:
            status = restore_status.moved(
                status,
                RestorePhase.PENDING,
                reason=PENDING.reason,
                message="",
                now=now,
                generation=current.metadata.generation,
            )
        known = {"job": job_name, "policy": origin.policy, "backup_id": status.backup_id or origin.backup_id}
        return status.model_copy(update=known)

    change_restore(cluster, run.metadata.namespace, run.metadata.name, change)


def _follow(cluster: Cluster, run: RestoreRun, job_name: str, now: datetime) -> _Verdict:
    """See whether the Job has ended, or cannot start."""
    namespace, policy = run.metadata.namespace, run.status.policy or ""
    job = cluster.get(JOB, namespace, job_name)
    if job is None or not belongs(job, run):
        return _follow_pods(cluster, run, job_name, now)
    state, pods = observe(cluster, job)
    timeout = start_timeout(cluster.get(BACKUP_POLICY, namespace, policy))
    return judge(state, pods, start_timeout=timeout, now=now, lost=RESTORE_LOST)


def _follow_pods(cluster: Cluster, run: RestoreRun, job_name: str, now: datetime) -> RunEnd | RunWaits:
    """The Job is gone: let its worker stop and have the last word, which is in the run's status."""
    said = run.status.message if run.status.reason == Interrupted.reason else None
    for body in pods_of(cluster, run.metadata.namespace, job_name):
        asked = parse_time(body["metadata"].get("deletionTimestamp")) or now
        if not pod_state(body).finished and now - asked < FAILING_PATIENCE:
            if said:
                return RunWaits(Interrupted.reason, said)
            return RunWaits("Stopping", f"Job {job_name} was deleted. Its worker is stopping.")
    end = job_vanished(job_name, _ADVICE)
    return RunEnd(end.phase, end.reason, f"{end.message} {said or ''}".strip())


def _end(cluster: Cluster, run: RestoreRun, now: datetime, end: RunEnd) -> None:
    def change(current: RestoreRun) -> RestoreRunStatus | None:
        if current.metadata.uid != run.metadata.uid:
            return None
        return restore_status.ended(current.status, end, now=now, generation=current.metadata.generation)

    change_restore(cluster, run.metadata.namespace, run.metadata.name, change)


def _show(cluster: Cluster, run: RestoreRun, now: datetime, waits: RunWaits) -> None:
    """Say what a run waits for. One that a worker has begun keeps its phase."""

    def change(current: RestoreRun) -> RestoreRunStatus | None:
        status, phase = current.status, current.status.phase or RestorePhase.PENDING
        same = (status.phase, status.reason, status.message or "") == (phase, waits.reason, waits.message)
        begun = status.attempts != run.status.attempts
        if same or begun or current.metadata.uid != run.metadata.uid:
            return None
        generation = current.metadata.generation
        return restore_status.moved(
            status, phase, reason=waits.reason, message=waits.message, now=now, generation=generation
        )

    change_restore(cluster, run.metadata.namespace, run.metadata.name, change)
