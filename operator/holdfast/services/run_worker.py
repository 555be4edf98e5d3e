"""The worker's whole chain in a pod: find the run, back up, verify, report, remove what the rule does not keep.

A failure that another try may mend leaves the run Running and says so; the Job starts the next pod, which goes on with
the chunks that are already stored. Any other end is written to the run and, in case that cannot be, to the pod's
termination message, from which the operator takes it.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event
from typing import Protocol, TypeVar

from holdfast.domain.phases import Phase
from holdfast.domain.run_end import RunEnd
from holdfast.domain.teamwork import ALONE, Seat
from holdfast.domain.turns import PATIENCE
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import (
    EXIT_PARTIAL,
    HoldfastError,
    Interrupted,
    InvalidSpec,
    Unavailable,
)
from holdfast.ports import BACKUP_RUN, Clock, Cluster, Progress
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.base import format_time
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.queue import CATCHING_UP
from holdfast.resources.run import BackupRun, BackupRunStatus
from holdfast.services.adopt_job import adopt, may_have_job_of_schedule
from holdfast.services.apply_retention import apply_retention, report_retention
from holdfast.services.await_turn import Turn, await_moment, await_turn, moment_of
from holdfast.services.back_up_for_run import Opener, back_up_for_run
from holdfast.services.find_policy import find_policy
from holdfast.services.understand import check_understood
from holdfast.services.verify import verify
from holdfast.services.worker_report import EXIT_RETRY, SHARE_DONE, WorkerResult, failure_of, patiently
from holdfast.services.write_status import change_run, parse_policy, parse_run
from holdfast.specs import run_status
from holdfast.specs.names import JOB_LABEL, JOB_UID_LABEL, reason_of_job
from holdfast.specs.worker import run_for_job

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True)
class WorkerTask:
    """What the pod was told. ``run`` is set where the Job was made for a BackupRun."""

    namespace: str
    policy: str
    job: str
    job_uid: str
    run: str | None = None
    waits: bool = False
    """Whether the operator says when to begin."""
    seat: Seat = ALONE
    """Which of the pods that work on the run together this is."""


class RunProgress(Progress, Protocol):
    """Progress that can also be put into a status that is about to be written."""

    def latest(self, status: BackupRunStatus) -> BackupRunStatus: ...


class Worker:
    """One pod's work on one run. ``wait`` sleeps, or returns early when the pod is asked to stop."""

    def __init__(
        self,
        task: WorkerTask,
        cluster: Cluster,
        open_engine: Opener,
        progress_of: Callable[[str], RunProgress],
        clock: Clock,
        stop: Event,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._task, self._cluster, self._open, self._progress_of = task, cluster, open_engine, progress_of
        self._clock, self._stop, self._wait = clock, stop, wait
        self._run: BackupRun | None = None
        self._progress: RunProgress | None = None
        self._waits = False

    def work(self) -> WorkerResult:
        """Given a task, do it and return how the process ends. Never raises."""
        try:
            return self._chain()
        except Exception as error:  # noqa: BLE001 (the pod must still say what happened)
            failure = failure_of(error)
            return self._failed(failure.reason, failure.text, failure.exit_code, retry=failure.retry)

    def _chain(self) -> WorkerResult:
        where = (self._task.namespace, self._task.policy)
        policy = parse_policy(self._patiently(lambda: find_policy(self._cluster, *where)))
        run = self._run = self._patiently(lambda: self._find_run(policy))
        if run.status.terminal:
            return _known_end(run.status)
        check_understood(run)
        run = self._await_begin(policy, run)
        if run.status.terminal:
            return _known_end(run.status)
        progress = self._progress = self._progress_of(run.metadata.name)
        self._patiently(lambda: self._update(self._started))
        with self._open(policy) as (source, repository, crew):
            outcome = back_up_for_run(
                policy, run, self._task.seat, self._open, (source, repository, crew), progress, self._clock, self._stop
            )
            if outcome is None:
                return SHARE_DONE
            progress.phase(Phase.VERIFYING)
            report = verify(repository, outcome.manifest, read_data=False, stop=self._stop)
            result, reported = self._finished(outcome.manifest, outcome.warnings, report.problems)
            if reported and not report.problems:
                # After the end: however it goes, the backup is there, and the run says so.
                self._prune(policy, repository)
        return result

    def _await_begin(self, policy: BackupPolicy, run: BackupRun) -> BackupRun:
        """Wait until the run may begin; the run as it then is. One that has begun before goes on at once."""
        self._waits, waited = True, False
        if self._task.waits:
            waited = not run.status.let_in
            if await_turn(lambda: self._read_run(run), self._clock, self._stop, self._wait) is Turn.NOBODY_THERE:
                minutes = int(PATIENCE.total_seconds() / 60)
                text = f"It began without its turn: nothing was heard of the operator for {minutes} minutes."
                _log.warning("%s", text)
                self._report(lambda run: run_status.with_warnings(run.status, [text]))
        elif moment := moment_of(policy, run):
            waited = True
            text = f"It starts late, as others may, and begins at {format_time(moment)}, so that not all begin at once."
            self._patiently(lambda: self._update(lambda run: self._pending(run, CATCHING_UP, text)))
            await_moment(moment, lambda: self._has_ended(run), self._clock, self._stop, self._wait)
        self._waits = False
        return self._patiently(lambda: self._read_run(run)) if waited else run

    def _read_run(self, run: BackupRun) -> BackupRun:
        body = self._cluster.get(BACKUP_RUN, self._task.namespace, run.metadata.name)
        if body is None or body["metadata"]["uid"] != run.metadata.uid:
            raise InvalidSpec(f"BackupRun {self._task.namespace}/{run.metadata.name} was deleted.")
        return parse_run(body)

    def _has_ended(self, run: BackupRun) -> bool:
        try:
            return self._read_run(run).status.terminal
        except Unavailable:
            return False

    def _pending(self, run: BackupRun, reason: str, text: str) -> BackupRunStatus:
        generation = run.metadata.generation
        return run_status.moved(
            run.status, Phase.PENDING, reason=reason, message=text, now=self._clock(), generation=generation
        )

    def _prune(self, policy: BackupPolicy, repository: Repository) -> None:
        if self._run is None:
            return
        name = self._run.metadata.name
        retention = apply_retention(self._cluster, policy, repository, self._clock, self._stop)
        try:
            self._patiently(lambda: report_retention(self._cluster, policy.metadata.namespace, name, retention))
        except HoldfastError as error:
            _log.error("What was pruned cannot be reported: %s", error)

    def _started(self, run: BackupRun) -> BackupRunStatus | None:
        if self._task.seat.index:
            return run_status.joined(run.status, now=self._clock(), generation=run.metadata.generation)
        return run_status.started(run.status, now=self._clock(), generation=run.metadata.generation)

    def _find_run(self, policy: BackupPolicy) -> BackupRun:
        """The run that this Job is for; made now if the Job was not made for one."""
        task = self._task
        name = task.run or task.job
        body = self._cluster.get(BACKUP_RUN, task.namespace, name)
        if task.run is None:
            if body is None:
                wish = run_for_job(policy, task.job, task.job_uid, reason_of_job(policy.metadata.name, task.job))
                body = self._cluster.create(BACKUP_RUN, wish) or self._cluster.get(BACKUP_RUN, task.namespace, name)
            if body is not None and may_have_job_of_schedule(parse_run(body)):
                # Somebody asked for the run of this time before its Job was there.
                adopt(self._cluster, parse_run(body), policy, task.job, task.job_uid)
                body = self._cluster.get(BACKUP_RUN, task.namespace, name)
            labels = (body or {}).get("metadata", {}).get("labels") or {}
            if body is not None and (labels.get(JOB_LABEL), labels.get(JOB_UID_LABEL)) != (task.job, task.job_uid):
                raise InvalidSpec(
                    f"BackupRun {task.namespace}/{name} exists and is not of this Job.",
                    hint="Give the Job another name, or delete that run.",
                )
        if body is None:
            raise InvalidSpec(f"BackupRun {task.namespace}/{name} was deleted.", hint="Create another one.")
        return parse_run(body)

    def _finished(
        self, manifest: Manifest, warnings: tuple[str, ...], problems: tuple[str, ...]
    ) -> tuple[WorkerResult, bool]:
        """How the process ends, and whether the run says so."""
        facts = manifest.status()
        broken = [collection for collection in manifest.collections if collection.error]
        if problems:
            code, phase, reason = 1, Phase.FAILED, "DamagedBackup"
            text = f"The backup was taken, but it cannot be verified: {' '.join(problems[:3])}"
        elif broken:
            code, phase, reason = EXIT_PARTIAL, Phase.PARTIALLY_FAILED, "CollectionsFailed"
            told = " ".join(f"{collection.name}: {collection.error}" for collection in broken[:3])
            text = f"{len(broken)} of {len(manifest.collections)} collections could not be backed up. {told}"
        else:
            code, phase, reason, text = 0, Phase.SUCCEEDED, "Succeeded", ""
        brief = {name: value for name, value in facts.items() if name != "collections"}
        words = WorkerMessage(reason, text, phase, brief)
        full = RunEnd(phase, reason, text, WorkerMessage(reason, text, phase, facts))
        return WorkerResult(code, words), self._report_end(full, warnings)

    def _failed(self, reason: str, text: str, exit_code: int, *, retry: bool) -> WorkerResult:
        _log.error("%s", text)
        if retry:
            self._report_retry(reason, text)
            return WorkerResult(EXIT_RETRY, WorkerMessage(reason, text))
        self._report_end(RunEnd(Phase.FAILED, reason, text))
        return WorkerResult(exit_code, WorkerMessage(reason, text, Phase.FAILED))

    def _report_end(self, end: RunEnd, warnings: tuple[str, ...] = ()) -> bool:
        def change(run: BackupRun) -> BackupRunStatus:
            status = self._progress.latest(run.status) if self._progress else run.status
            status = run_status.ended(status, end, now=self._clock(), generation=run.metadata.generation)
            return run_status.with_warnings(status, warnings)

        return self._report(change)

    def _report_retry(self, reason: str, text: str) -> None:
        next_try = "The next pod goes on." if reason == Interrupted.reason else "It will be tried again."

        if self._waits:
            self._report(lambda run: self._pending(run, reason, f"{text} {next_try}"))
            return

        def change(run: BackupRun) -> BackupRunStatus:
            status = self._progress.latest(run.status) if self._progress else run.status
            return run_status.moved(
                status,
                Phase.RUNNING,
                reason=reason,
                message=f"Attempt {status.attempts or 1} failed. {text} {next_try}",
                now=self._clock(),
                generation=run.metadata.generation,
            )

        self._report(change)

    def _report(self, change: Callable[[BackupRun], BackupRunStatus]) -> bool:
        if self._run is None:
            return False
        try:
            self._patiently(lambda: self._update(change))
        except HoldfastError as error:
            _log.error("The end of the run cannot be reported: %s", error)
            return False
        return True

    def _update(self, change: Callable[[BackupRun], BackupRunStatus | None]) -> None:
        if self._run is not None:
            change_run(self._cluster, self._task.namespace, self._run.metadata.name, change)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return patiently(call, self._clock, self._wait)


def _known_end(status: BackupRunStatus) -> WorkerResult:
    """The run has ended already: nothing is done twice."""
    codes = {Phase.SUCCEEDED: 0, Phase.PARTIALLY_FAILED: EXIT_PARTIAL}
    phase = status.phase or Phase.FAILED
    words = WorkerMessage(status.reason or phase, status.message or "", phase)
    return WorkerResult(codes.get(phase, 1), words)
