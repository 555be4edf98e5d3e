"""Progress of a worker, shown in the status of its BackupRun."""

import logging
from abc import ABC, abstractmethod
from datetime import datetime, timedelta

from holdfast.domain.human import human_bytes
from holdfast.domain.phases import Phase
from holdfast.errors import HoldfastError
from holdfast.ports import Advance, Clock, Cluster
from holdfast.resources.run import BackupRun, BackupRunStatus, CollectionStatus
from holdfast.services.write_status import change_run
from holdfast.specs import run_status

INTERVAL = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(seconds=60)

_log = logging.getLogger(__name__)


class ThrottledProgress(ABC):
    """The Progress port over a cluster: at most one write each two seconds, and fewer while the cluster is away.

    What comes in between is shown by the next write. It never raises, and never ends a run: that is the worker's.
    """

    def __init__(self, cluster: Cluster, namespace: str, run: str, clock: Clock) -> None:
        self._cluster, self._namespace, self._run, self._clock = cluster, namespace, run, clock
        self._advance: Advance | None = None
        self._warnings: list[str] = []
        self._next: datetime | None = None
        self._pause = INTERVAL

    @abstractmethod
    def _write(self, now: datetime) -> None:
        """Show in the status all that was reported so far."""

    def advance(self, report: Advance) -> None:
        self._advance = report
        self._write_if_due()

    def warn(self, message: str) -> None:
        _log.warning("%s", message)
        self._warnings.append(message)
        self._write_if_due()

    def _write_if_due(self) -> None:
        now = self._clock()
        if self._next and now < self._next:
            return
        try:
            self._write(now)
            self._pause = INTERVAL
        except HoldfastError as error:
            _log.warning("Progress cannot be reported: %s", error)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
        self._next = self._clock() + self._pause


class KubeProgress(ThrottledProgress):
    """Of a BackupRun."""

    _phase: tuple[Phase, str] | None = None

    def phase(self, name: str, message: str = "") -> None:
        _log.info("%s. %s", name, message)
        if name in Phase.__members__.values() and not Phase(name).terminal:
            self._phase = (Phase(name), message)
            self._write_if_due()

    def latest(self, status: BackupRunStatus) -> BackupRunStatus:
        """``status`` with all that was reported so far."""
        if self._advance:
            status = _advanced(status, self._advance)
        return run_status.with_warnings(status, self._warnings)

    def _write(self, now: datetime) -> None:
        change_run(self._cluster, self._namespace, self._run, lambda run: self._changed(run, now))

    def _changed(self, run: BackupRun, now: datetime) -> BackupRunStatus:
        status = run.status
        phase, message = self._phase or (Phase.RUNNING, "")
        if self._advance and phase is Phase.RUNNING:
            message = message or f"Reading collection {self._advance.collection}."
        if (status.phase, status.message) != (phase, message):
            generation = run.metadata.generation
            status = run_status.moved(status, phase, reason=phase, message=message, now=now, generation=generation)
        return self.latest(status)


def _advanced(status: BackupRunStatus, report: Advance) -> BackupRunStatus:
    percent = min(99, report.logical_bytes * 100 // max(1, report.total_bytes))
    collections, omitted = run_status.shorten(
        CollectionStatus(
            name=one.name,
            phase=one.phase,
            documents=one.documents,
            bytes=one.logical_bytes,
            error=one.error or None,
        )
        for one in report.collections()
    )
    return status.model_copy(
        update={
            "progress": f"{percent}%",
            "documents": report.documents,
            "logical_bytes": report.logical_bytes,
            "new_bytes": report.new_bytes,
            "new_size": human_bytes(report.new_bytes),
            "collections": collections,
            "collections_omitted": omitted or None,
        }
    )
