"""Remove one backup because somebody said so, unless that would be the end of what the rule protects."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from zoneinfo import ZoneInfo

from holdfast.domain.retention import Rule
from holdfast.ports import Clock
from holdfast.repository.garbage import sweep
from holdfast.repository.holds import held_ids
from holdfast.repository.locks import LockKind, locked
from holdfast.repository.repository import Repository
from holdfast.services.prune import Known, protected


@dataclass(frozen=True)
class Deletion:
    """``kept``: why the backup stays; empty if it is gone. ``found`` is False where it was gone before."""

    kept: tuple[str, ...] = ()
    found: bool = True
    freed_bytes: int = 0
    damaged: tuple[str, ...] = ()
    """Other backups that cannot be read: nothing is swept while what they need is not known."""


def delete_backup(
    repository: Repository,
    backup_id: str,
    rule: Rule,
    clock: Clock,
    zone: ZoneInfo,
    policy: str,
    stop: Event,
    *,
    find_out: Callable[[], Known],
    confirmed: bool,
    patience: timedelta | None = None,
) -> Deletion:
    """Given an open repository, remove a backup of a policy (``NAMESPACE/NAME``), alone in the repository.

    What is held, or about to be read by a restore, stays. What no rule may remove (the newest good backup, the newest
    verified one, ``minSuccessful`` good ones) stays unless ``confirmed``. Raises RepositoryBusy, StoreUnavailable,
    Interrupted, and DamagedBackup if the backup cannot be read. May be run again at any time.
    """
    purpose, witness = "deletion of a backup", repository.witness
    with locked(repository.store, clock, LockKind.EXCLUSIVE, purpose, stop, patience=patience, witness=witness) as lock:
        known = find_out()
        manifest = repository.find(backup_id)
        if manifest is None:
            return Deletion(found=False)
        if manifest.policy is None or f"{manifest.policy.namespace}/{manifest.policy.name}" != policy:
            return Deletion(kept=("of another policy",))
        if backup_id in held_ids(repository.store):
            return Deletion(kept=("held",))
        if backup_id in known.in_use:
            return Deletion(kept=("a restore is about to read it",))
        guards, damaged = protected(repository, rule, clock, zone, policy, known)
        if (reasons := guards.get(backup_id, ())) and not confirmed:
            return Deletion(kept=reasons)
        lock.check()
        repository.remove(backup_id)
        if damaged:
            return Deletion(damaged=damaged)
        return Deletion(freed_bytes=sweep(repository, lock, clock()).freed_bytes)
