"""The worker's chain in the pod of a Job that only prunes: what no backup has removed in time."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from threading import Event
from typing import TypeVar

from holdfast.domain.worker_message import WorkerMessage
from holdfast.ports import Clock, Cluster
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.retention import RunRetention
from holdfast.resources.run import BackupRun
from holdfast.services.apply_retention import apply_retention, report_retention
from holdfast.services.find_policy import find_policy
from holdfast.services.policy_runs import runs_of
from holdfast.services.run_worker import WorkerTask
from holdfast.services.worker_report import WorkerResult, patiently, said_at_last
from holdfast.services.write_status import parse_policy

_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_T = TypeVar("_T")


class PruneWorker:
    """One pod's work. It has no run of its own: it reports on the newest run that has a backup."""

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
        """Prune once, and return how the process ends. Never raises."""
        return said_at_last(self._chain)

    def _chain(self) -> WorkerResult:
        where = (self._task.namespace, self._task.policy)
        policy = parse_policy(self._patiently(lambda: find_policy(self._cluster, *where)))
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

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return patiently(call, self._clock, self._wait)


def _age(run: BackupRun) -> tuple[datetime, str]:
    return run.born or _NEVER, run.metadata.name
