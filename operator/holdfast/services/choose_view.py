"""Choose what one attempt of a backup reads: a cluster time, and the catalogue as it was at that time."""

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.domain.selection import select
from holdfast.errors import CatalogueChanged, ConsistencyUnavailable, InvalidSpec
from holdfast.ports import ClusterTime, CollectionInfo, Source
from holdfast.repository.manifest import CollectionRecord, ConsistencyRecord
from holdfast.services.capture_changes import Captured

_LOOKS = 10


@dataclass(frozen=True)
class View:
    """What is read, and when: ``at`` is None where the server has no snapshots, or none is wanted."""

    at: ClusterTime | None
    collections: tuple[CollectionInfo, ...]
    missing: tuple[str, ...]
    """Names and globs that were asked for, and that the database does not have."""


def choose_view(source: Source, consistency: Consistency, include: Sequence[str], exclude: Sequence[str]) -> View:
    """Given a source and a choice of collections, find a time at which the catalogue is known.

    The catalogue itself cannot be read at a cluster time; so it is read just before the time and again after it, until
    both are the same. Raises ConsistencyUnavailable, CatalogueChanged if it never holds still, and InvalidSpec if there
    is nothing to back up.
    """
    at, catalogue = _still_moment(source, snapshot=consistency is not Consistency.NONE)
    if at is None and consistency is Consistency.REQUIRED:
        raise ConsistencyUnavailable(
            "The policy requires a consistent backup, and the server has no snapshot reads.",
            hint="Use a replica set of MongoDB 5.0 or newer, or set consistency to Preferred.",
        )
    selection = select([collection.name for collection in catalogue], include, exclude)
    chosen = set(selection.chosen)
    collections = tuple(collection for collection in catalogue if collection.name in chosen)
    if not collections:
        raise InvalidSpec(
            f"Nothing to back up: database {source.database!r} has none of the collections asked for.",
            hint="Check the database's name and the list of collections.",
        )
    return View(at, collections, selection.missing)


def _still_moment(source: Source, *, snapshot: bool) -> tuple[ClusterTime | None, list[CollectionInfo]]:
    for _ in range(_LOOKS):
        before = source.catalogue()
        at = source.cluster_time() if snapshot else None
        if at is None or source.catalogue() == before:
            return at, before
    raise CatalogueChanged("The database's catalogue keeps changing: no moment was found at which it is known.")


def consistency_of(
    at: ClusterTime | None, collections: Sequence[CollectionRecord], captured: Captured | None = None
) -> tuple[ConsistencyRecord, Sequence[str]]:
    """What a backup of these collections may claim, and a warning for those that keep it from claiming more."""
    if captured:
        return ConsistencyRecord(level=ConsistencyLevel.POINT_IN_TIME, cluster_time=str(captured.at)), ()
    loose = [c.name for c in collections if c.type != "view" and c.consistency is ConsistencyLevel.NONE]
    if at is None:
        return ConsistencyRecord(level=ConsistencyLevel.NONE), ()
    if loose:
        warning = f"Read without a snapshot, since this server cannot: {', '.join(loose)}."
        return ConsistencyRecord(level=ConsistencyLevel.NONE), (warning,)
    return ConsistencyRecord(level=ConsistencyLevel.SNAPSHOT, cluster_time=str(at)), ()
