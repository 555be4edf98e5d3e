"""The BackupRun of a backup that was found in the repository, as a pure function of its manifest."""

from collections.abc import Sequence
from datetime import datetime

from holdfast.domain.phases import Phase
from holdfast.domain.run_end import RunEnd
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import DamagedBackup
from holdfast.ports import KubeObject
from holdfast.repository.manifest import PRE_RESTORE, Manifest
from holdfast.resources.base import format_time
from holdfast.resources.notifications import RunNotifications
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import PRE_RESTORE_LABEL, BackupRun, BackupRunStatus, RunReason
from holdfast.specs import run_status
from holdfast.specs.metadata import owned_metadata
from holdfast.specs.names import imported_run_name

FOUND = "Imported"


def imported_run(policy: BackupPolicy, manifest: Manifest, *, held: bool) -> KubeObject:
    """``held``: a BackupRun that is lost held the backup. Else a run that does not would let it go."""
    metadata = owned_metadata(policy, imported_run_name(manifest.backup_id))
    if manifest.reason == PRE_RESTORE:
        metadata["labels"] = {**metadata["labels"], PRE_RESTORE_LABEL: "true"}
    spec = {"policyRef": {"name": policy.metadata.name}, "reason": RunReason.IMPORTED.value, "hold": held}
    return {"metadata": metadata, "spec": spec}


def imported_status(run: BackupRun, manifest: Manifest, problems: Sequence[str], address: str) -> BackupRunStatus:
    """The status that the run would have, had it never been lost.

    ``problems``: why the backup cannot be restored in full. Nobody is told of its end: that was done, or is history.
    """
    end = _end(manifest, problems, address)
    began = run.status.model_copy(update={"start_time": manifest.start_time, "notifications": RunNotifications()})
    ended: datetime = manifest.completion_time
    status = run_status.ended(began, end, now=ended, generation=run.metadata.generation)
    return run_status.with_warnings(status, manifest.warnings)


def _end(manifest: Manifest, problems: Sequence[str], address: str) -> RunEnd:
    found = f"Found in {address}. The backup was taken at {format_time(manifest.start_time)}."
    broken = [collection for collection in manifest.collections if collection.error]
    if problems:
        phase, reason = Phase.FAILED, DamagedBackup.reason
        text = f"{found} It cannot be verified: {' '.join(problems[:3])}"
    elif broken:
        told = " ".join(f"{collection.name}: {collection.error}" for collection in broken[:3])
        phase, reason = Phase.PARTIALLY_FAILED, "CollectionsFailed"
        text = f"{found} {len(broken)} of {len(manifest.collections)} collections could not be backed up. {told}"
    else:
        phase, reason, text = Phase.SUCCEEDED, FOUND, found
    return RunEnd(phase, reason, text, WorkerMessage(reason, text, phase, manifest.status()))
