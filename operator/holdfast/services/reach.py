"""Which points in time can be restored, and from which backup and slices."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.errors import BackupNotFound, InvalidSpec, TimeNotReachable
from holdfast.ports import ClusterTime
from holdfast.repository.manifest import PRE_RESTORE, Manifest
from holdfast.repository.repository import Repository
from holdfast.repository.slices import Slices, Window, any_slices

END_OF_SECOND = 2**32 - 1


@dataclass(frozen=True)
class Reach:
    """A backup, the stretch of oplog behind it, and up to where it is replayed."""

    manifest: Manifest
    slices: Slices
    window: Window
    until: ClusterTime

    @property
    def since(self) -> ClusterTime:
        return time_of_backup(self.manifest)


def point_of(text: str) -> ClusterTime:
    """A point in time as people give it: RFC 3339, the end of that second; or a cluster time, ``seconds.increment``.

    InvalidSpec if it is neither, or has no time zone.
    """
    seconds, dot, increment = text.partition(".")
    if dot and seconds.isdecimal() and increment.isdecimal():
        return ClusterTime(int(seconds), int(increment))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidSpec(f"{text!r} is not a point in time.", hint="Give it as 2026-11-23T01:59:59Z.")
    return ClusterTime(int(moment.timestamp()), END_OF_SECOND)


def time_of_backup(manifest: Manifest) -> ClusterTime:
    seconds, _, increment = (manifest.consistency.cluster_time or "0.0").partition(".")
    return ClusterTime(int(seconds), int(increment))


def told(time: ClusterTime) -> str:
    return f"{datetime.fromtimestamp(time.seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def find_reach(
    repository: Repository,
    database: str | None,
    until: ClusterTime,
    backup: str = "latest",
    owner: tuple[str, str] | None = None,
) -> Reach:
    """The newest backup at or before ``until`` from which slices lead there without a gap.

    ``backup``: this one, or ``latest`` for whichever serves. ``owner``: only those of this policy, by namespace and
    name. TimeNotReachable, with the nearest times that are; InvalidSpec if there are several databases and none is
    named; BackupNotFound.
    """
    bases = bases_of(repository, database, owner)
    reaches = list(reaches_of(repository, bases))
    wanted = bases if backup == "latest" else [repository.resolve(backup)]
    ids = {one.backup_id for one in wanted}
    for one in reaches:  # the newest backup first
        if one.manifest.backup_id in ids and one.since <= until <= one.until:
            return Reach(one.manifest, one.slices, one.window, until)
    earlier = max((one.until for one in reaches if one.until < until), default=None)
    later = min((one.since for one in reaches if one.since > until), default=None)
    near = [
        f"before it {_nearest(earlier)}" if earlier else "",
        f"after it {told(later)}, cluster time {later}" if later else "",
    ]
    nearest = " and ".join(filter(None, near))
    raise TimeNotReachable(
        f"{told(until)} cannot be reached: no backup, and a chain of oplog slices without a gap behind it, lead there.",
        hint=f"The nearest that can be: {nearest}." if nearest else "There is no backup with slices of an oplog behind "
        "it: spec.pointInTime, or `holdfast archive-oplog`, keeps them.",
    )  # fmt: skip


def replayable(repository: Repository, manifests: Iterable[Manifest]) -> dict[str, ClusterTime]:
    """Up to when the oplog leads on from each of these backups, by id. Those from which it does not are left out."""
    found: dict[str, ClusterTime] = {}
    if any_slices(repository.store):
        for one in reaches_of(repository, filter(can_begin, manifests)):
            backup_id = one.manifest.backup_id
            found[backup_id] = max(one.until, found.get(backup_id, one.until))
    return found


def last_whole_second(time: ClusterTime) -> ClusterTime:
    """The second of this time may have gone on behind it: the one before is whole."""
    return ClusterTime(time.seconds - 1, END_OF_SECOND)


def _nearest(time: ClusterTime) -> str:
    return f"{told(last_whole_second(time))}, cluster time {time}"


def can_begin(one: Manifest) -> bool:
    """Whether a replay can begin from this backup."""
    return (
        one.consistency.level is not ConsistencyLevel.NONE and bool(one.server.replica_set)
        and one.reason != PRE_RESTORE and not one.partial and one.imported is None
    )  # fmt: skip


def owner_of(manifest: Manifest) -> str:
    """The policy whose archive may lead on from a backup, as its slices name it; empty if none took it."""
    return f"{manifest.policy.namespace}/{manifest.policy.name}" if manifest.policy else ""


def bases_of(repository: Repository, database: str | None, owner: tuple[str, str] | None = None) -> list[Manifest]:
    """Backups that a replay can begin from, the newest first: of one database, of one policy if any is given."""
    found = [
        one
        for one in repository.manifests(lambda _damage: None)
        if can_begin(one)
        and database in (None, one.database)
        and (owner is None or (one.policy and (one.policy.namespace, one.policy.name) == owner))
    ]
    if not found:
        raise BackupNotFound(
            f"There is no backup in {repository.store.address} that a replay could begin from.",
            hint="It takes one with consistency Snapshot or PointInTime: of a replica set, whole, and not imported.",
        )
    if owner:
        return [one for one in found if one.database == found[0].database]  # the policy may have had another once
    several = sorted({one.database for one in found})
    if len(several) > 1:
        raise InvalidSpec(
            f"The repository holds backups of several databases: {', '.join(several)}.", hint="Say --source DB."
        )
    return found


def reaches_of(repository: Repository, bases: Iterable[Manifest]) -> Iterator[Reach]:
    """How far each of these backups can be gone on from, in their order."""
    known: dict[str, tuple[Slices, list[Window]]] = {}
    for manifest in bases:
        since = time_of_backup(manifest)
        for owner in dict.fromkeys((owner_of(manifest), "")):  # or somebody archives beside the policy
            slices = Slices(repository, manifest.server.replica_set or "", manifest.database, owner)
            if slices.prefix not in known:
                known[slices.prefix] = (slices, slices.windows())
            slices, windows = known[slices.prefix]
            for window in windows:
                if window.after <= since <= window.until:
                    yield Reach(manifest, slices, window, window.until)
