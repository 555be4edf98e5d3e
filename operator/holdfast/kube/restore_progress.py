"""Progress of a worker, shown in the status of its RestoreRun."""

import logging
from datetime import datetime

from holdfast.domain.human import human_bytes
from holdfast.domain.phases import RestorePhase
from holdfast.kube.run_progress import ThrottledProgress
from holdfast.ports import Advance
from holdfast.resources.restore_run import RestoreRun, RestoreRunStatus
from holdfast.services.write_status import change_restore
from holdfast.specs import restore_status

_log = logging.getLogger(__name__)

_NAMES = {
    "Planning": RestorePhase.PLANNING,
    "Running": RestorePhase.RESTORING,
    "Restoring": RestorePhase.RESTORING,
    "Replaying": RestorePhase.RESTORING,
    "Verifying": RestorePhase.VERIFYING,
}
"""What the engine says, on the command line too."""


class KubeRestoreProgress(ThrottledProgress):
    """Of a RestoreRun. A new phase is shown at once: an event tells it."""

    _phase: tuple[RestorePhase, str] | None = None

    def phase(self, name: str, message: str = "") -> None:
        _log.info("%s. %s", name, message)
        if phase := _NAMES.get(name):
            self._phase = (phase, message)
            self._next = None
            self._write_if_due()

    def latest(self, status: RestoreRunStatus) -> RestoreRunStatus:
        """``status`` with all that was reported so far."""
        if self._advance:
            status = _advanced(status, self._advance)
        return restore_status.with_warnings(status, self._warnings)

    def _write(self, now: datetime) -> None:
        change_restore(self._cluster, self._namespace, self._run, lambda run: self._changed(run, now))

    def _changed(self, run: RestoreRun, now: datetime) -> RestoreRunStatus:
        status = run.status
        phase, message = self._phase or (status.phase or RestorePhase.PLANNING, status.message or "")
        if self._advance and phase is RestorePhase.RESTORING:
            message = message or f"Restoring collection {self._advance.collection}."
        if (status.phase, status.message or "") != (phase, message):
            generation = run.metadata.generation
            status = restore_status.moved(status, phase, reason=phase, message=message, now=now, generation=generation)
        return self.latest(status)


def _advanced(status: RestoreRunStatus, report: Advance) -> RestoreRunStatus:
    percent = min(99, report.logical_bytes * 100 // max(1, report.total_bytes))
    return status.model_copy(
        update={
            "progress": f"{percent}%",
            "documents": report.documents,
            "logical_bytes": report.logical_bytes,
            "size": human_bytes(report.logical_bytes),
        }
    )
