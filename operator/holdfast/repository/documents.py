"""Just enough BSON to cut a stream of documents without decoding it.

A document is never decoded and encoded again: that would reorder fields and drop duplicates. The facts are those of
the BSON specification, version 1.1 (bsonspec.org).
"""

import struct
from collections.abc import Callable, Iterator
from itertools import pairwise
from struct import Struct

from holdfast.errors import DamagedBackup

_INT32 = Struct("<i")
_MINIMUM_SIZE = 5
_OBJECT_ID = 0x07
_TEXT = 0x02
_ID_NAME = b"_id\0"


def _fixed(size: int) -> Callable[[bytes, int], int]:
    return lambda _data, position: position + size


def _string(data: bytes, position: int) -> int:
    return position + 4 + int(_INT32.unpack_from(data, position)[0])


def _sized(data: bytes, position: int) -> int:
    return position + int(_INT32.unpack_from(data, position)[0])


def _binary(data: bytes, position: int) -> int:
    return position + 5 + int(_INT32.unpack_from(data, position)[0])


def _regular_expression(data: bytes, position: int) -> int:
    return data.index(0, data.index(0, position) + 1) + 1


def _db_pointer(data: bytes, position: int) -> int:
    return _string(data, position) + 12


_VALUE_END: dict[int, Callable[[bytes, int], int]] = {
    0x01: _fixed(8),  # double
    0x02: _string,
    0x03: _sized,  # document
    0x04: _sized,  # array
    0x05: _binary,
    0x06: _fixed(0),  # undefined
    0x07: _fixed(12),  # ObjectId
    0x08: _fixed(1),  # boolean
    0x09: _fixed(8),  # UTC date
    0x0A: _fixed(0),  # null
    0x0B: _regular_expression,
    0x0C: _db_pointer,
    0x0D: _string,  # JavaScript
    0x0E: _string,  # symbol
    0x0F: _sized,  # JavaScript with scope
    0x10: _fixed(4),  # int32
    0x11: _fixed(8),  # timestamp
    0x12: _fixed(8),  # int64
    0x13: _fixed(16),  # decimal128
    0x7F: _fixed(0),  # MaxKey
    0xFF: _fixed(0),  # MinKey
}


def elements(document: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """The top-level elements of a document: type, name, and where the value starts and ends.

    DamagedBackup if the bytes are not a BSON document.
    """
    position = 4
    try:
        while (kind := document[position]) != 0:
            name_end = document.index(0, position + 1)
            name = document[position + 1 : name_end]
            end = _VALUE_END[kind](document, name_end + 1)
            yield kind, name, name_end + 1, end
            position = end
    except (IndexError, KeyError, ValueError, OSError) as error:
        raise DamagedBackup("A document is not valid BSON.") from error
    if position + 1 != len(document):
        raise DamagedBackup("A document is not valid BSON: bytes follow its end.")


def id_bytes(document: bytes) -> bytes:
    """The type and value of ``_id``; the whole document where it has none (bucket and system collections may not)."""
    if document[4] == _OBJECT_ID and document[5:9] == _ID_NAME:
        return document[9:21]
    for kind, name, start, end in elements(document):
        if name == b"_id":
            return bytes((kind,)) + document[start:end]
    return document


def text_field(document: bytes, name: str) -> str | None:
    """The value of a top-level string."""
    for kind, found, start, end in elements(document):
        if kind == _TEXT and found == name.encode():
            return document[start + 4 : end - 1].decode(errors="replace")
    return None


def with_text_field(document: bytes, name: str, value: str) -> bytes:
    """The document with another value in a top-level string that it has; nothing else of it is touched."""
    text = value.encode() + b"\0"
    for kind, found, start, end in elements(document):
        if kind == _TEXT and found == name.encode():
            body = document[4:start] + _INT32.pack(len(text)) + text + document[end:]
            return _INT32.pack(len(body) + 4) + body
    return document


def unordered(document: bytes) -> bytes:
    """Something that is equal for documents that differ in the order of fields only, at any depth."""
    return b"".join(sorted(_unordered_elements(document)))


def _unordered_elements(document: bytes) -> Iterator[bytes]:
    for kind, name, start, end in elements(document):
        value = document[start:end]
        if kind in (0x03, 0x04):  # the names in an array are its positions
            value = unordered(value)
        yield _INT32.pack(len(value)) + bytes((kind,)) + name + b"\0" + value


def bounds(data: bytes, until: int | None = None) -> list[int]:
    """Where each document of a chunk begins, and where the last one ends; or only of those that begin before ``until``.
    DamagedBackup if lengths do not add up."""
    position, total = 0, len(data)
    last = total if until is None else min(until, total)
    found = [0]
    append, unpack = found.append, _INT32.unpack_from
    try:
        while position < last:
            (size,) = unpack(data, position)
            if size < _MINIMUM_SIZE:
                break
            position += size
            append(position)
    except struct.error:  # fewer bytes than a length takes
        pass
    if position < last or position > total:
        begin = position if position < total else found[-2]
        raise DamagedBackup(f"A chunk is not a series of BSON documents: byte {begin} of {total}.")
    return found


def split(data: bytes) -> Iterator[bytes]:
    """The documents of a chunk, one after the other. DamagedBackup if lengths do not add up."""
    return (data[start:end] for start, end in pairwise(bounds(data)))
