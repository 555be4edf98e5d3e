"""The worker's chain in the pod of a Job that brings the catalogue back."""

from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import BackupNotFound
from holdfast.resources.policy import BackupPolicy
from holdfast.services.import_runs import import_runs
from holdfast.services.policy_worker import PolicyWorker
from holdfast.services.worker_report import WorkerResult

SYNCED, EMPTY = "Synced", "NoRepository"


class SyncWorker(PolicyWorker):
    """One pod's work. It has no run: the operator takes its last words."""

    def _chain(self, policy: BackupPolicy) -> WorkerResult:
        with self._open(policy) as repository:
            try:
                repository.open()
            except BackupNotFound:
                text = f"There is no repository in {repository.store.address} yet. The first backup makes it."
                return WorkerResult(0, WorkerMessage(EMPTY, text, status={"imported": 0}))
            ids = repository.backup_ids()
            imported = import_runs(self._cluster, policy, repository, ids, self._clock, self._stop)
            address = repository.store.address
        count = len(imported.runs)
        text = f"BackupRuns that were brought back from {address}: {count}."
        if imported.unreadable:
            text = f"{text} Backups that cannot be read: {len(imported.unreadable)}. {imported.unreadable[0]}"
        return WorkerResult(0, WorkerMessage(SYNCED, text, status={"imported": count}))
