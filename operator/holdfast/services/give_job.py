"""Give a run its Job, once: how it stands is read off the cluster, never remembered."""

from collections.abc import Callable
from datetime import datetime, timedelta

from holdfast.domain.phases import Phase
from holdfast.domain.run_end import RunEnd, RunWaits
from holdfast.errors import InvalidSpec, NotAuthorized
from holdfast.ports import JOB, Cluster, KubeObject
from holdfast.resources.job import JobTemplate
from holdfast.resources.run import BackupRun
from holdfast.services.follow_job import Run, controller
from holdfast.services.write_status import parse_policy

LOOK_AGAIN = 5.0
"""Seconds until the next look at a run whose pod has not started."""

PATIENCE = timedelta(seconds=15)
"""For what is applied together with the run, and after it."""

PENDING = RunWaits("Pending", "")
NAME_TAKEN = "NameTaken"


def give_job(
    cluster: Cluster, run: Run, name: str, make: Callable[[], KubeObject], *, timeout: timedelta, now: datetime
) -> RunEnd | RunWaits | None:
    """Given what makes the body of a run's Job, create it. None: the run has its Job; else why it has none."""
    namespace = run.metadata.namespace
    try:
        job = cluster.create(JOB, make()) or cluster.get(JOB, namespace, name)
    except InvalidSpec as error:
        return RunEnd(Phase.FAILED, error.reason, f"The run cannot have a Job: {error}")
    except NotAuthorized as error:
        message = f"The Job cannot be created: {error}"
        return late(run, now, timeout, "JobRefused", message)
    if job is None:
        return PENDING
    if controller(job).get("uid") != run.metadata.uid:
        message = f"Job {namespace}/{name} exists and belongs to something else. Give a new run another name."
        return RunEnd(Phase.FAILED, NAME_TAKEN, message)
    return None


def no_policy(run: Run, policy: str, now: datetime) -> RunEnd | RunWaits:
    message = f"There is no BackupPolicy {run.metadata.namespace}/{policy}. Name an existing one in a new run."
    return late(run, now, PATIENCE, "PolicyNotFound", message)


def late(run: Run, now: datetime, patience: timedelta, reason: str, message: str) -> RunEnd | RunWaits:
    """A run waits for something, and fails when it is older than that is worth."""
    waited = waited_for_turn(run, now) if isinstance(run, BackupRun) else timedelta()
    age = now - (run.metadata.creation_timestamp or now) - waited
    return RunEnd(Phase.FAILED, reason, message) if age >= patience else RunWaits(reason, message)


def waited_for_turn(run: BackupRun, now: datetime) -> timedelta:
    """How long a run has waited until it was let in; if it is not, until now."""
    queue, made = run.status.queue, run.metadata.creation_timestamp
    return (queue.turn_time or now) - made if queue and made else timedelta()


def start_timeout(policy_body: KubeObject | None) -> timedelta:
    """How long a pod of a policy may take to start."""
    return timedelta(seconds=_template(policy_body).start_timeout_seconds)


def deadline(policy_body: KubeObject | None) -> timedelta:
    """How long a Job of a policy may take."""
    return timedelta(seconds=_template(policy_body).active_deadline_seconds)


def _template(policy_body: KubeObject | None) -> JobTemplate:
    """The default one where a policy is gone or invalid."""
    try:
        return parse_policy(policy_body).spec.job if policy_body is not None else JobTemplate()
    except InvalidSpec:
        return JobTemplate()
