"""Read documents as the bytes that came over the wire.

The driver would make one object for each document of a batch; that takes most of the time of a fast reader. So the
``find`` and ``getMore`` commands are sent as they are, the reply is left undecoded, and its batch is cut by hand.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any

from bson.codec_options import CodecOptions
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.database import Database
from pymongo.errors import PyMongoError

from holdfast.mongo.client import Document
from holdfast.repository.documents import elements

RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument)
_INT32 = Struct("<i")
_INT64 = Struct("<q")
_FIRST_BATCH = 1_000
"""Documents: how large they are is not known yet."""
BATCH_BYTES = 4 * 1024 * 1024
"""About this much is asked for at once. The server would send 16 MB; less is quicker, for it stays in caches."""
_USUAL_DOCUMENT = 500


def find(
    database: Database[Document],
    session: ClientSession,
    command: dict[str, Any],
    read_preference: Any,
    *,
    batch_bytes: int = BATCH_BYTES,
) -> Iterator[list[bytes]]:
    """Run a ``find`` (or another command that opens a cursor) and yield its batches. Raises the driver's errors."""
    cursor_id, namespace = 0, command["find"]
    first = max(1, min(_FIRST_BATCH, batch_bytes // _USUAL_DOCUMENT))
    try:
        reply = database.command(
            command | {"batchSize": first},
            codec_options=RAW,
            session=session,
            read_preference=read_preference,
        )
        cursor_id, documents = batch_of(reply)
        while True:
            if documents:
                yield documents
            if cursor_id == 0:
                return
            size = max(1, batch_bytes * len(documents) // max(1, sum(map(len, documents))))
            more = {"getMore": Int64(cursor_id), "collection": namespace, "batchSize": size}
            reply = database.command(more, codec_options=RAW, session=session, read_preference=read_preference)
            cursor_id, documents = batch_of(reply)
    finally:
        if cursor_id:
            _kill(database, session, namespace, cursor_id, read_preference)


def batch_of(reply: RawBSONDocument) -> tuple[int, list[bytes]]:
    """The id of the cursor (0 when it is exhausted) and the raw documents of a reply."""
    cursor = bytes(reply["cursor"].raw)
    cursor_id, documents = 0, []
    for _, name, start, _end in elements(cursor):
        if name == b"id":
            cursor_id = _INT64.unpack_from(cursor, start)[0]
        elif name in (b"firstBatch", b"nextBatch"):
            documents = _array_documents(cursor, start)
    return cursor_id, documents


def _array_documents(data: bytes, start: int) -> list[bytes]:
    """The documents of a BSON array: each is a type byte, its index in decimal digits, a zero byte, the document."""
    documents: list[bytes] = []
    append, unpack = documents.append, _INT32.unpack_from
    position, digits, limit, index = start + 4, 1, 10, 0
    while data[position]:
        position += digits + 2
        end = position + unpack(data, position)[0]
        append(data[position:end])
        position = end
        index += 1
        if index == limit:
            digits, limit = digits + 1, limit * 10
    return documents


def _kill(
    database: Database[Document], session: ClientSession, collection: str, cursor_id: int, preference: Any
) -> None:
    try:
        database.command(
            {"killCursors": collection, "cursors": [Int64(cursor_id)]},
            session=session,
            read_preference=preference,
        )
    except PyMongoError:
        return  # the server ends an idle cursor by itself
