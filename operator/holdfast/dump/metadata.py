"""What mongodump writes of a collection beside its documents: ``NAME.metadata.json``, and its file names."""

from base64 import urlsafe_b64encode
from hashlib import sha1
from json.encoder import encode_basestring as quote
from urllib.parse import quote_plus

from holdfast.dump.extended_json import Lost, to_json
from holdfast.dump.extended_json_reader import Pairs, parse, to_bson
from holdfast.errors import DamagedDump
from holdfast.ports import CollectionInfo, CollectionType
from holdfast.repository.documents import elements

BUCKETS = "system.buckets."
_EMPTY = b"\x05\0\0\0\0"
_LONGEST = 238
_KEPT = 208


def data_name(collection: CollectionInfo) -> str:
    """Where the documents are: a time-series collection keeps them in its buckets."""
    return BUCKETS + collection.name if collection.type == "timeseries" else collection.name


def file_name(collection: str) -> str:
    """The name of a collection's file without its ending, as ``url.QueryEscape`` of Go gives it; long ones are cut and
    end in a hash of the whole name."""
    escaped = quote_plus(collection, safe="")
    if len(escaped) <= _LONGEST:
        return escaped
    digest = urlsafe_b64encode(sha1(collection.encode(), usedforsecurity=False).digest()).rstrip(b"=").decode()
    return f"{escaped[:_KEPT]}%24{digest}"


def write_metadata(collection: CollectionInfo, lost: Lost) -> str:
    """One line; the keys stand in the order that mongodump gives them."""
    parts = []
    if collection.options not in (b"", _EMPTY):
        parts.append(f'"options":{to_json(collection.options, lost)}')
    parts.append(f'"indexes":[{",".join(to_json(index, lost) for index in collection.indexes)}]')
    if collection.uuid and collection.type == "collection":
        parts.append(f'"uuid":"{collection.uuid.hex()}"')
    parts.append(f'"collectionName":{quote(collection.name)}')
    parts.append(f'"type":"{collection.type}"')
    return "{" + ",".join(parts) + "}"


def read_metadata(text: str, name: str) -> CollectionInfo:
    """The collection that a metadata file tells of; ``name`` where the file does not say it (tools before 100.0).

    DamagedDump if it cannot be read.
    """
    try:
        parsed = parse(text)
        if not isinstance(parsed, Pairs):
            raise TypeError("no object")
        fields = dict(parsed)
        options = to_bson(fields.get("options") or Pairs())
        indexes = tuple(to_bson(index) for index in fields.get("indexes") or ())
        uuid = bytes.fromhex(fields["uuid"]) if fields.get("uuid") else None
        name = str(fields.get("collectionName") or name)
        kind = _kind(str(fields.get("type") or ""), options)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DamagedDump(f"The metadata of collection {name!r} cannot be read.") from error
    return CollectionInfo(
        name=name,
        type=kind,
        options=options,
        indexes=indexes,
        uuid=uuid,
        capped=any(field == b"capped" for _, field, _, _ in elements(options)),
    )


def _kind(said: str, options: bytes) -> CollectionType:
    """Tools before 100.5 did not say it. ValueError if it is none that we know."""
    names = {field for _, field, _, _ in elements(options)}
    kinds: dict[str, CollectionType] = {"collection": "collection", "view": "view", "timeseries": "timeseries"}
    if said and said not in kinds:
        raise ValueError(f"no type {said!r} is known")
    return kinds.get(said, "view" if b"viewOn" in names else "timeseries" if b"timeseries" in names else "collection")
