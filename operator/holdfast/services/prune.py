"""Apply a retention rule to a repository: remove the backups that it does not keep, and then what only they needed.

A manifest goes first, its chunks afterwards; a prune that is cut short in between leaves garbage, which the next one
removes. Each database of each policy is planned by itself: many can share a repository. So are the backups that were
taken before a restore replaced something: they hold a part of the database, and must not stand for a daily one.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from zoneinfo import ZoneInfo

from holdfast.domain.retention import Decision, Rule, StoredBackup, plan
from holdfast.errors import DamagedBackup, Interrupted
from holdfast.ports import Clock
from holdfast.repository.garbage import sweep
from holdfast.repository.holds import held_ids
from holdfast.repository.locks import LockKind, locked
from holdfast.repository.manifest import PRE_RESTORE, Manifest
from holdfast.repository.repository import Repository


@dataclass(frozen=True)
class PlannedRemoval:
    """What the rule says of one backup."""

    manifest: Manifest
    decision: Decision


@dataclass(frozen=True)
class PruneOutcome:
    """``removed``: ids. Bytes are stored ones; of a dry run, none is freed."""

    plan: tuple[PlannedRemoval, ...]
    removed: tuple[str, ...] = ()
    removed_chunks: int = 0
    freed_bytes: int = 0
    damaged: tuple[str, ...] = ()
    """Backups that cannot be read. They are left alone, and nothing is swept while what they need is not known."""


@dataclass(frozen=True)
class Known:
    """What others know of backups, by id, that their manifests do not say."""

    verified: frozenset[str] = frozenset()
    damaged: frozenset[str] = frozenset()
    """Of these some data cannot be read: they never count as good."""
    in_use: frozenset[str] = frozenset()
    """Somebody is about to read these again."""


def _nothing() -> Known:
    return Known()


def plan_prune(
    repository: Repository,
    rule: Rule,
    clock: Clock,
    zone: ZoneInfo,
    policy: str | None,
    known: Known | None = None,
) -> PruneOutcome:
    """What a prune would do, newest first. ``policy``: only its backups, by ``NAMESPACE/NAME`` or ``NAME``."""
    damaged: list[DamagedBackup] = []
    groups: dict[tuple[str, str, bool], list[Manifest]] = {}
    for manifest in repository.manifests(damaged.append):
        if policy is None or _policy(manifest) == policy:
            group = (_policy(manifest), manifest.database, manifest.reason == PRE_RESTORE)
            groups.setdefault(group, []).append(manifest)
    held = held_ids(repository.store)
    planned = [
        entry
        for manifests in groups.values()
        for entry in _planned(manifests, rule, clock, zone, held, known or Known())
    ]
    planned.sort(key=lambda entry: entry.manifest.backup_id, reverse=True)
    return PruneOutcome(tuple(planned), damaged=tuple(map(str, damaged)))


def prune(
    repository: Repository,
    rule: Rule,
    clock: Clock,
    zone: ZoneInfo,
    policy: str | None,
    stop: Event,
    *,
    find_out: Callable[[], Known] = _nothing,
    patience: timedelta | None = None,
) -> PruneOutcome:
    """Given an open repository and a rule, do what ``plan_prune`` says, alone in the repository.

    ``find_out`` is called once nobody else is there, so that what it says is not old; nothing goes if it raises.
    RepositoryBusy while a backup, a restore or a verification is under way there, for longer than ``patience``;
    Interrupted when ``stop`` is set; StoreUnavailable. May be run again at any time.
    """
    with locked(repository.store, clock, LockKind.EXCLUSIVE, "prune", stop, patience=patience) as lock:
        outcome = plan_prune(repository, rule, clock, zone, policy, find_out())
        removed = []
        # The oldest first: whenever it is cut short, what is left is the newest.
        for entry in reversed(outcome.plan):
            if entry.decision.keep:
                continue
            if stop.is_set():
                raise Interrupted("The prune was asked to stop.", hint="The next one goes on from here.")
            lock.check()
            repository.remove(entry.manifest.backup_id)
            removed.append(entry.manifest.backup_id)
        if outcome.damaged:
            return PruneOutcome(outcome.plan, tuple(removed), damaged=outcome.damaged)
        swept = sweep(repository, lock, clock())
    return PruneOutcome(outcome.plan, tuple(removed), swept.removed_chunks, swept.freed_bytes)


def _planned(
    manifests: Iterable[Manifest], rule: Rule, clock: Clock, zone: ZoneInfo, held: frozenset[str], known: Known
) -> list[PlannedRemoval]:
    by_id = {manifest.backup_id: manifest for manifest in manifests}
    stored = [
        StoredBackup(
            name,
            one.start_time,
            good=not one.partial and name not in known.damaged,
            verified=name in known.verified,
            held=name in held or name in known.in_use,
        )
        for name, one in by_id.items()
    ]
    return [PlannedRemoval(by_id[decision.backup.id], decision) for decision in plan(stored, rule, clock(), zone)]


def _policy(manifest: Manifest) -> str:
    owner = manifest.policy
    return "/".join(filter(None, (owner.namespace, owner.name))) if owner else ""
