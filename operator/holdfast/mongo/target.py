"""A database that is restored into, written raw."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from bson import encode
from bson.binary import UUID_SUBTYPE, Binary
from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, OperationFailure
from pymongo.read_concern import ReadConcern

from holdfast.domain.oplog import Operation
from holdfast.domain.privileges import Privilege
from holdfast.domain.restoring import STATE
from holdfast.errors import CollectionFailed, NotAuthorized, OperationFailed, SourceUnavailable, TargetNotEmpty
from holdfast.mongo.apply_ops import applicable
from holdfast.mongo.catalogue import BUCKETS, list_collections
from holdfast.mongo.client import Client, Document
from holdfast.mongo.disk import free_bytes
from holdfast.mongo.errors import COLLECTION_UUID_MISMATCH, DUPLICATE_KEY, NAMESPACE_EXISTS, translate
from holdfast.mongo.series import Series, batches
from holdfast.mongo.source import MongoSource
from holdfast.mongo.wire import find
from holdfast.ports import WHOLE, ClusterTime, CollectionInfo, CollectionType, Estimate, KeyRange, ServerInfo
from holdfast.repository.documents import elements
from holdfast.repository.portability import version_of

_MAJORITY, _MAJORITY_READ = WriteConcern("majority", wtimeout=60_000), ReadConcern("majority")
_KEYS_AT_ONCE = 1_000
_COMPATIBILITY = "featureCompatibilityVersion"
_WRITES_BY_UUID = (6, 0)


class MongoTarget:
    """Implements :class:`holdfast.ports.Target`. Writes go to the primary; ``settle`` waits for a majority."""

    def __init__(self, client: Client, database: str, *, origin: str) -> None:
        self.database = database
        self._client, self._origin = client, origin
        self._db = client.get_database(database, write_concern=WriteConcern(w=1))
        self._notes = client.get_database(database, write_concern=_MAJORITY, read_concern=_MAJORITY_READ)[STATE]
        self._reader = MongoSource(client, database, origin=origin)

    def server(self) -> ServerInfo:
        return self._reader.server()

    def compatibility(self) -> str | None:
        with suppress(NotAuthorized), self._translated("Asking for the feature compatibility version"):
            reply = self._client.admin.command({"getParameter": 1, _COMPATIBILITY: 1})
            return str(reply[_COMPATIBILITY]["version"])
        return None

    def identities(self) -> dict[str, bytes | None]:
        with self._translated(f"Listing the collections of {self.database!r}"):
            found = {entry["name"]: entry.get("info", {}).get("uuid") for entry in self._db.list_collections()}
        identities = {name: found.get(BUCKETS + name, uuid) for name, uuid in found.items()}
        return {name: bytes(uuid) if uuid else None for name, uuid in identities.items()}

    def estimate(self, collection: CollectionInfo) -> Estimate:
        return self._reader.estimate(collection)

    def free_bytes(self) -> int | None:
        with self._translated("Asking for the room on the disk"):
            return free_bytes(self._db)

    def privileges(self) -> Sequence[Privilege] | None:
        with self._translated("Asking for the user's privileges"):
            reply = self._client.admin.command({"connectionStatus": 1, "showPrivileges": True})
        who = reply["authInfo"]
        return (
            [_privilege(entry) for entry in who["authenticatedUserPrivileges"]] if who["authenticatedUsers"] else None
        )

    def create(self, name: str, options: bytes, kind: CollectionType) -> None:
        del kind  # the options say it: viewOn, timeseries
        with self._translated(f"Creating {name!r} in {self.database!r}"), self._not_taken(name):
            # One level is decoded, so that the command can be extended; the values stay raw.
            self._db.command({"create": name, **RawBSONDocument(options)})

    def drop(self, name: str) -> None:
        with self._translated(f"Dropping {name!r} in {self.database!r}"):
            self._db.drop_collection(name)

    def drop_database(self) -> None:
        with self._translated(f"Dropping database {self.database!r}"):
            self._client.drop_database(self.database)

    def rename(self, name: str, to: str, *, replace: bool) -> None:
        with self._translated(f"Renaming {name!r} to {to!r} in {self.database!r}"), self._not_taken(to):
            source, target = (f"{self.database}.{one}" for one in (name, to))
            self._client.admin.command({"renameCollection": source, "to": target, "dropTarget": replace})

    def insert(
        self,
        collection: CollectionInfo,
        data: bytes,
        *,
        count: int | None = None,
        only_missing: bool = False,
        once_into: bytes | None = None,
    ) -> int:
        name = collection.name
        into = self._db.get_collection(_data_name(collection))
        # Documents may be older than the validator. To pass it by is a right of its own, asked for only where needed.
        bypass = has_validator(collection.options)
        meant = {"collectionUUID": Binary(once_into, UUID_SUBTYPE)} if once_into else {}
        known = only_missing or once_into is not None
        with self._translated(f"Inserting into {name!r} in {self.database!r}"):
            inserted = 0
            for batch in batches(data, count):
                # The command itself: the driver's own way around it takes as long as the server does.
                reply = self._db.command(
                    {
                        "insert": into.name,
                        "documents": [Series(batch.data)],
                        "ordered": collection.capped,
                        "bypassDocumentValidation": bypass,
                        "writeConcern": {"w": 1},
                        **meant,
                    }
                )
                errors = reply.get("writeErrors", ())
                failed = [error for error in errors if not (known and error.get("code") == DUPLICATE_KEY)]
                if failed and failed[0].get("code") == COLLECTION_UUID_MISMATCH:
                    raise CollectionFailed(
                        f"Collection {name!r} of database {self.database!r} was dropped or renamed while it was "
                        "restored into.",
                        hint="Find out who did it, and stop them meanwhile.",
                    )
                if failed:
                    raise CollectionFailed(
                        f"The server refused {len(failed)} documents of collection {name!r}; the first: "
                        f"{failed[0].get('errmsg', '')[:200]}"
                    )
                if reply["n"] + len(errors) != batch.count:
                    raise CollectionFailed(f"The server took {reply['n']} of {batch.count} documents of {name!r}.")
                # What we inserted ourselves and heard nothing of may have its timestamp still to come.
                left_alone = {error["index"] for error in errors} if only_missing else set()
                for index, document in batch.zero_timestamps():
                    if index not in left_alone:
                        _put_as_it_is(into, document, bypass=bypass)
                inserted += batch.count if once_into else reply["n"]
        return inserted

    def repeat(self, writes: Sequence[Operation]) -> None:
        # Nothing is done by the removal of what is not there; and a list of nothing is refused.
        nothing = Operation("delete", STATE, encode({"_id": 0}))
        batch = [applicable(self.database, one) for one in writes or (nothing,)]
        names = ", ".join(sorted({one.collection for one in writes})[:5]) or "nothing"
        command = {"applyOps": batch, "alwaysUpsert": False, "bypassDocumentValidation": True}
        try:
            with translate(self._origin, SourceUnavailable, f"Repeating changes of {names}"):
                self._client.admin.command(command)
        except NotAuthorized as error:
            raise NotAuthorized(
                error.message,
                hint=f"What was written during the backup is repeated, which takes readWrite on {self.database!r} and "
                "the role `restore` on admin; for a time-series readWriteAnyDatabase on admin.",
            ) from error
        except OperationFailed as error:
            raise CollectionFailed(error.message, hint="Do not use what was restored.") from error

    def writes_by_uuid(self) -> bool:
        return version_of(self.server().version) >= _WRITES_BY_UUID

    def counterparts(self, collection: CollectionInfo, documents: Sequence[bytes]) -> list[bytes]:
        found: list[bytes] = []
        with self._translated(f"Reading collection {collection.name!r}"), self._client.start_session() as session:
            for start in range(0, len(documents), _KEYS_AT_ONCE):
                keys = [RawBSONDocument(one)["_id"] for one in documents[start : start + _KEYS_AT_ONCE]]
                command = {"find": _data_name(collection), "filter": {"_id": {"$in": keys}}}
                for batch in find(self._db, session, command, self._client.read_preference):
                    found += batch
        return found

    def create_indexes(self, name: str, options: bytes, indexes: Sequence[bytes]) -> None:
        simple_by_default = "collation" not in RawBSONDocument(options)
        specifications = [
            _index(raw, simple_by_default=simple_by_default) for raw in indexes if not _made_with_the_collection(raw)
        ]
        if specifications:
            with self._translated(f"Building indexes of {name!r} in {self.database!r}"):
                self._db.command({"createIndexes": name, "indexes": specifications})

    def settle(self) -> None:
        with self._translated("Waiting for a majority of the members"):
            majority = {"w": "majority", "wtimeout": 600_000}
            # The server refuses a barrier without a write; a no-op on a collection that is not there is one.
            self._db.command({"delete": "holdfast_barrier", "deletes": [{"q": {"_id": 0}, "limit": 1}],
                              "writeConcern": majority})  # fmt: skip

    def catalogue(self) -> list[CollectionInfo]:
        with self._translated(f"Listing the collections of {self.database!r}"):
            return list_collections(self._db, self._client.read_preference)

    def notes(self, prefix: str = "") -> dict[str, dict[str, str]]:
        with self._translated(f"Reading {STATE!r} in {self.database!r}"):
            return {str(one.pop("_id")): one for one in self._notes.find(_keyed(prefix))}

    def note(self, key: str) -> dict[str, str] | None:
        with self._translated(f"Reading {STATE!r} in {self.database!r}"):
            found = self._notes.find_one({"_id": key})
        return None if found is None else {name: value for name, value in found.items() if name != "_id"}

    def write_note(self, key: str, note: Mapping[str, str]) -> None:
        with self._translated(f"Writing to {STATE!r} in {self.database!r}"):
            self._notes.replace_one({"_id": key}, dict(note), upsert=True)

    def replace_note(self, key: str, before: Mapping[str, str] | None, note: Mapping[str, str]) -> bool:
        with self._translated(f"Writing to {STATE!r} in {self.database!r}"):
            if before is not None:
                return self._notes.replace_one({"_id": key, **before}, dict(note)).matched_count == 1
            try:
                self._notes.insert_one({"_id": key, **note})
            except DuplicateKeyError:
                return False
            return True

    def delete_note(self, key: str) -> None:
        with self._translated(f"Writing to {STATE!r} in {self.database!r}"):
            self._notes.delete_one({"_id": key})

    def delete_notes(self, prefix: str) -> None:
        with self._translated(f"Writing to {STATE!r} in {self.database!r}"):
            self._notes.delete_many(_keyed(prefix))

    def drop_notes(self) -> None:
        with self._translated(f"Dropping {STATE!r} in {self.database!r}"):
            self._notes.drop()

    def can_divide(self, collection: CollectionInfo) -> bool:
        return self._reader.can_divide(collection)

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None:
        return self._reader.key(collection, at, keys, skip)

    def read(
        self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange = WHOLE
    ) -> Iterator[Sequence[bytes]]:
        return self._reader.read(collection, at, keys)

    def sweep(
        self, collection: CollectionInfo, *, backwards: bool = False, most: int | None = None
    ) -> Iterator[Sequence[bytes]]:
        return self._reader.sweep(collection, backwards=backwards, most=most)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _not_taken(self, name: str) -> Iterator[None]:
        try:
            yield
        except OperationFailure as error:
            if error.code != NAMESPACE_EXISTS:
                raise
            raise TargetNotEmpty(
                f"Collection {name!r} of database {self.database!r} appeared while it was restored into.",
                hint="Find out who made it, and stop them meanwhile; it was left as it is.",
            ) from error

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            with translate(self._origin, SourceUnavailable, action):
                yield
        except NotAuthorized as error:
            raise NotAuthorized(
                error.message, hint=f"Give the user the role readWrite on {self.database!r}, or `restore` on admin."
            ) from error


def _keyed(prefix: str) -> Document:
    """The notes whose key begins so."""
    return {"_id": {"$gte": prefix, "$lt": prefix[:-1] + chr(ord(prefix[-1]) + 1)}} if prefix else {}


def has_validator(options: bytes) -> bool:
    return any(field == b"validator" for _, field, _, _ in elements(options))


def _data_name(collection: CollectionInfo) -> str:
    return BUCKETS + collection.name if collection.type == "timeseries" else collection.name


def _privilege(entry: Document) -> Privilege:
    resource, actions = entry["resource"], frozenset(entry["actions"])
    if resource.get("anyResource"):
        return Privilege("", None, actions)
    if "system_buckets" in resource:
        return Privilege(resource.get("db", ""), BUCKETS + resource["system_buckets"], actions)
    if "db" not in resource:  # the whole cluster: no collection is meant
        return Privilege("", "", frozenset())
    return Privilege(resource["db"], resource["collection"], actions)


def _put_as_it_is(collection: Collection[Document], document: RawBSONDocument, *, bypass: bool) -> None:
    """The server puts its own time in place of a top-level Timestamp(0, 0) that is inserted; an update by a pipeline
    leaves it alone (MongoDB manual, "Timestamps")."""
    collection.update_one(
        {"_id": document["_id"]},
        [{"$replaceRoot": {"newRoot": {"$literal": document}}}],
        bypass_document_validation=bypass,
    )


def _made_with_the_collection(raw: bytes) -> bool:
    index = RawBSONDocument(raw)
    return index["name"] == "_id_" or bool(index.get("clustered"))


def _index(raw: bytes, *, simple_by_default: bool) -> dict[str, Any] | RawBSONDocument:
    """The index as it was listed. ``ns`` comes from servers before 4.4 and is refused by newer ones.

    listIndexes leaves the collation out where it is the simple one; on a collection with another default it must be
    said, or the index inherits that default.
    """
    index = RawBSONDocument(raw)
    if (simple_by_default or "collation" in index) and "ns" not in index:
        return index
    fields = {key: value for key, value in index.items() if key != "ns"}
    if not simple_by_default:
        fields.setdefault("collation", {"locale": "simple"})
    return fields
