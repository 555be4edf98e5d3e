"""A backup for somebody outside of the cluster: which one, and whether it can be read from here at all."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from threading import Event
from typing import IO

from holdfast.errors import BackupNotFound, BackupOutOfReach, InvalidInput
from holdfast.ports import Advance, Clock
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.storage import MongoStorage, VolumeStorage
from holdfast.services.export import ExportFormat, ExportRequest, export_kept
from holdfast.services.find_backup import latest_backup
from holdfast.specs.store_access import STORE, claim_words, credentials_words, mounted_secrets

LOCK_PATIENCE = timedelta(seconds=20)
"""For a prune. Who waits for a download hears nothing meanwhile."""

Opener = Callable[[BackupPolicy], AbstractContextManager[Repository]]
"""Opens the place where a policy keeps its backups."""
Offer = Callable[[Manifest], IO[bytes] | None]
"""Told which backup it is, gives what it is written into; None: it is not wanted after all."""

_ELSEWHERE = (
    "Restore the backup into a database that you can read: a RestoreRun, or kubectl holdfast restore with --database."
)
_log = logging.getLogger(__name__)


def download(
    policy: BackupPolicy,
    backup_id: str | None,
    form: ExportFormat,
    opener: Opener,
    offer: Offer,
    stop: Event,
    clock: Clock,
) -> None:
    """Write a backup of the policy: the one of this id, or its newest good one.

    BackupNotFound; BackupOutOfReach where only others can read the repository, or what the policy says of it is wrong;
    else what ``export_kept`` raises.
    """
    _check_reach(policy)
    try:
        with opener(policy) as repository:
            repository.open()
            manifest = _find(repository, policy, backup_id)
            stream = offer(manifest)
            if stream is not None:
                request = ExportRequest(form, stream)
                export_kept(request, manifest, repository, _Logged(), stop, clock, patience=LOCK_PATIENCE)
    except BackupNotFound:
        raise
    except InvalidInput as error:  # not what was asked for is wrong
        raise BackupOutOfReach(error.message, hint=error.hint) from error


def _check_reach(policy: BackupPolicy) -> None:
    """An identity of our own must never stand in for that of the policy's account: it may open more."""
    storage = policy.spec.storage.chosen
    if isinstance(storage, VolumeStorage):
        raise BackupOutOfReach(
            f"The backups lie in {claim_words(policy, storage)}, which only pods of its namespace can reach.",
            hint=_ELSEWHERE,
        )
    if not isinstance(storage, MongoStorage) and STORE not in mounted_secrets(policy):
        raise BackupOutOfReach(
            f"The backups lie in a bucket that opens to the worker alone, by {credentials_words(policy)}.",
            hint=f"Name a Secret there. {_ELSEWHERE}",
        )


def _find(repository: Repository, policy: BackupPolicy, backup_id: str | None) -> Manifest:
    """Only one of this policy: others may share its repository."""
    namespace, name = policy.metadata.namespace, policy.metadata.name
    if backup_id is None:
        try:
            return latest_backup(namespace, name, repository, _Logged().warn)
        except BackupNotFound as error:
            raise BackupNotFound(
                error.message, hint="Take one; or name one that is not whole by ?id=, as /api/runs tells it."
            ) from error
    manifest = repository.find(backup_id)
    owner = manifest.policy if manifest else None
    if manifest is None or owner is None or (owner.namespace, owner.name) != (namespace, name):
        raise BackupNotFound(
            f"BackupPolicy {namespace}/{name} has no backup {backup_id}.",
            hint="/api/runs tells the backupId of each run; without ?id= it is the newest good one.",
        )
    return manifest


class _Logged:
    """A Progress of which nobody waits for more than the warnings."""

    def phase(self, name: str, message: str = "") -> None:
        pass

    def advance(self, report: Advance) -> None:
        pass

    def warn(self, message: str) -> None:
        _log.warning("%s", message)
