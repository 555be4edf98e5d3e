"""Give a BackupRun its Job, and see to it that the run ends, whatever dies.

The worker reports on its run itself. This is for all that the worker cannot say: it never started, was killed, or its
Job is gone.
"""

from datetime import datetime, timedelta

from holdfast.domain.phases import Phase
from holdfast.domain.run_end import FAILING_PATIENCE, RunEnd, RunWaits, cancelled, job_vanished, judge, proven
from holdfast.errors import InvalidSpec
from holdfast.ports import BACKUP_POLICY, BACKUP_RUN, JOB, RESTORE_RUN, Clock, Cluster, KubeObject
from holdfast.resources.run import BackupRun, BackupRunStatus, RunReason
from holdfast.services.adopt_job import adopt, job_of_schedule
from holdfast.services.finalize_run import finalize_run
from holdfast.services.follow_job import belongs, controller, note_run, observe, run_of_job, settle_job
from holdfast.services.give_job import (
    LOOK_AGAIN,
    NAME_TAKEN,
    PENDING,
    deadline,
    give_job,
    late,
    no_policy,
    start_timeout,
    waited_for_turn,
)
from holdfast.services.understand import check_understood
from holdfast.services.write_status import change_run, parse_policy, parse_run
from holdfast.specs import run_status
from holdfast.specs.job_state import job_state
from holdfast.specs.names import JOB_LABEL, JOB_UID_LABEL, job_of_run, policy_labels
from holdfast.specs.worker import WorkerImage, job_for_run

IMPORT_PATIENCE = timedelta(minutes=10)
_UNFINISHED = (
    "Nobody has said which backup this imported run stands for. Delete it: the next sync makes it anew, and the "
    "annotation holdfast.dev/sync of its policy asks for one. To back up by hand, leave spec.reason out."
)
LOOK_AT_QUEUE = 30.0
"""Seconds until the next look at a run that waits for its turn. Who gives it that looks at once."""

_Verdict = RunEnd | RunWaits | None


def reconcile_run(cluster: Cluster, namespace: str, name: str, *, image: WorkerImage, clock: Clock) -> float | None:
    """Given a run's name, bring it one step on. Returns seconds until it wants to be looked at again, if it does."""
    body = cluster.get(BACKUP_RUN, namespace, name) or run_of_job(cluster, namespace, name)
    if body is None:
        return None
    run = parse_run(body)
    if run.metadata.deletion_timestamp:
        policy = cluster.get(BACKUP_POLICY, namespace, run.spec.policy_ref.name)
        return finalize_run(cluster, body, policy, image=image, now=clock())
    job_name = run.metadata.labels.get(JOB_LABEL)
    if run.status.terminal:
        settle_job(cluster, run, job_name or _job_unnoted(run), run.status.reason)
        return None
    policy = cluster.get(BACKUP_POLICY, namespace, run.spec.policy_ref.name)
    verdict: _Verdict
    if run.spec.reason is RunReason.IMPORTED:
        # It never gets a Job: whoever made it is about to write its status.
        verdict = late(run, clock(), IMPORT_PATIENCE, "ImportUnfinished", _UNFINISHED)
    elif job_name is None and run.spec.cancel:
        job_name, verdict = _job_unnoted(run), cancelled()
    elif job_name is None:
        verdict = _start(cluster, run, policy, image, clock())
    else:
        verdict = _follow(cluster, run, job_name, policy, clock())
    if isinstance(verdict, RunEnd):
        if JOB_LABEL not in run.metadata.labels and policy is not None:
            _label(cluster, run)
        _end(cluster, run, clock(), verdict)
        settle_job(cluster, run, job_name, verdict.reason)
        return None
    if isinstance(verdict, RunWaits):
        _show(cluster, run, clock(), verdict)
        return LOOK_AGAIN
    if run.status.phase is None:
        _show(cluster, run, clock(), PENDING, new=True)
    if image.queued and not run.status.let_in:
        return LOOK_AT_QUEUE
    return LOOK_AGAIN if run.status.phase in (None, Phase.PENDING) else _until_overdue(run, policy, clock())


def _until_overdue(run: BackupRun, policy_body: KubeObject | None, now: datetime) -> float | None:
    """Seconds until a run at work should have ended: where nobody ends its Job, no event tells of it."""
    if run.status.start_time is None:
        return None
    late_at = run.status.start_time + deadline(policy_body) + FAILING_PATIENCE
    return max((late_at - now).total_seconds(), LOOK_AGAIN)


