"""Which backup a RestoreRun means, by the repository: BackupRuns may be gone, and statuses behind."""

from collections.abc import Callable

from holdfast.errors import BackupNotFound, DamagedBackup
from holdfast.repository.manifest import PRE_RESTORE, Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.restore_run import RestoreRun


def find_backup(run: RestoreRun, policy: str, repository: Repository, warn: Callable[[str], None]) -> Manifest:
    """Given a run of a policy's name, return its backup. BackupNotFound if there is none.

    The one that an earlier attempt noted is taken again: what is the latest may have changed since.
    """
    wanted = run.spec.source.backup_id
    if noted := run.status.backup_id:
        if (manifest := repository.find(noted)) is None:
            raise BackupNotFound(
                f"Backup {noted} is not in {repository.store.address}.",
                hint="It was removed, or taken into another repository. Name another backup in a new run.",
            )
        return manifest
    if wanted is not None:
        return repository.resolve(wanted)
    return latest_backup(run.metadata.namespace, policy, repository, warn)


def latest_backup(namespace: str, policy: str, repository: Repository, warn: Callable[[str], None]) -> Manifest:
    """The newest whole backup of the policy. By name: the policy may have been made anew, in another cluster too."""
    partial: Manifest | None = None

    def damaged(error: DamagedBackup) -> None:
        warn(f"A newer backup cannot be read and is passed by: {error}")

    for manifest in repository.manifests(damaged):
        taken_by = manifest.policy
        if taken_by is None or (taken_by.namespace, taken_by.name) != (namespace, policy):
            continue
        if manifest.reason == PRE_RESTORE:
            continue  # it shows what a restore was to mend
        if not manifest.partial:
            return manifest
        partial = partial or manifest
    if partial:
        raise BackupNotFound(
            f"BackupPolicy {namespace}/{policy} has no whole backup in {repository.store.address}.",
            hint=f"To restore what the newest partial one holds, give backupId: {partial.backup_id} in a new run.",
        )
    raise BackupNotFound(
        f"BackupPolicy {namespace}/{policy} has no backup in {repository.store.address}.",
        hint="Take one, or give another policy.",
    )
