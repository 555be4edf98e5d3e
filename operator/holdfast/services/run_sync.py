"""The worker's chain in the pod of a Job that brings the catalogue back."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event

from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import BackupNotFound
from holdfast.ports import Clock, Cluster
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.services.find_policy import find_policy
from holdfast.services.import_runs import import_runs
from holdfast.services.run_worker import WorkerTask
from holdfast.services.worker_report import WorkerResult, patiently, said_at_last
from holdfast.services.write_status import parse_policy

SYNCED, EMPTY = "Synced", "NoRepository"


class SyncWorker:
    """One pod's work. It has no run: the operator takes its last words."""

    def __init__(
        self,
        task: WorkerTask,
        cluster: Cluster,
        open_repository: Callable[[BackupPolicy], AbstractContextManager[Repository]],
        clock: Clock,
        stop: Event,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._task, self._cluster, self._open = task, cluster, open_repository
        self._clock, self._stop, self._wait = clock, stop, wait

    def work(self) -> WorkerResult:
        """Sync once, and return how the process ends. Never raises."""
        return said_at_last(self._sync)

    def _sync(self) -> WorkerResult:
        where = (self._task.namespace, self._task.policy)
        policy = parse_policy(patiently(lambda: find_policy(self._cluster, *where), self._clock, self._wait))
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
