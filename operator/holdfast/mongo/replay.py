"""Operations of an oplog, done once more: writes by ``applyOps``, all else by the command that it came from."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.errors import OperationFailure

from holdfast.domain.oplog import BUCKETS, Operation
from holdfast.domain.restoring import STATE
from holdfast.errors import CollectionFailed, NotAuthorized, OperationFailed, SourceUnavailable
from holdfast.mongo.apply_ops import applicable
from holdfast.mongo.client import Client
from holdfast.mongo.errors import NAMESPACE_EXISTS, NAMESPACE_NOT_FOUND, translate

NEVER = 2_147_483_647
"""Seconds. What expires is to be there when the replay comes to it."""
_INDEX_NOT_FOUND = 27
_AGAIN = {
    "create": {NAMESPACE_EXISTS}, "createView": {NAMESPACE_EXISTS}, "rename": {NAMESPACE_NOT_FOUND},
    "drop": {NAMESPACE_NOT_FOUND}, "dropView": {NAMESPACE_NOT_FOUND}, "dropIndexes": {_INDEX_NOT_FOUND},
}  # fmt: skip
"""What the server says of that which is done already."""


class MongoReplayer:
    """Implements :class:`holdfast.ports.Replayer`."""

    def __init__(self, client: Client, database: str, *, origin: str) -> None:
        self._client, self._name, self._origin = client, database, origin
        self._db = client.get_database(database)

    def write(self, operations: Sequence[Operation], note: str, content: Mapping[str, str]) -> None:
        batch: list[Any] = [applicable(self._name, one) for one in operations]
        # In the same command, which the server does whole or not at all: none of it is ever done twice.
        batch.append(
            {"op": "u", "ns": f"{self._name}.{STATE}", "o2": {"_id": note}, "o": {"_id": note, **content}, "b": True}
        )
        names = ", ".join(sorted({one.collection for one in operations})[:5])
        with self._translated(f"Repeating changes of {names or 'nothing'}"):
            # An update of a document that is not there is an error: it would not be if all was as it was.
            # What was written past a validator then is written past it now.
            how = {"alwaysUpsert": False, "bypassDocumentValidation": True}
            self._client.admin.command({"applyOps": batch, **how})

    def change(self, operation: Operation, *, again: bool) -> None:
        with self._translated(f"Repeating {operation.kind} of {operation.collection!r}"):
            try:
                self._change(operation)
            except OperationFailure as error:
                if not (again and error.code in _AGAIN.get(operation.kind, ())):
                    raise

    def expire(self, collection: str, index: str, seconds: int) -> None:
        value = seconds if seconds <= NEVER else Int64(seconds)
        what: dict[str, Any] = {"index": {"name": index, "expireAfterSeconds": value}} if index else {
            "expireAfterSeconds": Int64(seconds)
        }  # fmt: skip
        with self._translated(f"Letting documents of {collection!r} expire"):
            self._db.command({"collMod": collection, **what})

    def close(self) -> None:
        self._client.close()

    def _change(self, one: Operation) -> None:
        name, series = one.collection, one.collection.removeprefix(BUCKETS)
        fields = dict(RawBSONDocument(one.body)) if one.body else {}
        if one.kind == "create":
            for own in ("create", "idIndex", "temp"):
                fields.pop(own, None)
            if name != series:  # the server makes the buckets, their validator and their key from this
                fields = {
                    key: fields[key] for key in ("timeseries", "expireAfterSeconds", "collation") if key in fields
                }
            fields.pop("expireAfterSeconds", None)
            self._db.command({"create": series, **fields})
        elif one.kind == "createView":
            fields.pop("_id")
            self._db.command({"create": name, **fields})
        elif one.kind == "changeView":
            self._db.command({"collMod": name, "viewOn": fields["viewOn"], "pipeline": fields["pipeline"]})
        elif one.kind in ("drop", "dropView"):
            self._db.command({"drop": series})
        elif one.kind == "rename":
            source, to = f"{self._name}.{name}", f"{self._name}.{one.to}"
            self._client.admin.command({"renameCollection": source, "to": to, "dropTarget": one.replaces})
        elif one.kind == "collMod":
            self._modify(series, fields)
        elif one.kind == "createIndexes":
            self._db.command({"createIndexes": name, "indexes": [_index(raw) for raw in one.indexes]})
        elif one.kind == "dropIndexes":
            self._db.command({"dropIndexes": name, "index": fields["index"]})
        else:
            raise AssertionError(one.kind)

    def _modify(self, name: str, fields: dict[str, Any]) -> None:
        fields.pop("collMod")
        fields.pop("expireAfterSeconds", None)
        if "index" in fields:
            fields["index"] = dict(fields["index"])
            if "expireAfterSeconds" in fields["index"]:
                fields["index"]["expireAfterSeconds"] = NEVER
        if fields:
            self._db.command({"collMod": name, **fields})

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        try:
            with translate(self._origin, SourceUnavailable, action):
                yield
        except NotAuthorized as error:
            raise NotAuthorized(
                error.message,
                hint=f"Give the user readWrite on {self._name!r} and the role `restore` on admin.",
            ) from error
        except OperationFailed as error:
            if type(error) is not OperationFailed:
                raise
            raise CollectionFailed(error.message, hint="Do not use what was restored.") from error


def _index(raw: bytes) -> dict[str, Any]:
    """As it was. Without a collation it had the simple one, whatever the default of its collection."""
    fields = dict(RawBSONDocument(raw))
    fields.pop("ns", None)
    fields.setdefault("collation", {"locale": "simple"})
    if "expireAfterSeconds" in fields:
        fields["expireAfterSeconds"] = NEVER
    return fields
