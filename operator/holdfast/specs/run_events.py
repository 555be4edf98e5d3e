"""The events that make up the history of a run, from the steps of its status.

A step is another phase, or another reason to be in it: a try that failed, a pod that cannot start; or another try.
Progress is none.
"""

from typing import Literal, NamedTuple

from holdfast.domain.phases import Phase, RestorePhase
from holdfast.resources.queue import WAITS_ON_PURPOSE
from holdfast.resources.restore_run import RestoreRunStatus
from holdfast.resources.run import BackupRunStatus
from holdfast.specs.run_status import whole

_BAD = frozenset({"Failed", "Cancelled", "PartiallyFailed"})
_PLAIN = {
    Phase.PENDING: "The run waits for its pod.",
    Phase.RUNNING: "A worker is at it.",
    Phase.VERIFYING: "All is read; it is looked at whether the backup is whole.",
}
_PLAIN_RESTORE = {
    RestorePhase.PENDING: "The restore waits for its pod.",
    RestorePhase.PLANNING: "It is looked at what the backup holds, and what is in the target.",
    RestorePhase.RESTORING: "Collections are being restored.",
    RestorePhase.VERIFYING: "All is restored; it is compared with the backup.",
    RestorePhase.SUCCEEDED: "What was wanted is done.",
}


class RunEvent(NamedTuple):
    """What ``kubectl describe`` shows."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def backup_events(before: BackupRunStatus, after: BackupRunStatus) -> list[RunEvent]:
    """What there is to tell of a BackupRun whose status was just changed."""
    events = []
    if (step := _step(before, after)) is not None:
        plain = _PLAIN.get(after.phase or Phase.PENDING) or whole(after)
        events.append(step if step.note else step._replace(note=plain))
    if before.prune_time is None and after.prune_time is not None:
        events.append(
            RunEvent("Normal", "BackupRemoved", f"Backup {after.backup_id} is not in the repository any more.")
        )
    if before.prune_time is not None and after.prune_time is None:
        events.append(RunEvent("Normal", "BackupFound", f"Backup {after.backup_id} is in the repository again."))
    return events


def restore_events(before: RestoreRunStatus, after: RestoreRunStatus) -> list[RunEvent]:
    """The same of a RestoreRun."""
    step = _step(before, after)
    if step is None:
        return []
    return [step if step.note else step._replace(note=_PLAIN_RESTORE[after.phase or RestorePhase.PENDING])]


def _step(before: BackupRunStatus | RestoreRunStatus, after: BackupRunStatus | RestoreRunStatus) -> RunEvent | None:
    phase, reason, message = after.phase, after.reason or "", after.message or ""
    if phase is None:
        return None
    if (phase, reason) == (before.phase, before.reason or ""):
        # Whoever was at it before was killed, and nobody was there to see it.
        again = (after.attempts or 0) > (before.attempts or 0) > 0
        return RunEvent("Normal", phase, f"{message} The one before it ended without a word.") if again else None
    if phase in _BAD:
        return RunEvent("Warning", phase, f"{reason}: {message}")
    if reason in ("", phase) or phase.terminal:
        return RunEvent("Normal", phase, message)
    # It is where it was, and something is in its way.
    return RunEvent("Normal" if reason in WAITS_ON_PURPOSE else "Warning", reason, message or f"The run is {phase}.")
