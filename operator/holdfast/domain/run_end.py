"""How a run ends when its worker does not say so itself: the verdict on a Job and its pods.

Everything that can go wrong with a pod is told here, in words that say what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from holdfast.domain.phases import Phase
from holdfast.domain.worker_message import WorkerMessage, parse_worker_message

IMAGE_REASONS = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
    }
)
CONFIG_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError"})
BACKUP_MISSING = "BackupMissing"
CANCEL_REQUESTED = "CancelRequested"
OUT_OF_MEMORY = "OOMKilled"
FAILING_PATIENCE = timedelta(seconds=90)
"""More than a worker is given to stop, and so little that a run ends within two minutes of its deadline."""
DEADLINE_EXCEEDED = "DeadlineExceeded"

_KILLED = frozenset({137, 143})
"""Exit codes of a process that a signal ended."""
_NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class PodState:
    """What a pod shows of itself."""

    name: str
    created: datetime
    image: str = ""
    memory_limit: str = ""
    started: bool = False
    finished: bool = False
    index: int | None = None
    """Of a pod that works on its Job together with others."""
    waiting_reason: str = ""
    waiting_message: str = ""
    unschedulable: str = ""
    """Why no node takes it; empty if one has."""
    exit_code: int | None = None
    terminated_reason: str = ""
    terminated_message: str = ""
    pod_reason: str = ""
    """``Evicted`` and the like, said by the kubelet about the whole pod."""
    pod_message: str = ""


@dataclass(frozen=True)
class JobState:
    """What a Job shows of itself. ``refusal`` is why no pod could be created, if that is so."""

    name: str
    started: datetime
    end: Literal["", "Complete", "Failed"] = ""
    failing_since: datetime | None = None
    """Since when it is bound to fail and waits for its pods to go."""
    reason: str = ""
    message: str = ""
    deadline_seconds: int = 0
    deleting: bool = False
    suspended: bool = False
    refusal: str = ""


@dataclass(frozen=True)
class RunEnd:
    """The run is over. ``worker`` holds what the worker still managed to say."""

    phase: Phase
    reason: str
    message: str
    worker: WorkerMessage | None = None


@dataclass(frozen=True)
class RunWaits:
    """The run has not ended, and nobody is at it, for this reason: its pod has not started, or was killed."""

    reason: str
    message: str


BACKUP_LOST = "`holdfast list` shows whether the backup is there."
RESTORE_LOST = "What is in the target is not known: look at it, or compare it by another run."


def judge(
    job: JobState,
    pods: Sequence[PodState],
    *,
    start_timeout: timedelta,
    now: datetime,
    lost: str = BACKUP_LOST,
) -> RunEnd | RunWaits | None:
    """Given a Job and its pods, say whether its run is over and why. None: all is well, the worker is at it.

    ``lost``: what to do where a worker ended well and nobody knows what it said.
    """
    newest_first = _newest_first(pods)
    telling = _telling(newest_first)
    # The pod of a node that died never goes: the Job would fail for ever, and the run with it.
    stuck = job.failing_since is not None and now - job.failing_since >= FAILING_PATIENCE
    if job.end or stuck:
        return _ended(job, telling, lost)
    if now >= overdue_at(job):
        return _overdue(job, telling, lost)
    if job.deleting:
        return RunEnd(
            Phase.CANCELLED,
            "JobDeleted",
            f"Job {job.name} was deleted before the run ended.",
            _last_words(telling),
        )
    waits = None if job.suspended else _waiting(job, newest_first)
    if waits is None:
        return _between_tries(job, newest_first)
    since, reason, message = waits
    if reason == "NotStarted" and now - since < timedelta(seconds=10):
        return None
    if now - since >= start_timeout:
        seconds = int(start_timeout.total_seconds())
        return RunEnd(Phase.FAILED, reason, f"{message} (Given up after {seconds} s without a start.)")
    return RunWaits(reason, message)


def how_it_ended(job: JobState, pods: Sequence[PodState], lost: str) -> RunEnd:
    """Given a Job that is over and its pods, say why: by the worker's words, or else by what its node tells."""
    return _ended(job, _telling(_newest_first(pods)), lost)


