"""Back up what a restore is about to replace, into the policy's repository, under a BackupRun of reason PreRestore.

The BackupRun is for people to look at; where it may not be written, the backup is taken all the same, and the
RestoreRun names it.
"""

import logging
from collections.abc import Callable
from threading import Event

from holdfast.domain.consistency import Consistency
from holdfast.domain.phases import Phase
from holdfast.domain.run_end import RunEnd
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import CollectionFailed, HoldfastError
from holdfast.ports import BACKUP_RUN, Clock, Cluster, Source
from holdfast.repository.manifest import PRE_RESTORE, Manifest, PolicyIdentity
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.restore_run import RestoreRun
from holdfast.resources.run import BackupRun, BackupRunStatus
from holdfast.services.back_up import back_up
from holdfast.services.backup_request import BackupRequest
from holdfast.services.restore_plan import RestorePlan
from holdfast.services.run_worker import RunProgress
from holdfast.services.verify import verify
from holdfast.services.worker_report import failure_of
from holdfast.services.write_status import change_run
from holdfast.specs import run_status
from holdfast.specs.names import run_before_restore
from holdfast.specs.restore_job import backup_before_restore

_log = logging.getLogger(__name__)

_HINT = "Mend it, or set preRestoreBackup: false in a new run to do without."


class BackUpBefore:
    """Implements :class:`holdfast.services.run_restore.PreRestore`."""

    def __init__(
        self,
        cluster: Cluster,
        job: str,
        job_uid: str,
        progress_of: Callable[[str], RunProgress],
        clock: Clock,
        stop: Event,
    ) -> None:
        self._cluster, self._job, self._job_uid, self._progress_of = cluster, job, job_uid, progress_of
        self._clock, self._stop = clock, stop

    def __call__(
        self, policy: BackupPolicy, run: RestoreRun, plan: RestorePlan, source: Source, repository: Repository
    ) -> str | None:
        """Return the id of the backup, or None where nothing is replaced. CollectionFailed if it is not whole.

        The id is the same for every attempt, and ``back_up`` returns what is there under it: what a second attempt
        finds in the target may be half a restore.
        """
        names = tuple(one.target for one in plan.collections if one.action == "replace")
        if not names:
            return None
        created = run.metadata.creation_timestamp or self._clock()
        backup_id = new_backup_id(created, f"before {run.metadata.uid}")
        metadata = policy.metadata
        request = BackupRequest(
            backup_id=backup_id,
            policy=PolicyIdentity(namespace=metadata.namespace, name=metadata.name, uid=metadata.uid),
            include=names,
            exclude=(),
            consistency=Consistency.PREFERRED,
            started=self._clock(),
            reason=PRE_RESTORE,
        )
        told = self._begin(policy, run)
        progress = self._progress_of(run_before_restore(run.metadata.name))
        try:
            outcome = back_up(request, source, repository, progress, self._clock, self._stop)
            progress.phase(Phase.VERIFYING)
            report = verify(repository, outcome.manifest, stop=self._stop)
            _require_whole(outcome.manifest, report.problems)
        except HoldfastError as error:
            failure = failure_of(error)
            if not failure.retry:
                self._end(told, RunEnd(Phase.FAILED, failure.reason, failure.text))
            raise
        words = WorkerMessage("Succeeded", "", Phase.SUCCEEDED, outcome.manifest.status())
        self._end(told, RunEnd(Phase.SUCCEEDED, words.reason, words.message, words))
        return backup_id

    def _begin(self, policy: BackupPolicy, run: RestoreRun) -> BackupRun | None:
        """The BackupRun; None if there can be none."""
        wish = backup_before_restore(policy, run, job=self._job, job_uid=self._job_uid)
        namespace, name = wish["metadata"]["namespace"], wish["metadata"]["name"]
        try:
            body = self._cluster.create(BACKUP_RUN, wish) or self._cluster.get(BACKUP_RUN, namespace, name)
            return change_run(self._cluster, namespace, name, self._started) if body else None
        except HoldfastError as error:
            _log.warning("BackupRun %s cannot be written: %s", name, error)
            return None

    def _started(self, run: BackupRun) -> BackupRunStatus:
        return run_status.started(run.status, now=self._clock(), generation=run.metadata.generation)

    def _end(self, told: BackupRun | None, end: RunEnd) -> None:
        if told is None:
            return

        def change(run: BackupRun) -> BackupRunStatus:
            return run_status.ended(run.status, end, now=self._clock(), generation=run.metadata.generation)

        try:
            change_run(self._cluster, told.metadata.namespace, told.metadata.name, change)
        except HoldfastError as error:
            _log.warning("BackupRun %s cannot be written: %s", told.metadata.name, error)


def _require_whole(manifest: Manifest, problems: tuple[str, ...]) -> None:
    broken = [f"{one.name}: {one.error}" for one in manifest.collections if one.error] + list(problems)
    if broken:
        told = " ".join(broken[:3])
        raise CollectionFailed(f"What would be replaced cannot be backed up. {told}", hint=_HINT)
