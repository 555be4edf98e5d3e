"""A repository in MongoDB: chunks in ``backupdatas``, everything else in ``backupmetadatas``.

An object is one document whose ``_id`` is its key. A large one has its bytes in parts (a document may have 16 MB, and a
smaller write spares the server's cache), stored first under names of their own, so that two writers never mix; the
document with the key comes last and makes the object exist. Other documents in these collections (an older backup
system may have used the same names) have other ``_id`` and are not touched.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any

from bson.binary import Binary
from pymongo import MongoClient, WriteConcern
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from holdfast.errors import DamagedBackup, NotAuthorized, StoreUnavailable
from holdfast.mongo.disk import free_bytes
from holdfast.mongo.errors import translate
from holdfast.ports import Labels
from holdfast.stores.patience import patiently

METADATA = "backupmetadatas"
DATA = "backupdatas"
CHUNKS = "chunks/"
_PART = 4 * 1024 * 1024
_PARTS = "parts/"
_LAST = "\U0010ffff"

Document = dict[str, Any]


class MongoStore:
    """Objects in two collections of ``database``. Written to a majority before a call returns."""

    def __init__(self, client: MongoClient[Document], database: str, *, origin: str) -> None:
        """``origin`` says in messages where the URI came from; ``client`` is closed with the store."""
        self._client, self._origin = client, origin
        self._database = client.get_database(
            database,
            write_concern=WriteConcern("majority", wtimeout=60_000),
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )
        self.address = f"MongoDB database {database!r} ({origin})"

    def create(self, key: str, data: bytes, labels: Labels | None = None) -> bool:
        # A write whose confirmation was lost finds its own object at the next try; its content is the same.
        return patiently(lambda: self._create(key, data, labels))

    def read(self, key: str) -> bytes | None:
        return patiently(lambda: self._read(key))

    def size(self, key: str) -> int | None:
        return patiently(lambda: self._size(key))

    def _create(self, key: str, data: bytes, labels: Labels | None) -> bool:
        collection = self._collection(key)
        document: Document = {"_id": key, **(labels or {}), "size": len(data), "createdAt": datetime.now(UTC)}
        with self._writing():
            if len(data) <= _PART:
                document["data"] = Binary(data)
            else:
                document["parts"] = self._write_parts(collection, data)
            try:
                collection.insert_one(document)
            except DuplicateKeyError:
                self._delete_parts(collection, document)
                return False
        return True

    def _read(self, key: str) -> bytes | None:
        collection = self._collection(key)
        with self._reading():
            document = collection.find_one({"_id": key})
            if document is None:
                return None
            if "parts" not in document:
                return bytes(document["data"])
            parts = {d["_id"]: d["data"] for d in collection.find({"_id": {"$in": document["parts"]}})}
        if len(parts) != len(document["parts"]):
            raise DamagedBackup(f"Object {key} in {self.address} has lost some of its parts.")
        return b"".join(bytes(parts[name]) for name in document["parts"])

    def _size(self, key: str) -> int | None:
        collection = self._collection(key)
        with self._reading():
            document = collection.find_one({"_id": key}, {"size": 1, "parts": 1})
            if document is None:
                return None
            parts = document.get("parts", ())
            if parts and collection.count_documents({"_id": {"$in": parts}}) != len(parts):
                return None
        return int(document["size"])

    def keys(self, prefix: str) -> Iterator[str]:
        return (document["_id"] for document in self._below(prefix, {"_id": 1}))

    def sizes(self, prefix: str) -> Iterator[tuple[str, int]]:
        return ((document["_id"], int(document["size"])) for document in self._below(prefix, {"size": 1}))

    def _below(self, prefix: str, fields: Document) -> Iterator[Document]:
        with self._reading():
            found = self._collection(prefix).find({"_id": {"$gte": prefix, "$lt": prefix + _LAST}}, fields)
            yield from found.sort("_id", 1)

    def delete(self, key: str) -> None:
        collection = self._collection(key)
        with self._writing():
            document = collection.find_one_and_delete({"_id": key}, {"parts": 1})
            if document:
                self._delete_parts(collection, document)

    def delete_many(self, keys: Sequence[str], before: Callable[[], object] = lambda: None) -> None:
        for chunks in (True, False):
            named = {"_id": {"$in": [key for key in keys if key.startswith(CHUNKS) is chunks]}}
            if not named["_id"]["$in"]:
                continue
            collection = self._collection(CHUNKS if chunks else "")
            with self._writing():
                parts = [part for one in collection.find(named, {"parts": 1}) for part in one.get("parts", ())]
                before()
                # First what makes them objects: without its parts, one would be damaged.
                collection.delete_many(named)
                self._delete_parts(collection, {"parts": parts})

    def check_writable(self) -> None:
        for prefix in ("probe/", f"{CHUNKS}probe/"):
            key = prefix + token_hex(8)
            self.create(key, b"Holdfast may write here.")
            self.delete(key)

    def free_bytes(self) -> int | None:
        with self._reading():
            return free_bytes(self._database)

    def close(self) -> None:
        self._client.close()

    def _reading(self) -> AbstractContextManager[None]:
        return translate(self._origin, StoreUnavailable, f"Reading from {self.address}")

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with translate(self._origin, StoreUnavailable, f"Writing to {self.address}"):
                yield
        except NotAuthorized as error:
            raise NotAuthorized(
                f"The user may not write to {self.address}.",
                hint=f"Give it the role readWrite on that database (collections {METADATA} and {DATA}).",
            ) from error

    def _collection(self, key: str) -> Collection[Document]:
        return self._database[DATA if key.startswith(CHUNKS) else METADATA]

    def _write_parts(self, collection: Collection[Document], data: bytes) -> list[str]:
        writer = token_hex(8)
        names = []
        for number, start in enumerate(range(0, len(data), _PART)):
            name = f"{_PARTS}{writer}/{number}"
            collection.insert_one(
                {"_id": name, "createdAt": datetime.now(UTC), "data": Binary(data[start : start + _PART])}
            )
            names.append(name)
        return names

    def _delete_parts(self, collection: Collection[Document], document: Document) -> None:
        if parts := document.get("parts"):
            collection.delete_many({"_id": {"$in": parts}})
