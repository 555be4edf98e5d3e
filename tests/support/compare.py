"""The strict comparer: are two databases the same, byte for byte?

    before = snapshot_of(client.timetrack)
    ...
    assert differences(before, snapshot_of(client.restored)) == []

Nothing is decoded on the way from the server to the hash, so a value that changed its type, fields that changed
places and a doubled field name are all seen. What is not compared: collection UUIDs, the order of indexes, and
anything outside the database.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, zip_longest

from tests.support import raw_reader, rawbson
from tests.support.raw_reader import AnyDatabase
from tests.support.value_text import text_of

OWN_COLLECTIONS = ("backupmetadatas", "backupdatas")
KEPT_DIGESTS = 50_000
"""Documents of a collection up to which all hashes are kept; a larger one is read again to name a difference."""
LOOK_AHEAD = 1_000
"""How many documents may be missing in one place before the message only says where."""
MODULUS = 1 << 256

Digest = tuple[bytes, bytes]
"""A document in short: the bytes of its `_id` (type first), and its SHA-256."""


@dataclass(frozen=True)
class CollectionImage:
    """What one collection, view or time-series was like.

    `ordered` is the SHA-256 of all documents in their order: by `_id`, capped ones as they are stored. `unordered`
    is the sum of their SHA-256 modulo 2^256.
    """

    name: str
    kind: str
    options: bytes
    indexes: Mapping[str, bytes]
    count: int
    size: int
    ordered: bytes
    unordered: int
    digests: tuple[Digest, ...] | None = field(repr=False)


@dataclass(frozen=True)
class DatabaseImage:
    """What a database was like, by name of collection; `source` is where it can be read again."""

    source: AnyDatabase
    collections: Mapping[str, CollectionImage]


def snapshot_of(
    database: AnyDatabase, collections: Collection[str] | None = None, *, skip: Collection[str] = ()
) -> DatabaseImage:
    """The image of a database that nobody writes to meanwhile: all collections, or those named, less `skip`.

    System collections are left out, except `system.js`, and the buckets of a time-series stand for its documents.
    To leave out a repository's own collections beside the source, skip OWN_COLLECTIONS.
    """
    images = {}
    for entry in raw_reader.collections(database):
        name, kind = _text(entry, "name"), _text(entry, "type")
        is_wanted = name not in skip and (collections is None or name in collections)
        if is_wanted and (not name.startswith("system.") or name == "system.js"):
            images[name] = _image(database, name, kind, rawbson.sub_document(entry, "options"))
    return DatabaseImage(database, images)


def differences(a: DatabaseImage, b: DatabaseImage, rename: Mapping[str, str] | None = None) -> list[str]:
    """What differs, in sentences; empty if nothing does. `rename` maps names in `a` to names in `b`.

    A view that reads a renamed collection is expected to be unchanged.
    """
    rename = rename or {}
    found: list[str] = []
    expected = {rename.get(name, name): image for name, image in a.collections.items()}
    for name, image in expected.items():
        if name in b.collections:
            found += _between(a.source, image, b.source, b.collections[name])
        else:
            found.append(f"{name}: is missing ({image.kind}, {image.count} documents)")
    found += [f"{name}: was not there before" for name in b.collections if name not in expected]
    return found


def _image(database: AnyDatabase, name: str, kind: str, options: bytes) -> CollectionImage:
    indexes = {} if kind == "view" else {_text(spec, "name"): spec for spec in raw_reader.indexes(database, name)}
    image = CollectionImage(name, kind, options, indexes, 0, 0, b"", 0, ())
    ordered = hashlib.sha256()
    count = size = unordered = 0
    kept: list[Digest] | None = []
    for document in _documents(database, image):
        digest = hashlib.sha256(document).digest()
        ordered.update(document)
        unordered += int.from_bytes(digest, "big")
        count += 1
        size += len(document)
        if kept is not None:
            kept.append((_id_of(document), digest))
            if count > KEPT_DIGESTS:
                kept = None
    digests = None if kept is None else tuple(kept)
    return CollectionImage(name, kind, options, indexes, count, size, ordered.digest(), unordered % MODULUS, digests)


def _documents(database: AnyDatabase, image: CollectionImage) -> Iterator[bytes]:
    if image.kind == "view":
        return iter(())
    if image.kind == "timeseries":
        # Kept in the order of their ids; a MongoDB 5.0 can be asked for that order in no other way.
        return raw_reader.documents(database, f"system.buckets.{image.name}", natural=True)
    return raw_reader.documents(database, image.name, natural=rawbson.field(image.options, "capped") is not None)


def _between(source_a: AnyDatabase, a: CollectionImage, source_b: AnyDatabase, b: CollectionImage) -> Iterator[str]:
    if a.kind != b.kind:
        yield f"{b.name}: is a {b.kind}, was a {a.kind}"
        return
    yield from _option_differences(b.name, a.options, b.options)
    for name in sorted(a.indexes.keys() | b.indexes.keys()):
        if name not in b.indexes:
            yield f"{b.name}: index {name} is missing"
        elif name not in a.indexes:
            yield f"{b.name}: index {name} was not there before"
        else:
            yield from _index_differences(f"{b.name}: index {name}", a.indexes[name], b.indexes[name])
    if a.count != b.count:
        yield f"{b.name}: has {b.count} documents, had {a.count}"
    if a.unordered != b.unordered or a.count != b.count:
        yield f"{b.name}: {_first_difference(_digests(source_a, a), _digests(source_b, b))}"
    elif a.ordered != b.ordered:
        yield f"{b.name}: holds the same documents in another order"


def _option_differences(name: str, a: bytes, b: bytes) -> Iterator[str]:
    seen = False
    for difference in _field_differences(f"{name}: option", a, b):
        seen = True
        yield difference
    if a != b and not seen:
        yield f"{name}: the options come in another order"


def _index_differences(where: str, a: bytes, b: bytes) -> Iterator[str]:
    is_version_known = rawbson.field(a, "v") is not None and rawbson.field(b, "v") is not None
    yield from _field_differences(f"{where}: option", a, b, ignored=() if is_version_known else ("v",))


def _field_differences(where: str, a: bytes, b: bytes, ignored: Collection[str] = ()) -> Iterator[str]:
    """Fields whose bytes differ. Their own order does not count, the order inside of them does."""
    fields_a = {each.name: each for each in rawbson.fields(a) if each.name not in ignored}
    fields_b = {each.name: each for each in rawbson.fields(b) if each.name not in ignored}
    for name in sorted(fields_a.keys() | fields_b.keys()):
        if fields_a.get(name) != fields_b.get(name):
            yield f"{where} {name} is {text_of(fields_b.get(name))}, was {text_of(fields_a.get(name))}"


def _digests(source: AnyDatabase, image: CollectionImage) -> Iterator[Digest]:
    if image.digests is not None:
        yield from image.digests
        return
    for document in _documents(source, image):
        yield _id_of(document), hashlib.sha256(document).digest()


def _first_difference(a: Iterator[Digest], b: Iterator[Digest]) -> str:
    for position, (one, other) in enumerate(zip_longest(a, b)):
        if one == other:
            continue
        if one and other and one[0] == other[0]:
            return f"the document with _id {_id_text(one)} differs"
        if one and (other is None or _comes_up(other, a)):
            return f"the document with _id {_id_text(one)} is missing"
        if other and (one is None or _comes_up(one, b)):
            return f"the document with _id {_id_text(other)} was not there before"
        return f"document {position} has the _id {_id_text(other)}, had {_id_text(one)}"
    return "the documents differ; which ones cannot be told, as the data changed since its image was taken"


def _comes_up(wanted: Digest, ahead: Iterator[Digest]) -> bool:
    return any(key == wanted[0] for key, _ in islice(ahead, LOOK_AHEAD))


def _id_of(document: bytes) -> bytes:
    found = rawbson.field(document, "_id")
    return b"" if found is None else bytes([found.kind]) + found.value


def _id_text(digest: Digest | None) -> str:
    key = digest[0] if digest else b""
    return text_of(rawbson.Field("_id", key[0], key[1:]) if key else None)


def _text(document: bytes, name: str) -> str:
    found = rawbson.field(document, name)
    if found is None:
        raise KeyError(name)
    return found.value[4:-1].decode()
