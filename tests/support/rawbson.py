"""BSON as bytes: where the fields of a document lie, without decoding them (https://bsonspec.org/spec.html).

Written for the comparer alone, so that it does not share the mistakes of the code that it checks.
"""

from collections.abc import Iterator
from struct import unpack_from
from typing import NamedTuple

_FIXED_SIZES = {
    0x01: 8,  # double
    0x06: 0,  # undefined
    0x07: 12,  # object id
    0x08: 1,  # boolean
    0x09: 8,  # date
    0x0A: 0,  # null
    0x10: 4,  # int32
    0x11: 8,  # timestamp
    0x12: 8,  # int64
    0x13: 16,  # decimal128
    0x7F: 0,  # max key
    0xFF: 0,  # min key
}
_STRINGS = (0x02, 0x0D, 0x0E)
_DOCUMENTS = (0x03, 0x04)
_BINARY, _REGEX, _DB_POINTER, _SCOPED_CODE = 0x05, 0x0B, 0x0C, 0x0F


class Field(NamedTuple):
    """One field of a document: its type byte and the bytes of its value."""

    name: str
    kind: int
    value: bytes


def fields(document: bytes) -> Iterator[Field]:
    """The top-level fields in their order, doubled names included; raises ValueError at an unknown type."""
    position = 4
    while kind := document[position]:
        end_of_name = document.index(0, position + 1)
        name = document[position + 1 : end_of_name].decode("utf-8", "surrogateescape")
        start = end_of_name + 1
        position = start + _size(document, kind, start)
        yield Field(name, kind, document[start:position])


def field(document: bytes, name: str) -> Field | None:
    """The first top-level field of this name, if there is one."""
    return next((found for found in fields(document) if found.name == name), None)


def sub_document(document: bytes, *path: str) -> bytes:
    """The document or array at the end of a path of names; raises KeyError if there is none."""
    for name in path:
        found = field(document, name)
        if found is None or found.kind not in _DOCUMENTS:
            raise KeyError(name)
        document = found.value
    return document


def array_of_documents(array: bytes) -> Iterator[bytes]:
    """The elements of an array that holds nothing but documents, as it does in a cursor's batch."""
    position = 4
    end = len(array) - 1
    while position < end:
        start = array.index(0, position + 1) + 1
        position = start + unpack_from("<i", array, start)[0]
        yield array[start:position]


def _size(document: bytes, kind: int, start: int) -> int:
    if kind in _FIXED_SIZES:
        return _FIXED_SIZES[kind]
    if kind == _REGEX:
        return document.index(0, document.index(0, start) + 1) + 1 - start
    length: int = unpack_from("<i", document, start)[0]
    if kind in _DOCUMENTS or kind == _SCOPED_CODE:
        return length
    if kind in _STRINGS:
        return 4 + length
    if kind == _BINARY:
        return 5 + length
    if kind == _DB_POINTER:
        return 4 + length + 12
    raise ValueError(f"unknown BSON type 0x{kind:02x} at byte {start}")
