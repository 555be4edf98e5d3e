"""What the worker's chains have in common whose Job belongs to a policy, and not to a run."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event
from typing import TypeVar

from holdfast.ports import Clock, Cluster
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.services.find_policy import find_policy
from holdfast.services.run_worker import WorkerTask
from holdfast.services.worker_report import WorkerResult, patiently, said_at_last
from holdfast.services.write_status import parse_policy

_T = TypeVar("_T")


class PolicyWorker(ABC):
    """One pod's work in the repository of a policy."""

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
        """Do it once, and return how the process ends. Never raises."""
        return said_at_last(lambda: self._chain(self._policy()))

    @abstractmethod
    def _chain(self, policy: BackupPolicy) -> WorkerResult:
        """What this pod is for. May raise."""

    def _policy(self) -> BackupPolicy:
        return parse_policy(
            self._patiently(lambda: find_policy(self._cluster, self._task.namespace, self._task.policy))
        )

    def _patiently(self, call: Callable[[], _T]) -> _T:
        return patiently(call, self._clock, self._wait)
