"""A database that is restored into, written raw."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from bson.raw_bson import RawBSONDocument
from pymongo import WriteConcern
from pymongo.collection import Collection

from holdfast.errors import CollectionFailed, NotAuthorized, SourceUnavailable
from holdfast.mongo.catalogue import BUCKETS, list_collections
from holdfast.mongo.client import Client, Document
from holdfast.mongo.errors import translate
from holdfast.mongo.source import MongoSource
from holdfast.ports import WHOLE, ClusterTime, CollectionInfo, CollectionType, KeyRange, ServerInfo
from holdfast.repository.documents import elements

_BATCH_DOCUMENTS = 5_000
_BATCH_BYTES = 12 * 1024 * 1024
_TIMESTAMP = 0x11
_PERHAPS_ZERO_TIMESTAMP = re.compile(rb"\x11[^\0]*\0{9}").search


class MongoTarget:
    """Implements :class:`holdfast.ports.Target`. Writes go to the primary; ``settle`` waits for a majority."""

    def __init__(self, client: Client, database: str, *, origin: str) -> None:
        self.database = database
        self._client, self._origin = client, origin
        self._db = client.get_database(database, write_concern=WriteConcern(w=1))
        self._reader = MongoSource(client, database, origin=origin)

    def server(self) -> ServerInfo:
        return self._reader.server()

    def existing(self) -> set[str]:
        with self._translated(f"Listing the collections of {self.database!r}"):
            return set(self._db.list_collection_names())

    def create(self, name: str, options: bytes, kind: CollectionType) -> None:
        del kind  # the options say it: viewOn, timeseries
        with self._translated(f"Creating {name!r} in {self.database!r}"):
            # One level is decoded, so that the command can be extended; the values stay raw.
            self._db.command({"create": name, **RawBSONDocument(options)})

    def drop(self, name: str) -> None:
        with self._translated(f"Dropping {name!r} in {self.database!r}"):
            self._db.drop_collection(name)

    def insert(self, collection: CollectionInfo, documents: Sequence[bytes]) -> None:
        name = collection.name
        into = self._db.get_collection(BUCKETS + name if collection.type == "timeseries" else name)
        # Documents may be older than the validator. To pass it by is a right of its own, asked for only where needed.
        bypass = any(field == b"validator" for _, field, _, _ in elements(collection.options))
        with self._translated(f"Inserting into {name!r} in {self.database!r}"):
            for batch in _batches(documents):
                # The command itself: the driver's own way around it takes as long as the server does.
                reply = self._db.command(
                    {
                        "insert": into.name,
                        "documents": batch,
                        "ordered": collection.capped,
                        "bypassDocumentValidation": bypass,
                        "writeConcern": {"w": 1},
                    }
                )
                if failed := reply.get("writeErrors"):
                    raise CollectionFailed(
                        f"The server refused {len(failed)} documents of collection {name!r}; the first: "
                        f"{failed[0].get('errmsg', '')[:200]}"
                    )
                if reply["n"] != len(batch):
                    raise CollectionFailed(f"The server took {reply['n']} of {len(batch)} documents of {name!r}.")
                _mend_zero_timestamps(into, batch, bypass=bypass)

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

    def can_divide(self, collection: CollectionInfo) -> bool:
        return self._reader.can_divide(collection)

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None:
        return self._reader.key(collection, at, keys, skip)

    def read(
        self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange = WHOLE
    ) -> Iterator[Sequence[bytes]]:
        return self._reader.read(collection, at, keys)

    def close(self) -> None:
        self._client.close()

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            with translate(self._origin, SourceUnavailable, action):
                yield
        except NotAuthorized as error:
            raise NotAuthorized(
                error.message, hint=f"Give the user the role readWrite on {self.database!r}, or `restore` on admin."
            ) from error


def _batches(documents: Iterable[bytes]) -> Iterator[list[RawBSONDocument]]:
    batch: list[RawBSONDocument] = []
    size = 0
    for document in documents:
        if batch and (len(batch) >= _BATCH_DOCUMENTS or size + len(document) > _BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(RawBSONDocument(document))
        size += len(document)
    if batch:
        yield batch


def _mend_zero_timestamps(collection: Collection[Document], batch: Sequence[RawBSONDocument], *, bypass: bool) -> None:
    """The server puts its own time in place of a top-level Timestamp(0, 0) that is inserted; an update by a pipeline
    leaves it alone (MongoDB manual, "Timestamps")."""
    for document in batch:
        raw = cast("bytes", document.raw)
        # Looked at closely only where it may be one: that is a hundred times the work.
        if _PERHAPS_ZERO_TIMESTAMP(raw) and any(
            kind == _TIMESTAMP and name != b"_id" and raw[start:end] == bytes(8)
            for kind, name, start, end in elements(raw)
        ):
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
