"""Reads a database's catalogue and documents as the bytes that the server sends."""

from collections.abc import Iterator
from typing import Any

from bson import CodecOptions, Int64
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database

from tests.support.rawbson import array_of_documents, field, sub_document

AnyDatabase = Database[dict[str, Any]]

_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_DOCUMENTS_A_BATCH = 100_000  # the server ends a batch at 16 MiB anyway


def collections(database: AnyDatabase) -> Iterator[bytes]:
    """The answers of listCollections, one document a collection, view or time-series."""
    return _batches_of(database, {"listCollections": 1}, "$cmd.listCollections")


def indexes(database: AnyDatabase, collection: str) -> Iterator[bytes]:
    """The answers of listIndexes; raises OperationFailure for a view."""
    return _batches_of(database, {"listIndexes": collection}, collection)


def documents(database: AnyDatabase, collection: str, *, natural: bool = False) -> Iterator[bytes]:
    """All documents of a collection in `_id` order, or in the order in which they are stored."""
    order = {"$natural": 1} if natural else {"_id": 1}
    command = {"find": collection, "hint": order, "sort": order, "batchSize": _DOCUMENTS_A_BATCH}
    return _batches_of(database, command, collection)


def _batches_of(database: AnyDatabase, command: dict[str, Any], collection: str) -> Iterator[bytes]:
    # A cursor belongs to the session that opened it, and pymongo makes a new one for each command.
    with database.client.start_session() as session:
        reply = _run(database, command, session)
        yield from array_of_documents(sub_document(reply, "cursor", "firstBatch"))
        while cursor := _cursor_id(reply):
            more = {"getMore": Int64(cursor), "collection": collection, "batchSize": _DOCUMENTS_A_BATCH}
            reply = _run(database, more, session)
            yield from array_of_documents(sub_document(reply, "cursor", "nextBatch"))


def _run(database: AnyDatabase, command: dict[str, Any], session: ClientSession) -> bytes:
    return bytes(database.command(command, session=session, codec_options=_RAW).raw)


def _cursor_id(reply: bytes) -> int:
    found = field(sub_document(reply, "cursor"), "id")
    if found is None:
        raise KeyError("id")
    return int.from_bytes(found.value, "little", signed=True)
