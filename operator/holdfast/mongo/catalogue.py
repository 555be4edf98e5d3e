"""What a database holds: collections, views and time-series, with options and indexes as the server sent them."""

from dataclasses import replace
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.database import Database
from pymongo.errors import OperationFailure

from holdfast.mongo.client import Document
from holdfast.mongo.errors import COMMAND_NOT_SUPPORTED_ON_VIEW, NAMESPACE_NOT_FOUND, UNAUTHORIZED
from holdfast.mongo.wire import RAW, batch_of
from holdfast.ports import CollectionInfo
from holdfast.repository.documents import elements

BUCKETS = "system.buckets."
_EMPTY = b"\x05\0\0\0\0"


def skipped(name: str) -> bool:
    """Names that mongodump leaves out too: the server's own collections, but for stored JavaScript."""
    return (name.startswith("system.") and name != "system.js") or "$" in name or name.startswith("__mdb_internal")


def list_collections(database: Database[Document], read_preference: Any) -> list[CollectionInfo]:
    """The catalogue, sorted by name. Raises the driver's errors."""
    found: dict[str, CollectionInfo] = {}
    buckets: dict[str, bytes] = {}
    for raw in _cursor(database, {"listCollections": 1}, read_preference):
        entry = RawBSONDocument(raw)
        name, kind = str(entry["name"]), str(entry["type"])
        options = bytes(entry["options"].raw) if "options" in entry else _EMPTY
        uuid = bytes(entry["info"]["uuid"]) if "uuid" in entry["info"] else None
        if name.startswith(BUCKETS) and uuid:
            buckets[name.removeprefix(BUCKETS)] = uuid
        if skipped(name) or kind not in ("collection", "view", "timeseries"):
            continue
        capped = any(field == b"capped" for _, field, _, _ in elements(options))
        found[name] = CollectionInfo(
            name=name,
            type=kind,  # type: ignore[arg-type]  # narrowed just above
            options=options,
            indexes=(),
            uuid=uuid,
            data_uuid=uuid,
            capped=capped,
        )
    return [
        _with_indexes(database, replace(info, data_uuid=buckets.get(name, info.data_uuid)), read_preference)
        for name, info in sorted(found.items())
    ]


def _with_indexes(database: Database[Document], info: CollectionInfo, read_preference: Any) -> CollectionInfo:
    if info.type == "view":
        return info
    try:
        return replace(info, indexes=tuple(_cursor(database, {"listIndexes": info.name}, read_preference)))
    except OperationFailure as error:
        if error.code in (NAMESPACE_NOT_FOUND, COMMAND_NOT_SUPPORTED_ON_VIEW):
            return replace(info, problem=f"Collection {info.name!r} was dropped while the catalogue was read.")
        if error.code == UNAUTHORIZED:
            return replace(
                info,
                problem=f"The user may not read collection {info.name!r} (listIndexes is refused). "
                "Give it the role `read` on the database, or `backup` on admin.",
            )
        raise


def _cursor(database: Database[Document], command: dict[str, Any], read_preference: Any) -> list[bytes]:
    with database.client.start_session() as session:
        reply = database.command(command, codec_options=RAW, session=session, read_preference=read_preference)
        cursor_id, documents = batch_of(reply)
        namespace = str(reply["cursor"]["ns"]).split(".", 1)[1]
        while cursor_id:
            more = {"getMore": cursor_id, "collection": namespace}
            reply = database.command(more, codec_options=RAW, session=session, read_preference=read_preference)
            cursor_id, batch = batch_of(reply)
            documents += batch
        return documents
