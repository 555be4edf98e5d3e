"""The worker's chain in the pod of a Job that only prunes: what no backup has removed in time."""

from datetime import UTC, datetime

from holdfast.domain.worker_message import WorkerMessage
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.retention import RunRetention
from holdfast.resources.run import BackupRun
from holdfast.services.apply_retention import apply_retention, report_retention
from holdfast.services.policy_runs import runs_of
from holdfast.services.policy_worker import PolicyWorker
from holdfast.services.worker_report import WorkerResult

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class PruneWorker(PolicyWorker):
    """One pod's work. It has no run of its own: it reports on the newest run that has a backup."""

    def _chain(self, policy: BackupPolicy) -> WorkerResult:
        retention = self._prune(policy)
        self._patiently(lambda: self._report(policy, retention))
        if retention.error:
            # The operator starts another Job after a while: more pods of this one would only wait for each other.
            return WorkerResult(1, WorkerMessage(retention.reason or "PruneFailed", retention.error))
        text = f"{len(retention.removed)} backups removed, {retention.freed_size} freed."
        return WorkerResult(0, WorkerMessage("Pruned", text))

    def _prune(self, policy: BackupPolicy) -> RunRetention:
        with self._open(policy) as repository:
            repository.open()
            return apply_retention(self._cluster, policy, repository, self._clock, self._stop)

    def _report(self, policy: BackupPolicy, retention: RunRetention) -> None:
        stored = [run for run in runs_of(self._cluster, policy) if run.stored]
        newest = max(stored, key=_age, default=None)
        if newest is not None:
            report_retention(self._cluster, self._task.namespace, newest.metadata.name, retention)


def _age(run: BackupRun) -> tuple[datetime, str]:
    return run.born or _NEVER, run.metadata.name
