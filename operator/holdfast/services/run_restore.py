"""The worker's chain of a RestoreRun in a pod: find the backup, plan, restore, prove, report.

A failure that another try may mend leaves the run where it is and says so; the Job starts the next pod, which takes the
same backup and goes on or starts anew. Any other end is written to the run and to the pod's termination message. A
worker that is asked to stop also says in an event what state the target is in: its run may be gone.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from threading import Event
from typing import Any, TypeVar

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.domain.run_end import RunEnd
from holdfast.domain.teamwork import ALONE
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import HoldfastError, Interrupted, InvalidSpec, TargetBusy
from holdfast.ports import RESTORE_RUN, Clock, Cluster, Progress
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import Mode, RestoreRun, RestoreRunStatus
from holdfast.services.find_policy import find_policy
from holdfast.services.find_way import Way, find_way
from holdfast.services.reach import Reach
from holdfast.services.restore_doors import Doors, Place, PreRestore, RestoreProgress, RestoreTask
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_plan import RestorePlan
from holdfast.services.restore_report import (
    outcome_collections,
    outcome_facts,
    outcome_text,
    plan_status,
    planned_text,
    point_collections,
    point_facts,
    point_planned_text,
    point_text,
    reached,
    restore_request,
)
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_seat import RunHasEnded, await_backup
from holdfast.services.restore_share import Team
from holdfast.services.target_state import target_state
from holdfast.services.understand import check_understood
from holdfast.services.worker_report import EXIT_RETRY, SHARE_DONE, Failure, WorkerResult, failure_of, patiently
from holdfast.services.write_status import about, change_restore, parse_policy, parse_restore
from holdfast.specs import restore_status
from holdfast.specs.restore_job import pods_wanted

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

UNTOUCHED = "Nothing was changed in the target."
ONE_POD = "One pod does this restore, whatever parallelism says: what the oplog tells is repeated in one order."


class RestoreWorker:
    """One pod's work on one RestoreRun. ``wait`` sleeps, or returns early when the pod is asked to stop."""

    def __init__(
        self,
        task: RestoreTask,
        cluster: Cluster,
        doors: Doors,
        progress_of: Callable[[str], RestoreProgress],
        back_up_before: PreRestore,
        clock: Clock,
        stop: Event,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._task, self._cluster, self._doors = task, cluster, doors
        self._progress_of, self._back_up_before = progress_of, back_up_before
        self._clock, self._stop, self._wait = clock, stop, wait
        self._run: RestoreRun | None = None
        self._progress: RestoreProgress | None = None
        self._changing = self._ending = False
        self._leads = task.seat.index == 0
        """Whether this pod speaks for all."""
        self._facts: dict[str, Any] = {}

    def work(self) -> WorkerResult:
        """Given a task, do it and return how the process ends. Never raises."""
        try:
            return self._chain()
        except Exception as error:  # noqa: BLE001 (the pod must still say what happened)
            failure = failure_of(error)
            _log.error("%s", failure.text)
            return self._retry(failure) if failure.retry else self._failed(failure)

    def _chain(self) -> WorkerResult:
        where = (self._task.namespace, self._task.policy)
        policy = parse_policy(self._patiently(lambda: find_policy(self._cluster, *where)))
        run = self._run = self._patiently(self._find_run)
        if run.status.terminal:
            return _known_end(run.status)
        check_understood(run)
        progress = self._progress = self._progress_of(run.metadata.name)
        if not self._leads:
            run = self._run = await_backup(run, self._task.seat, self._find_run, self._clock, self._stop, self._wait)
            if run.status.terminal:
                return _known_end(run.status)
        self._change(self._started)
        # Of several pods, the one that leads tells.
        warn = progress.warn if self._leads else _log.warning
        with self._doors.repository(policy) as repository:
            repository.open()
            way = find_way(run, policy.metadata.name, repository, warn)
            manifest = way.manifest
            self._pin(way)
            with (
                self._doors.place(policy, run, repository, manifest.database) as place,
                kept_for_reading(
                    repository.store,
                    self._clock,
                    f"restore of {manifest.backup_id}",
                    self._stop,
                    warn,
                    repository.witness,
                ),
            ):
                repository.resolve(manifest.backup_id)  # a prune may have been faster than our lock
                if way.reach:
                    if pods_wanted(policy, run) > 1:
                        progress.warn(ONE_POD)
                    return self._restore_to_point(run, way.reach, place, progress)
                return self._restore(policy, run, manifest, repository, place, progress)

    def _restore(
        self,
        policy: BackupPolicy,
        run: RestoreRun,
        manifest: Manifest,
        repository: Repository,
        place: Place,
        progress: RestoreProgress,
    ) -> WorkerResult:
        request = restore_request(run, self._task.bytes_per_second)
        self._facts["database"] = place.database
        if run.spec.mode is Mode.PLAN:
            return self._planned(self._plan(request, manifest, place))
        seat = self._task.seat
        if seat == ALONE:
            return self._restored(place.database, self._lead(policy, run, manifest, repository, place, progress))
        team = Team(seat, self._clock, RunHasEnded(self._find_run, self._clock))
        lead = partial(self._lead, policy, run, manifest, repository, place, progress, team)
        outcome = place.share(request, manifest, team, lead)
        result = self._restored(place.database, outcome) if outcome else SHARE_DONE
        place.forget(request, manifest)
        return result

    def _plan(self, request: RestoreRequest, manifest: Manifest, place: Place) -> RestorePlan:
        plan = place.plan(request, manifest)
        self._show_plan(place.database, plan)
        return plan

    def _lead(
        self,
        policy: BackupPolicy,
        run: RestoreRun,
        manifest: Manifest,
        repository: Repository,
        place: Place,
        progress: RestoreProgress,
        team: Team | None = None,
    ) -> RestoreOutcome:
        """Do the restore, by this pod or as the one that leads others."""
        self._leads = True
        request = restore_request(run, self._task.bytes_per_second)
        plan = self._plan(request, manifest, place)

        def before_replacing(plan: RestorePlan) -> None:
            self._changing = False  # what stops it now leaves the target as it is
            backup_id = self._back_up_before(policy, run, plan, place.source, repository)
            if backup_id:
                self._facts["preRestoreBackupId"] = backup_id
                self._keep(pre_restore_backup_id=backup_id)
            self._changing = True

        self._changing = True
        wanted = run.spec.pre_restore_backup
        before = before_replacing if wanted else None
        try:
            return self._told_where_it_stands(
                lambda: place.restore(request, manifest, progress, before, team), plan, place
            )
        except TargetBusy:
            self._leads, self._changing = self._task.seat.index == 0, False
            raise

    def _restore_to_point(self, run: RestoreRun, reach: Reach, place: Place, progress: Progress) -> WorkerResult:
        request = restore_request(run, self._task.bytes_per_second)
        self._facts["database"] = place.database
        plan, foreseen = place.plan_to_point(request, reach)
        self._show_plan(place.database, plan)
        where = self._facts["pointInTime"] = reached(reach, foreseen).to_wire()
        if run.spec.mode is Mode.PLAN:
            text = point_planned_text(plan, reach, foreseen)
            return self._ended(Phase.SUCCEEDED, "Planned", text, 0)
        self._changing = True
        outcome = self._told_where_it_stands(
            lambda: place.restore_to_point(request, reach, foreseen, progress), plan, place
        )
        self._facts |= point_facts(outcome, reach) | {"pointInTime": where}
        for warning in outcome.warnings:
            progress.warn(warning)
        text, collections = point_text(place.database, outcome, reach), point_collections(outcome)
        return self._ended(Phase.SUCCEEDED, "Succeeded", text, 0, collections)

    def _told_where_it_stands(self, work: Callable[[], _T], plan: RestorePlan, place: Place) -> _T:
        """The work; where it is stopped, its error says what state the target is in."""
        try:
            return work()
        except Interrupted as error:
            state = target_state(plan, place.source) if self._changing else ""
            raise Interrupted(error.message, hint=f"{error.hint} {state}".strip()) from error

    # --- finding ---------------------------------------------------------------------------------------------------

    def _find_run(self) -> RestoreRun:
        where = f"RestoreRun {self._task.namespace}/{self._task.run}"
        body = self._cluster.get(RESTORE_RUN, self._task.namespace, self._task.run)
        if body is None or body["metadata"]["uid"] != self._task.run_uid:
            raise InvalidSpec(f"{where} was deleted.", hint="Nothing was changed. Create another one.")
        return parse_restore(body)

    # --- saying ----------------------------------------------------------------------------------------------------

    def _started(self, run: RestoreRun) -> RestoreRunStatus | None:
        if not self._leads:
            return restore_status.joined(run.status, now=self._clock(), generation=run.metadata.generation)
        return restore_status.started(run.status, now=self._clock(), generation=run.metadata.generation)

    def _pin(self, way: Way) -> None:
        """Every attempt restores the same, whatever is the latest then: it is noted before anything else."""
        backup_id = way.manifest.backup_id
        self._facts |= {"backupId": backup_id, "policy": self._task.policy}
        known: dict[str, object] = {"backup_id": backup_id, "policy": self._task.policy}
        if way.reach:
            known["point_in_time"] = reached(way.reach)
        self._keep(**known)

    def _show_plan(self, database: str, plan: RestorePlan) -> None:
        status_of_plan = plan_status(plan)
        self._facts["strategy"] = plan.strategy.value
        self._change(
            lambda run: restore_status.with_plan(run.status, status_of_plan).model_copy(update={"database": database})
        )

    def _planned(self, plan: RestorePlan) -> WorkerResult:
        return self._ended(Phase.SUCCEEDED, "Planned", planned_text(plan), 0)

    def _restored(self, database: str, outcome: RestoreOutcome) -> WorkerResult:
        self._facts |= outcome_facts(outcome)
        text, collections = outcome_text(database, outcome), outcome_collections(outcome)
        if outcome.problems:
            return self._ended(Phase.FAILED, "Different", text, 1, collections)
        return self._ended(Phase.SUCCEEDED, "PartialBackup" if outcome.skipped else "Succeeded", text, 0, collections)

    def _failed(self, failure: Failure) -> WorkerResult:
        return self._ended(Phase.FAILED, failure.reason, self._and_target(failure.text), failure.exit_code)

    def _and_target(self, text: str) -> str:
        """With what it means for the target, where this pod knows that."""
        return text if self._changing or not self._leads else f"{text} {UNTOUCHED}"

    def _ended(
        self, phase: Phase, reason: str, text: str, code: int, collections: list[dict[str, Any]] | None = None
    ) -> WorkerResult:
        brief = WorkerMessage(reason, text, phase, dict(self._facts))
        full = {**self._facts, "collections": collections} if collections else self._facts
        end = RunEnd(phase, reason, text, WorkerMessage(reason, text, phase, full))

        def change(run: RestoreRun) -> RestoreRunStatus:
            return restore_status.ended(self._latest(run), end, now=self._clock(), generation=run.metadata.generation)

        self._report(change)
        return WorkerResult(code, brief)

    def _retry(self, failure: Failure) -> WorkerResult:
        stopped = failure.reason == Interrupted.reason
        text = self._and_target(failure.text)
        if not self._leads:
            return WorkerResult(EXIT_RETRY, WorkerMessage(failure.reason, text))
        next_try = "" if stopped else " It will be tried again."

        def change(run: RestoreRun) -> RestoreRunStatus:
            status = self._latest(run)
            return restore_status.moved(
                status,
                status.phase or RestorePhase.PLANNING,
                reason=failure.reason,
                message=f"Attempt {status.attempts or 1} failed. {text}{next_try}",
                now=self._clock(),
                generation=run.metadata.generation,
            )

        if stopped and self._run is not None:
            # The run may be deleted: this is where its people find out what state the target is in.
            self._cluster.record(about(self._run), RESTORE_RUN, "Warning", failure.reason, text)
        self._report(change)
        return WorkerResult(EXIT_RETRY, WorkerMessage(failure.reason, text, None, dict(self._facts)))

    # --- writing ---------------------------------------------------------------------------------------------------

    def _latest(self, run: RestoreRun) -> RestoreRunStatus:
        return self._progress.latest(run.status) if self._progress else run.status

    def _keep(self, **known: object) -> None:
        """Have facts in the status before anything is built on them. ClusterUnavailable if that cannot be."""
        self._change(lambda run: run.status.model_copy(update=known))

    def _change(self, change: Callable[[RestoreRun], RestoreRunStatus | None]) -> None:
        """Write a change that must be there before the work goes on."""

        def ours(run: RestoreRun) -> RestoreRunStatus | None:
            return change(run) if run.metadata.uid == self._task.run_uid else None

        after = self._patiently(lambda: change_restore(self._cluster, self._task.namespace, self._task.run, ours))
        if after is None or after.metadata.uid != self._task.run_uid:
            raise Interrupted(f"RestoreRun {self._task.namespace}/{self._task.run} was deleted.")
        if after.status.terminal and not self._ending:
            raise Interrupted(f"RestoreRun {self._task.namespace}/{self._task.run} was ended from outside.")
        self._run = after

    def _report(self, change: Callable[[RestoreRun], RestoreRunStatus]) -> None:
        if self._run is None:
            return
        self._ending = True
        try:
            self._change(change)
        except HoldfastError as error:
            _log.error("The end of the run cannot be reported: %s", error)

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return patiently(call, self._clock, self._wait)


def _known_end(status: RestoreRunStatus) -> WorkerResult:
    """The run has ended already: nothing is done twice."""
    phase = Phase((status.phase or RestorePhase.FAILED).value)
    words = WorkerMessage(status.reason or phase, status.message or "", phase)
    return WorkerResult(0 if phase is Phase.SUCCEEDED else 1, words)
