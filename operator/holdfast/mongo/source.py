"""A database that is backed up, read raw, at one cluster time, from one member."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from bson import encode
from bson.binary import UUID_SUBTYPE, Binary
from bson.max_key import MaxKey
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo import timeout
from pymongo.errors import OperationFailure

from holdfast.errors import CatalogueChanged, NotAuthorized, SourceUnavailable
from holdfast.mongo.catalogue import BUCKETS, list_collections
from holdfast.mongo.client import Client, OneMember
from holdfast.mongo.errors import CATALOGUE_CHANGED, INVALID_OPTIONS, translate
from holdfast.mongo.oplog import MongoOplog
from holdfast.mongo.wire import BATCH_BYTES, find
from holdfast.ports import WHOLE, ClusterTime, CollectionInfo, Estimate, KeyRange, Member, ServerInfo

_SNAPSHOT_READS = (5, 0)
_CAPPED_SNAPSHOTS = (6, 3)
_COLLECTION_UUID = (6, 0)
_BUCKETS_BY_ID = (5, 3)
_UUID = "collectionUUID"
_WINDOW = "minSnapshotHistoryWindowInSeconds"
_BY_ID = {"_id": 1}
_GREATEST_KEY = encode({"_id": MaxKey()})
_LONGEST_KEY = 1024
_COUNT_SECONDS = 300
_COUNTED_A_SECOND = 100_000
"""Documents. A server counts ten times as many, if it has nothing else to do."""


class MongoSource:
    """Implements :class:`holdfast.ports.Source`. The client must stay with one member (``OneMember``)."""

    def __init__(self, client: Client, database: str, *, origin: str, selector: OneMember | None = None) -> None:
        """``selector``: the one that the client was made with."""
        self.database = database
        self._selector = selector
        self._client, self._origin = client, origin
        self._db = client.get_database(database)
        self._preference = client.read_preference
        self._takes_uuids = True

    @property
    def member(self) -> Member | None:
        return self._selector.member if self._selector else None

    def server(self) -> ServerInfo:
        return self._server

    def catalogue(self) -> list[CollectionInfo]:
        with self._translated(f"Listing the collections of {self.database!r}"):
            return list_collections(self._db, self._preference)

    def estimate(self, collection: CollectionInfo) -> Estimate:
        if collection.type == "view" or collection.problem:
            return Estimate()
        try:
            with self._translated("Estimating"):
                stats = self._command({"collStats": self._data_name(collection)})
        except NotAuthorized:
            return Estimate()
        return Estimate(int(stats.get("count", 0)), int(stats.get("size", 0)), int(stats.get("storageSize", 0)))

    def cluster_time(self) -> ClusterTime | None:
        if self._server.topology != "replicaSet" or self._version < _SNAPSHOT_READS:
            return None
        with self._translated("Asking for the cluster time"):
            hello = self._client.admin.command("hello", read_preference=self._preference)
        # Not the majority's time: that may be older than what a catalogue read before has shown. The server lets a
        # read at this time wait until a majority has it.
        time = hello["lastWrite"]["opTime"]["ts"]
        return ClusterTime(time.time, time.inc)

    def snapshot_window(self) -> int | None:
        if self._server.topology != "replicaSet" or self._version < _SNAPSHOT_READS:
            return None
        with self._translated("Asking for the snapshot window"):
            reply = self._client.admin.command({"getParameter": 1, _WINDOW: 1}, read_preference=self._preference)
        return int(reply[_WINDOW])

    def set_snapshot_window(self, seconds: int) -> int:
        with self._translated("Setting the snapshot window"):
            reply = self._client.admin.command({"setParameter": 1, _WINDOW: seconds}, read_preference=self._preference)
        return int(reply["was"])

    def can_snapshot(self, collection: CollectionInfo) -> bool:
        return self._version >= (_CAPPED_SNAPSHOTS if collection.capped else _SNAPSHOT_READS)

    def count(self, collection: CollectionInfo, at: ClusterTime | None) -> int:
        command: dict[str, Any] = {
            "aggregate": self._data_name(collection),
            "pipeline": [{"$group": {"_id": None, "count": {"$sum": 1}}}],
            "cursor": {},
        } | _read_concern(at)
        if self.can_divide(collection):
            command["hint"] = _BY_ID  # counts keys: half the work of counting documents
        # It says nothing until it has counted all, which takes longer than the time-out of other commands may be.
        seconds = _COUNT_SECONDS + self.estimate(collection).documents / _COUNTED_A_SECOND
        with (
            self._translated(f"Counting {collection.name!r}"),
            timeout(seconds),
            self._client.start_session() as session,
        ):
            reply = self._command(command, session=session)
        batch = reply["cursor"]["firstBatch"]
        return int(batch[0]["count"]) if batch else 0

    def can_divide(self, collection: CollectionInfo) -> bool:
        return self._in_id_order(collection) and "collation" not in RawBSONDocument(collection.options)

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None:
        command = self._find(collection, at, keys)
        command |= {"projection": {"_id": 1}, "skip": skip, "limit": 1}
        found = [key for batch in self._batches(collection, command) for key in batch]
        if not found or len(found[0]) > _LONGEST_KEY or found[0] == _GREATEST_KEY:
            return None
        return found[0]

    def read(
        self,
        collection: CollectionInfo,
        at: ClusterTime | None,
        keys: KeyRange = WHOLE,
        *,
        batch_bytes: int | None = None,
    ) -> Iterator[Sequence[bytes]]:
        yield from self._batches(collection, self._find(collection, at, keys), batch_bytes or BATCH_BYTES)
        if keys.lower is not None and keys.upper is None:
            # An upper bound is exclusive, and no bound at all leaves MaxKey out on some servers: asked for by itself.
            last = self._find(collection, at, WHOLE) | {"filter": {"_id": MaxKey()}}
            yield from self._batches(collection, last)

    def sweep(
        self, collection: CollectionInfo, *, backwards: bool = False, most: int | None = None
    ) -> Iterator[Sequence[bytes]]:
        """As :meth:`holdfast.ports.Target.sweep` has it."""
        command: dict[str, Any] = {"find": self._data_name(collection), "hint": {"$natural": -1 if backwards else 1}}
        return self._batches(collection, command | ({} if most is None else {"limit": most}))

    def _find(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange) -> dict[str, Any]:
        command: dict[str, Any] = {"find": self._data_name(collection), "filter": {}} | _read_concern(at)
        if self._in_id_order(collection):
            command["hint"] = _BY_ID
        # Not by a filter: that would compare within one BSON type only, and lose the documents of the others.
        if keys.lower is not None:
            command["min"] = RawBSONDocument(keys.lower)
        if keys.lower is not None or keys.upper is not None:
            command["max"] = RawBSONDocument(keys.upper or _GREATEST_KEY)
        if self._version >= _COLLECTION_UUID and self._takes_uuids and collection.data_uuid:
            command[_UUID] = Binary(collection.data_uuid, UUID_SUBTYPE)
        return command

    def _batches(
        self, collection: CollectionInfo, command: dict[str, Any], batch_bytes: int = BATCH_BYTES
    ) -> Iterator[Sequence[bytes]]:
        try:
            with (
                self._translated(f"Reading collection {collection.name!r}"),
                self._client.start_session(causal_consistency=False) as session,
                _staying(collection.name),
            ):
                try:
                    yield from find(self._db, session, command, self._preference, batch_bytes=batch_bytes)
                except OperationFailure as error:
                    if error.code != INVALID_OPTIONS or _UUID not in command:
                        raise
                    # A 6.0 whose feature compatibility version is 5.0. It says so before it gives any document.
                    self._takes_uuids = False
                    del command[_UUID]
                    yield from find(self._db, session, command, self._preference, batch_bytes=batch_bytes)
        except NotAuthorized as error:
            raise NotAuthorized(
                error.message, hint="Give the user the role `read` on the database, or `backup` on admin."
            ) from error

    def _in_id_order(self, collection: CollectionInfo) -> bool:
        """Whether the server takes the order of ids as a hint. A 5.0 has no name for that of buckets, in which it keeps
        them all the same."""
        if collection.type == "timeseries":
            return self._version >= _BUCKETS_BY_ID
        return not collection.capped and _has_id_index(collection)

    def oplog(self) -> MongoOplog:
        return MongoOplog(self._client, origin=self._origin)

    def close(self) -> None:
        self._client.close()

    @cached_property
    def _server(self) -> ServerInfo:
        with self._translated("Asking the server what it is"):
            hello = self._client.admin.command("hello", read_preference=self._preference)
            build = self._client.admin.command("buildInfo", read_preference=self._preference)
        if hello.get("msg") == "isdbgrid":
            return ServerInfo(build["version"], "sharded")
        if name := hello.get("setName"):
            return ServerInfo(build["version"], "replicaSet", name)
        return ServerInfo(build["version"], "standalone")

    @cached_property
    def _version(self) -> tuple[int, int]:
        major, minor = self._server.version.split(".")[:2]
        return int(major), int(minor)

    def _command(self, command: dict[str, Any], **options: Any) -> dict[str, Any]:
        return self._db.command(command, read_preference=self._preference, **options)

    def _translated(self, action: str) -> Any:
        return translate(self._origin, SourceUnavailable, action)

    @staticmethod
    def _data_name(collection: CollectionInfo) -> str:
        return BUCKETS + collection.name if collection.type == "timeseries" else collection.name


def _read_concern(at: ClusterTime | None) -> dict[str, Any]:
    if at is None:
        return {}
    return {"readConcern": {"level": "snapshot", "atClusterTime": Timestamp(at.seconds, at.increment)}}


def _has_id_index(collection: CollectionInfo) -> bool:
    # {_id: 1}, whatever the index is called; a clustered collection lists its own as one too.
    return any(b"\x03key\0\x0e\0\0\0\x10_id\0\x01\0\0\0\0" in index for index in collection.indexes)


@contextmanager
def _staying(name: str) -> Iterator[None]:
    """CatalogueChanged for what the server says when a collection goes while it is read."""
    try:
        yield
    except OperationFailure as error:
        if error.code not in CATALOGUE_CHANGED:
            raise
        raise CatalogueChanged(f"Collection {name!r} was dropped, renamed or made anew during the backup.") from error
