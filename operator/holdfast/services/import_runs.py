"""Give backups of the repository that have no BackupRun one: the repository is the catalogue, and runs can be lost."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from threading import Event

from holdfast.errors import DamagedBackup, HoldfastError
from holdfast.ports import BACKUP_RUN, Clock, Cluster
from holdfast.repository.holds import Holder, holds
from holdfast.repository.locks import LockKind, locked
from holdfast.repository.manifest import PRE_RESTORE, Manifest
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy
from holdfast.resources.run import BackupRun, BackupRunStatus, RunReason
from holdfast.services.policy_runs import backup_id_of, runs_of
from holdfast.services.verify import verify_these
from holdfast.services.write_status import amend_run, parse_run
from holdfast.specs.imported_run import imported_run, imported_status

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Imported:
    """``runs``: names, newest first. ``unreadable``: backups whose manifests cannot be read, as sentences."""

    runs: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()


def import_runs(
    cluster: Cluster,
    policy: BackupPolicy,
    repository: Repository,
    backup_ids: Iterable[str],
    clock: Clock,
    stop: Event,
    *,
    patience: timedelta | None = None,
) -> Imported:
    """Given an open repository and ids of backups, make BackupRuns for those of the policy that have none.

    The structure of each backup is verified first, so that Succeeded means what it always means. A backup that any run
    of the policy names is never imported. May be run again at any time. Raises RepositoryBusy, StoreUnavailable,
    ClusterUnavailable and Interrupted.
    """
    candidates = list(backup_ids)
    if not _without_run(candidates, runs_of(cluster, policy)):
        return Imported()
    # Else a prune would remove what is being looked at, and it would seem to be damaged.
    purpose, witness = "sync of the catalogue", repository.witness
    with locked(repository.store, clock, LockKind.SHARED, purpose, stop, patience=patience, witness=witness):
        # In this order: a backup that is there now had its run before.
        runs = runs_of(cluster, policy)
        unreadable: list[str] = []
        found = list(_manifests(repository, policy, _without_run(candidates, runs), runs, unreadable))
        report = verify_these(repository, found, stop=stop)
        damage: dict[str, list[str]] = {}
        for one in report.damage:
            for backup_id in one.backups:
                damage.setdefault(backup_id, []).append(one.problem)
        held = {one.backup_id for one in holds(repository.store) if one.holder is Holder.CLUSTER} if found else set()
        names = [
            name
            for manifest in found
            if (name := _import(cluster, policy, repository, manifest, damage, held=manifest.backup_id in held))
        ]
    return Imported(tuple(names), tuple(unreadable))


def import_after_prune(
    cluster: Cluster,
    policy: BackupPolicy,
    repository: Repository,
    backup_ids: Iterable[str],
    clock: Clock,
    stop: Event,
    patience: timedelta,
) -> None:
    """The same where something else was the errand: what goes wrong is logged, and the next one makes up for it."""
    try:
        imported = import_runs(cluster, policy, repository, backup_ids, clock, stop, patience=patience)
    except HoldfastError as error:
        _log.warning("Backups without a BackupRun do not get one now: %s", error)
        return
    if imported.runs:
        _log.info("BackupRuns that were made for backups without one: %s", ", ".join(imported.runs))


def _without_run(backup_ids: Sequence[str], runs: Sequence[BackupRun]) -> list[str]:
    named = {backup_id_of(run) for run in runs}
    return [backup_id for backup_id in backup_ids if backup_id not in named]


def _manifests(
    repository: Repository,
    policy: BackupPolicy,
    backup_ids: Sequence[str],
    runs: Sequence[BackupRun],
    unreadable: list[str],
) -> Iterable[Manifest]:
    """Those of the policy, by name: it may have been made anew, in another cluster too."""
    # The worker of a restore does not say which backup it is at before it is whole.
    restoring = any(run.spec.reason is RunReason.PRE_RESTORE and not run.status.terminal for run in runs)
    ours = (policy.metadata.namespace, policy.metadata.name)
    for backup_id in backup_ids:
        try:
            manifest = repository.find(backup_id)
        except DamagedBackup as error:
            unreadable.append(str(error))
            continue
        owner = manifest.policy if manifest else None
        if manifest is None or owner is None or (owner.namespace, owner.name) != ours:
            continue
        if manifest.reason == PRE_RESTORE and restoring:
            continue
        yield manifest


def _import(
    cluster: Cluster,
    policy: BackupPolicy,
    repository: Repository,
    manifest: Manifest,
    damage: Mapping[str, Sequence[str]],
    *,
    held: bool,
) -> str | None:
    """The name of the run; None if there is a stranger's of that name, or one that was given up."""
    wish = imported_run(policy, manifest, held=held)
    namespace, name = policy.metadata.namespace, str(wish["metadata"]["name"])
    body = cluster.create(BACKUP_RUN, wish) or cluster.get(BACKUP_RUN, namespace, name)
    if body is None:
        return None
    run = parse_run(body)
    if run.spec.reason is not RunReason.IMPORTED or run.spec.policy_ref.name != policy.metadata.name:
        _log.warning("BackupRun %s/%s exists and is of something else.", namespace, name)
        return None
    problems = damage.get(manifest.backup_id, ())

    def change(current: BackupRun) -> BackupRunStatus | None:
        if current.status.terminal:
            return None
        return imported_status(current, manifest, problems, repository.store.address)

    after = amend_run(cluster, namespace, name, change)
    return name if after and after.status.backup_id == manifest.backup_id else None
