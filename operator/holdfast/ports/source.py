"""The database that is backed up."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from holdfast.ports.oplog import Oplog

CollectionType = Literal["collection", "view", "timeseries"]


@dataclass(frozen=True)
class ServerInfo:
    version: str
    topology: Literal["replicaSet", "standalone", "sharded"]
    replica_set: str | None = None


@dataclass(frozen=True)
class CollectionInfo:
    """One entry of the catalogue. ``options`` and ``indexes`` are BSON documents as the server sent them."""

    name: str
    type: CollectionType
    options: bytes
    indexes: tuple[bytes, ...]
    uuid: bytes | None
    """16 bytes; None for views and time-series collections."""
    data_uuid: bytes | None = None
    """Of the collection that holds the documents: its own, or that of the buckets of a time-series collection."""
    capped: bool = False
    problem: str | None = None
    """Why its indexes could not be listed (a missing privilege, as a rule); such a collection cannot be backed up."""


@dataclass(frozen=True)
class Estimate:
    """What a collection's metadata says of its size. Good enough for progress and for the room that is needed."""

    documents: int = 0
    logical_bytes: int = 0
    storage_bytes: int = 0


@dataclass(frozen=True, order=True, slots=True)
class ClusterTime:
    """A BSON timestamp: seconds since the epoch, and a counter within that second."""

    seconds: int
    increment: int

    def __str__(self) -> str:
        return f"{self.seconds}.{self.increment}"


Member = tuple[str, int | None]
"""One server of a replica set: host and port."""


@dataclass(frozen=True)
class KeyRange:
    """A stretch of a collection in ``_id`` order: from ``lower``, to just before ``upper``. Each is the BSON document
    ``{_id: …}``; None is the end of the collection on that side."""

    lower: bytes | None = None
    upper: bytes | None = None


WHOLE = KeyRange()


class Source(Protocol):
    """A MongoDB database, for reading. Raises SourceUnavailable, AuthenticationFailed, NotAuthorized, SnapshotLost."""

    database: str

    @property
    def member(self) -> Member | None:
        """The member that is read from, once it is chosen."""
        ...

    def server(self) -> ServerInfo: ...

    def catalogue(self) -> list[CollectionInfo]:
        """All collections that a backup may hold, sorted by name; system collections are left out as mongodump does."""
        ...

    def estimate(self, collection: CollectionInfo) -> Estimate: ...

    def cluster_time(self) -> ClusterTime | None:
        """A time at which all collections can be read together, or None where the server has no snapshots.

        It is not earlier than anything that a call made before this one has seen.
        """
        ...

    def snapshot_window(self) -> int | None:
        """For how many seconds the member keeps a cluster time readable; None where there is no such thing.

        NotAuthorized if the user may not ask."""
        ...

    def set_snapshot_window(self, seconds: int) -> int:
        """Change that, until the member restarts, and return what it was. NotAuthorized if the user may not."""
        ...

    def count(self, collection: CollectionInfo, at: ClusterTime | None) -> int:
        """The exact number of documents, at ``at`` where that is given."""
        ...

    def can_snapshot(self, collection: CollectionInfo) -> bool:
        """False for a kind of collection that this server cannot read at a cluster time (capped ones, before 6.3; any,
        before 5.0)."""
        ...

    def can_divide(self, collection: CollectionInfo) -> bool:
        """Whether ``key`` and a range in ``read`` work: it has documents in ``_id`` order, compared byte for byte."""
        ...

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None:
        """The ``{_id: …}`` that comes after the first ``skip`` documents of a range. None if there is none, or it is
        not fit to divide a collection at (huge, or the greatest of all)."""
        ...

    def read(
        self,
        collection: CollectionInfo,
        at: ClusterTime | None,
        keys: KeyRange = WHOLE,
        *,
        batch_bytes: int | None = None,
    ) -> Iterator[Sequence[bytes]]:
        """The documents in batches: in ``_id`` order, or in natural order for a capped collection.

        ``batch_bytes``: about how much is asked for at once, where that is not left to the source.
        Never decoded. CatalogueChanged if the collection was dropped, renamed or made anew meanwhile.
        """
        ...

    def oplog(self) -> "Oplog":
        """That of the member that is read from. Closed with the source."""
        ...

    def close(self) -> None: ...