def contradicted(job: JobState, end: RunEnd, lost: str) -> RunEnd:
    """The end of a Job that failed although its worker spoke of success, where only both together are proof."""
    why = _quote(job.message or job.reason) or "it did not say why."
    return replace(
        end,
        phase=Phase.FAILED,
        reason=job.reason or "JobFailed",
        message=f"The worker said: {end.message} But Job {job.name} failed: {why} {lost}",
    )


def _newest_first(pods: Sequence[PodState]) -> Sequence[PodState]:
    return sorted(pods, key=lambda pod: pod.created, reverse=True)


def _telling(pods: Sequence[PodState]) -> Sequence[PodState]:
    """Of pods that work together, those that can say how the run ended: who has come to its end first, and nobody who
    has only done a share of the work."""
    if all(pod.index is None for pod in pods):
        return pods
    words = {pod.name: parse_worker_message(pod.terminated_message) for pod in pods}
    ends = [pod for pod in pods if (said := words[pod.name]) is not None and said.phase]
    return [*ends, *(pod for pod in pods if pod not in ends and pod.exit_code != 0)]


def overdue_at(job: JobState) -> datetime:
    """When somebody should have ended a Job long ago. Its controller may be down, or wait for a pod that never goes."""
    if job.suspended or not job.deadline_seconds:
        return _NEVER
    return job.started + timedelta(seconds=job.deadline_seconds) + FAILING_PATIENCE


def _overdue(job: JobState, pods: Sequence[PodState], lost: str) -> RunEnd:
    """A worker that has come to its end is believed; its Job's controller only has not counted it."""
    words = _last_words(pods)
    if words is not None and words.phase:
        return RunEnd(words.phase, words.reason, words.message, words)
    return _ended(replace(job, reason=DEADLINE_EXCEEDED), pods, lost)


def _quote(text: str) -> str:
    """Somebody else's words as a sentence of ours."""
    text = " ".join(text.split())
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def job_vanished(job: str, advice: str = "Start another run if the backup is still wanted.") -> RunEnd:
    return RunEnd(Phase.CANCELLED, "JobDeleted", f"Job {job} was deleted before the run ended. {advice}")


def cancelled() -> RunEnd:
    """Somebody asked for it in the run's spec."""
    return RunEnd(Phase.CANCELLED, CANCEL_REQUESTED, "The run was cancelled by spec.cancel before it ended.")


def proven(end: RunEnd) -> RunEnd:
    """The end of a backup's run. A worker that speaks of a backup without naming it has none to show."""
    if end.phase not in (Phase.SUCCEEDED, Phase.PARTIALLY_FAILED) or (end.worker and end.worker.status.get("backupId")):
        return end
    return RunEnd(Phase.FAILED, BACKUP_MISSING, f"The worker says {end.phase}, but names no backup. {BACKUP_LOST}")


def _ended(job: JobState, pods: Sequence[PodState], lost: str) -> RunEnd:
    words = _last_words(pods)
    if job.end == "Complete":
        if words and words.phase:
            return RunEnd(words.phase, words.reason, words.message, words)
        return RunEnd(
            Phase.FAILED,
            "ReportLost",
            f"The worker ended well, but its report is lost. {lost}",
        )
    if job.reason == DEADLINE_EXCEEDED:
        last = f" Its last words: {words.message}" if words and words.message else ""
        return RunEnd(
            Phase.FAILED,
            DEADLINE_EXCEEDED,
            f"The run took longer than its activeDeadlineSeconds of {job.deadline_seconds} s. "
            f"Raise it, or look for what holds the worker up.{last}",
            words,
        )
    failed = next((pod for pod in pods if pod.finished), None)
    if words is None and failed is not None:
        reason, message = _failure(failed)
        return RunEnd(Phase.FAILED, reason, _tried(job, message, pods))
    if words is not None:
        return RunEnd(words.phase or Phase.FAILED, words.reason, _tried(job, words.message, pods), words)
    return RunEnd(
        Phase.FAILED,
        job.reason or "JobFailed",
        f"Job {job.name} failed: {_quote(job.message) or 'its pods are gone.'} Its pods no longer say why.",
    )


