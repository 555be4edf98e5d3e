"""Which moments can be restored, from what is archived and which backups there are, and what a status says of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from holdfast.errors import DamagedBackup
from holdfast.ports import ClusterTime
from holdfast.repository.repository import Repository
from holdfast.repository.slices import SliceName, Slices
from holdfast.resources.conditions import MESSAGE_LIMIT
from holdfast.resources.point_in_time import GAPS_LIMIT, Gap, PointInTimeStatus
from holdfast.services.reach import can_begin, last_whole_second, time_of_backup

NO_BACKUP = "No backup was taken in it from which a replay could begin."


@dataclass(frozen=True)
class Stretch:
    """What is archived without a gap. ``gap``: why it begins where it does, although there was one before."""

    lineage: str
    after: ClusterTime
    until: ClusterTime
    gap: str | None = None


@dataclass(frozen=True)
class Hole:
    """What cannot be restored, between two moments that can. ``before``: None while no backup leads on."""

    after: ClusterTime
    before: ClusterTime | None
    why: str


@dataclass(frozen=True)
class Recoverable:
    """``since``: None where nothing can be restored."""

    since: ClusterTime | None
    until: ClusterTime
    holes: tuple[Hole, ...]
    lineage: str


def recoverable(stretches: Sequence[Stretch], bases: Iterable[ClusterTime]) -> Recoverable | None:
    """Given what is archived, and the times of the backups that a replay can begin from. None without an archive."""
    if not stretches:
        return None
    times = sorted(bases)
    newest = max(stretches, key=lambda one: (one.until, one.lineage))
    reached: ClusterTime | None = None
    since: ClusterTime | None = None
    holes: list[Hole] = []
    for one in sorted(stretches, key=lambda one: (one.after, one.until)):
        first = next((time for time in times if one.after <= time <= one.until), None)
        if first is None:
            continue
        if reached is None:
            since = first
        elif first > reached:
            holes.append(Hole(reached, first, _why(stretches, reached, first)))
        reached = max(one.until, reached or one.until)
    if reached is not None and newest.until > reached:
        holes.append(Hole(reached, None, _why(stretches, reached, newest.until)))
    return Recoverable(since, newest.until, tuple(holes), newest.lineage)


def _why(stretches: Iterable[Stretch], after: ClusterTime, before: ClusterTime) -> str:
    said = (one.gap for one in stretches if one.gap and after <= one.after <= before)
    return next(said, NO_BACKUP)


def status_of(found: Recoverable, now: datetime) -> PointInTimeStatus:
    """The same as people read it: in whole seconds, each of which can be asked for."""
    until = _moment(last_whole_second(found.until))
    gaps = tuple(
        Gap(
            from_=_moment(last_whole_second(hole.after)),
            to=_moment(hole.before) if hole.before else None,
            message=hole.why[:MESSAGE_LIMIT],
        )
        for hole in found.holes[-GAPS_LIMIT:]
    )
    return PointInTimeStatus(
        from_=_moment(found.since) if found.since else None,
        to=until,
        lag_seconds=max(0, round((now - until).total_seconds())),
        gaps=gaps,
        lineage=found.lineage,
    )


def _moment(time: ClusterTime) -> datetime:
    return datetime.fromtimestamp(time.seconds, UTC)


class Chronicle:
    """What of a database can be restored, kept up to date slice by slice. Asks the store for little: the ids of the
    backups, and for all only when these have changed, for then a prune may have been there."""

    def __init__(self, repository: Repository, slices: Slices, database: str, within: timedelta | None) -> None:
        self._repository, self._slices, self._database, self._within = repository, slices, database, within
        self._stretches: list[Stretch] = []
        self._bases: dict[str, ClusterTime | None] | None = None

    def add(self, name: SliceName, gap: str | None) -> None:
        """A slice was stored just now."""
        for index, one in enumerate(self._stretches):
            if one.lineage == name.lineage and one.after <= name.after <= one.until:
                self._stretches[index] = replace(one, until=max(one.until, name.until))
                return
        self._stretches.append(Stretch(name.lineage, name.after, name.until, gap))

    def look(self, now: datetime) -> Recoverable | None:
        """What can be restored now. What the store raises."""
        ids = self._repository.backup_ids()
        if self._bases is None or set(ids) != set(self._bases):
            known = self._bases or {}
            self._bases = {one: known[one] if one in known else self._base(one) for one in ids}
            self._read_stretches()
        oldest = ClusterTime(int((now - self._within).timestamp()), 0) if self._within else ClusterTime(0, 0)
        return recoverable(self._stretches, (time for time in self._bases.values() if time and time >= oldest))

    def _base(self, backup_id: str) -> ClusterTime | None:
        """The time of a backup, if a replay of this database can begin from it."""
        try:
            manifest = self._repository.find(backup_id)
        except DamagedBackup:
            return None
        if manifest is None or manifest.database != self._database or not can_begin(manifest):
            return None
        return time_of_backup(manifest) if manifest.server.replica_set == self._slices.replica_set else None

    def _read_stretches(self) -> None:
        known = {(one.lineage, one.after): one for one in self._stretches}
        self._stretches = []
        for window in self._slices.windows():
            there = known.get((window.lineage, window.after))
            gap = there.gap if there else self._gap_before(window.slices[0])
            self._stretches.append(Stretch(window.lineage, window.after, window.until, gap))

    def _gap_before(self, first: SliceName) -> str | None:
        try:
            return self._slices.read(first).gap if first.after == first.until else None
        except DamagedBackup:
            return None  # a prune was faster, or it is damaged: a restore says so