def _job_unnoted(run: BackupRun) -> str | None:
    """The Job of a cancelled run that may have been made just before somebody died who would have noted it."""
    return job_of_run(run.metadata.name) if run.spec.cancel else None


def _start(
    cluster: Cluster, run: BackupRun, policy_body: KubeObject | None, image: WorkerImage, now: datetime
) -> _Verdict:
    """Give a run by hand its Job, once it is its turn."""
    if policy_body is None or "deletionTimestamp" in policy_body["metadata"]:
        return no_policy(run, run.spec.policy_ref.name, now)
    name = job_of_run(run.metadata.name)
    try:
        check_understood(run)
        policy = parse_policy(policy_body)
    except InvalidSpec as error:
        return RunEnd(Phase.FAILED, error.reason, f"The run cannot have a Job: {error}")
    if image.queued and not run.status.let_in:
        return None
    timeout = start_timeout(policy_body)
    verdict = give_job(cluster, run, name, lambda: job_for_run(policy, run, image), timeout=timeout, now=now)
    if isinstance(verdict, RunEnd) and verdict.reason == NAME_TAKEN and (job := job_of_schedule(cluster, run)):
        adopt(cluster, run, policy, name, job["metadata"]["uid"])
        return PENDING
    if verdict is not None:
        return verdict
    adopt(cluster, run, policy, name)
    return PENDING


def _label(cluster: Cluster, run: BackupRun) -> None:
    """Have a run that gets no Job counted among those of its policy all the same."""
    current = cluster.get(BACKUP_RUN, run.metadata.namespace, run.metadata.name)
    if current is not None:
        cluster.patch(BACKUP_RUN, current, {"metadata": {"labels": policy_labels(run.spec.policy_ref.name)}})


def _follow(cluster: Cluster, run: BackupRun, job_name: str, policy_body: KubeObject | None, now: datetime) -> _Verdict:
    """See whether the Job has ended, or cannot start."""
    job = cluster.get(JOB, run.metadata.namespace, job_name)
    if run.spec.reason is RunReason.PRE_RESTORE and (job is None or controller(job).get("kind") == RESTORE_RUN.name):
        return _follow_restore(run, job)
    if job is None or not belongs(job, run):
        if policy_body is not None:
            return job_vanished(job_name)
        message = f"BackupPolicy {run.spec.policy_ref.name} was deleted before the run ended."
        return RunEnd(Phase.CANCELLED, "PolicyDeleted", message)
    note_run(cluster, job, run)
    state, pods = observe(cluster, job)
    if run.spec.cancel and not state.end:
        return cancelled()
    # Before its turn a pod has time to start: others that wait may take up its room.
    timeout = start_timeout(policy_body) + waited_for_turn(run, now)
    verdict = judge(state, pods, start_timeout=timeout, now=now)
    if isinstance(verdict, RunWaits) and run.status.queue and not run.status.let_in:
        return None
    return proven(verdict) if isinstance(verdict, RunEnd) else verdict


def _follow_restore(run: BackupRun, job: KubeObject | None) -> RunEnd | None:
    """A backup before a restore is told by the restore's worker. It ends at the latest with the restore's Job."""
    uid = run.metadata.labels.get(JOB_UID_LABEL)
    if job is not None and job["metadata"]["uid"] == uid and not job_state(job).end:
        return None
    message = "The restore that this backup was taken for ended before the backup was whole."
    return RunEnd(Phase.FAILED, "RestoreEnded", message)


def _end(cluster: Cluster, run: BackupRun, now: datetime, end: RunEnd) -> None:
    def change(current: BackupRun) -> BackupRunStatus:
        return run_status.ended(current.status, end, now=now, generation=current.metadata.generation)

    change_run(cluster, run.metadata.namespace, run.metadata.name, change)


def _show(cluster: Cluster, run: BackupRun, now: datetime, waits: RunWaits, *, new: bool = False) -> None:
    """Say what a run waits for. One that a worker has begun keeps its phase.

    ``new``: nobody has said anything yet. Where somebody was faster, what is said there stays."""

    def change(current: BackupRun) -> BackupRunStatus | None:
        status, phase = current.status, current.status.phase or Phase.PENDING
        if (new and status.phase is not None) or status.attempts != run.status.attempts:
            return None  # Somebody has begun since.
        if (status.phase, status.reason, status.message) == (phase, waits.reason, waits.message):
            return None
        generation = current.metadata.generation
        return run_status.moved(
            status, phase, reason=waits.reason, message=waits.message, now=now, generation=generation
        )

    change_run(cluster, run.metadata.namespace, run.metadata.name, change)
