"""Apply a retention rule to a repository: remove the backups that it does not keep, and then what only they needed.

A manifest goes first, its chunks afterwards; a prune that is cut short in between leaves garbage, which the next one
removes. Each database of each policy is planned by itself: many can share a repository. So are the backups that were
taken before a restore replaced something: they hold a part of the database, and must not stand for a daily one.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from zoneinfo import ZoneInfo

from holdfast.domain.retention import Decision, Rule, StoredBackup, never_removed, plan
from holdfast.errors import DamagedBackup, Interrupted
from holdfast.ports import Clock, ClusterTime
from holdfast.repository.garbage import sweep
from holdfast.repository.holds import held_ids
from holdfast.repository.locks import LockKind, locked
from holdfast.repository.manifest import PRE_RESTORE, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.prune_slices import prune_slices


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
    groups = _groups(repository, policy, damaged)
    held = held_ids(repository.store)
    planned = [
        entry for manifests in groups for entry in _planned(manifests, rule, clock, zone, held, known or Known())
    ]
    planned.sort(key=lambda entry: entry.manifest.backup_id, reverse=True)
    return PruneOutcome(tuple(planned), damaged=tuple(map(str, damaged)))


def protected(
    repository: Repository, rule: Rule, clock: Clock, zone: ZoneInfo, policy: str, known: Known
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """The backups of a policy that no rule may remove, with the reasons; and what cannot be read, as sentences."""
    damaged: list[DamagedBackup] = []
    guards: dict[str, tuple[str, ...]] = {}
    held = held_ids(repository.store)
    for manifests in _groups(repository, policy, damaged):
        guards |= never_removed(_stored(manifests, held, known), rule, clock(), zone)
    return guards, tuple(map(str, damaged))


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
    slices_since: Mapping[str, ClusterTime] | None = None,
) -> PruneOutcome:
    """Given an open repository and a rule, do what ``plan_prune`` says, alone in the repository.

    ``find_out`` is called once nobody else is there, so that what it says is not old; nothing goes if it raises.
    ``slices_since``: as ``prune_slices`` takes it.
    RepositoryBusy while a backup, a restore or a verification is under way there, for longer than ``patience``;
    Interrupted when ``stop`` is set; StoreUnavailable. May be run again at any time.
    """
    with locked(
        repository.store, clock, LockKind.EXCLUSIVE, "prune", stop, patience=patience, witness=repository.witness
    ) as lock:
        known = find_out()
        outcome = plan_prune(repository, rule, clock, zone, policy, known)
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
        prune_slices(repository, slices_since, known.in_use)
    return PruneOutcome(outcome.plan, tuple(removed), swept.removed_chunks, swept.freed_bytes)


def _groups(repository: Repository, policy: str | None, damaged: list[DamagedBackup]) -> Iterable[list[Manifest]]:
    """The backups that are planned together."""
    groups: dict[tuple[str, str, bool], list[Manifest]] = {}
    for manifest in repository.manifests(damaged.append):
        if policy is None or _policy(manifest) == policy:
            group = (_policy(manifest), manifest.database, manifest.reason == PRE_RESTORE)
            groups.setdefault(group, []).append(manifest)
    return groups.values()


def _stored(manifests: Iterable[Manifest], held: frozenset[str], known: Known) -> list[StoredBackup]:
    return [
        StoredBackup(
            one.backup_id,
            one.start_time,
            good=not one.partial and one.backup_id not in known.damaged,
            verified=one.backup_id in known.verified,
            held=one.backup_id in held or one.backup_id in known.in_use,
        )
        for one in manifests
    ]


def _planned(
    manifests: Iterable[Manifest], rule: Rule, clock: Clock, zone: ZoneInfo, held: frozenset[str], known: Known
) -> list[PlannedRemoval]:
    by_id = {manifest.backup_id: manifest for manifest in manifests}
    stored = _stored(by_id.values(), held, known)
    return [PlannedRemoval(by_id[decision.backup.id], decision) for decision in plan(stored, rule, clock(), zone)]


def _policy(manifest: Manifest) -> str:
    owner = manifest.policy
    return "/".join(filter(None, (owner.namespace, owner.name))) if owner else ""
