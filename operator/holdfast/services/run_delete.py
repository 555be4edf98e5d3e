"""The worker's chain in the pod of a Job that removes the backup of a BackupRun that was deleted."""

from datetime import timedelta

from holdfast.domain.human import human_bytes
from holdfast.domain.schedule import parse_zone
from holdfast.domain.worker_message import WorkerMessage
from holdfast.errors import BackupNotFound, InvalidSpec
from holdfast.ports import BACKUP_RUN, KubeObject
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import CONFIRM_DELETE_ANNOTATION
from holdfast.services.apply_retention import what_runs_know
from holdfast.services.delete_backup import Deletion, delete_backup
from holdfast.services.policy_runs import backup_id_of
from holdfast.services.policy_worker import PolicyWorker
from holdfast.services.worker_report import WorkerResult
from holdfast.services.write_status import parse_run
from holdfast.specs.deletion import deletes

DELETED, KEPT = "BackupDeleted", "BackupKept"
PATIENCE = timedelta(minutes=4)
"""How long one pod waits to be alone in the repository. Another one comes after it."""


class DeleteWorker(PolicyWorker):
    """One pod's work. Its run is about to go: the operator takes its last words."""

    def _run(self) -> KubeObject:
        """Nothing is removed but for a run that somebody is deleting at this very moment."""
        body = self._cluster.get(BACKUP_RUN, self._task.namespace, self._task.run or "")
        if body is None or "deletionTimestamp" not in body["metadata"]:
            raise InvalidSpec(f"BackupRun {self._task.namespace}/{self._task.run} is not being deleted.")
        return body

    def _chain(self, policy: BackupPolicy) -> WorkerResult:
        run = parse_run(self._patiently(self._run))
        backup_id = backup_id_of(run)
        if run.spec.policy_ref.name != policy.metadata.name or not deletes(run, policy):
            return _said(KEPT, "Its deletionPolicy is Retain.")
        if run.held:
            return _said(KEPT, "It is held.")
        with self._open(policy) as repository:
            try:
                repository.open()
            except BackupNotFound as error:
                return _said(KEPT, error.message)
            deletion = delete_backup(
                repository,
                backup_id,
                policy.spec.retention.rule,
                self._clock,
                parse_zone(policy.spec.schedule.time_zone),
                f"{policy.metadata.namespace}/{policy.metadata.name}",
                self._stop,
                find_out=lambda: what_runs_know(self._cluster, policy, repository, self._clock()),
                confirmed=run.metadata.annotations.get(CONFIRM_DELETE_ANNOTATION) == backup_id,
                patience=PATIENCE,
            )
        return _result(deletion, backup_id)


def _result(deletion: Deletion, backup_id: str) -> WorkerResult:
    if deletion.kept:
        why = ", ".join(deletion.kept)
        hint = f"To remove it all the same, annotate its BackupRun with {CONFIRM_DELETE_ANNOTATION}={backup_id} first."
        firm = deletion.kept[0] in ("held", "of another policy", "a restore is about to read it")
        return _said(KEPT, f"It is protected: {why}." + ("" if firm else f" {hint}"))
    if not deletion.found:
        return _said(DELETED, "It was not in the repository any more.")
    if deletion.damaged:
        return _said(DELETED, f"No storage was freed, because others cannot be read: {deletion.damaged[0]}")
    return _said(DELETED, f"{human_bytes(deletion.freed_bytes)} freed.")


def _said(reason: str, text: str) -> WorkerResult:
    return WorkerResult(0, WorkerMessage(reason, text))