def _tried(job: JobState, message: str, pods: Sequence[PodState]) -> str:
    tries = sum(pod.finished for pod in pods)
    if job.reason != "BackoffLimitExceeded" or tries < 2:
        return message
    return f"{message} (Tried {tries} times.)"


def _last_words(pods: Sequence[PodState]) -> WorkerMessage | None:
    """Of the newest pod that ended; none if that one was killed and could not speak."""
    newest = next((pod for pod in pods if pod.finished), None)
    return parse_worker_message(newest.terminated_message) if newest else None


def _failure(pod: PodState) -> tuple[str, str]:
    """Why a pod failed whose worker did not say it."""
    if pod.terminated_reason == OUT_OF_MEMORY:
        limit = f" ({pod.memory_limit})" if pod.memory_limit else ""
        return OUT_OF_MEMORY, (
            f"The worker was killed because it needed more memory than its limit{limit}. "
            "Raise spec.job.resources.limits.memory of the policy."
        )
    if pod.pod_reason:
        return pod.pod_reason, f"Pod {pod.name} was ended by its node: {pod.pod_message or pod.pod_reason}"
    if pod.terminated_reason in CONFIG_REASONS or pod.terminated_reason == "ContainerCannotRun":
        return "ConfigError", f"The worker cannot be run: {pod.terminated_message or pod.terminated_reason}"
    code = "unknown" if pod.exit_code is None else str(pod.exit_code)
    killed = " It was killed from outside." if pod.exit_code in _KILLED else ""
    return "WorkerDied", (
        f"The worker died with exit code {code} and said nothing.{killed} See kubectl logs {pod.name}."
    )


def _between_tries(job: JobState, pods: Sequence[PodState]) -> RunWaits | None:
    """Of a Job that goes on trying: why its last pod ended, where its worker was killed and could not say it itself."""
    if job.failing_since is not None or not pods or any(pod.index is not None or not pod.finished for pod in pods):
        return None
    last = pods[0]
    if last.terminated_reason != OUT_OF_MEMORY and not last.pod_reason and last.exit_code not in _KILLED:
        return None
    reason, message = _failure(last)
    return RunWaits(reason, f"{message} Another pod goes on, as often as spec.job.backoffLimit allows.")


def _waiting(job: JobState, pods: Sequence[PodState]) -> tuple[datetime, str, str] | None:
    """Since when, and why, no pod runs; None if one does, or if the Job only waits between two tries."""
    current = next((pod for pod in pods if not pod.finished), None)
    if current is None:
        if not job.refusal:
            return None if pods else (job.started, "NotStarted", f"Job {job.name} has no pod yet.")
        since = max((pod.created for pod in pods), default=job.started)
        refusal = f"No pod may be created: {_quote(job.refusal)}"
        if "exceeded quota" in job.refusal:
            return since, "QuotaExceeded", f"{refusal} Raise the namespace's quota, or lower spec.job.resources."
        return since, "PodRefused", refusal
    if any(pod.started and not pod.finished for pod in pods):
        return None
    return (current.created, *_not_started(current))


def _not_started(pod: PodState) -> tuple[str, str]:
    if pod.unschedulable:
        advice = "Check spec.job.resources, nodeSelector and tolerations against the nodes."
        if "persistentvolumeclaim" in pod.unschedulable.lower():
            advice = "Check spec.storage.volume.claimName, and what its volume waits for."
        return "Unschedulable", f"No node takes the worker's pod: {_quote(pod.unschedulable)} {advice}"
    if pod.waiting_reason in IMAGE_REASONS:
        detail = f" {_quote(pod.waiting_message)}" if pod.waiting_message else ""
        return "ImagePullFailed", (
            f"Image {pod.image} cannot be pulled ({pod.waiting_reason}).{detail} "
            "Check its name, and that the nodes may pull it."
        )
    if pod.waiting_reason in CONFIG_REASONS:
        return "ConfigError", f"The worker's container cannot be created: {pod.waiting_message or pod.waiting_reason}"
    return "NotStarted", (
        f"Pod {pod.name} has not started yet{f' ({pod.waiting_reason})' if pod.waiting_reason else ''}. "
        f"See kubectl describe pod {pod.name}."
    )
