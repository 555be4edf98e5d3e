"""The little BSON that the format needs."""

import re
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import BSON, Binary, Code, DBRef, Decimal128, Int64, MaxKey, MinKey, ObjectId, Regex, Timestamp, encode
from bson.raw_bson import RawBSONDocument
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import DamagedBackup
from holdfast.repository.documents import elements, id_bytes, split

EVERY_TYPE: dict[str, Any] = {
    "double": 1.5,
    "string": "zażółć",
    "document": {"a": {"b": 1}},
    "array": [1, "two", {"three": 3}],
    "binary": Binary(b"\0\1", 128),
    "old binary": Binary(b"\0\1", 2),
    "ObjectId": ObjectId(),
    "boolean": True,
    "date": datetime(2026, 11, 23, tzinfo=UTC),
    "null": None,
    "regex": Regex("^a\\.b$", re.IGNORECASE),
    "reference": DBRef("c", 1),
    "code": Code("f()"),
    "code with scope": Code("f()", {"x": 1}),
    "int32": 7,
    "timestamp": Timestamp(1, 2),
    "int64": Int64(2**40),
    "decimal": Decimal128("0.1"),
    "min": MinKey(),
    "max": MaxKey(),
}
# The driver can no longer write these; a server still gives them.
DEPRECATED = {
    "undefined": (0x06, b""),
    "dbPointer": (0x0C, struct.pack("<i", 3) + b"ab\0" + b"\1" * 12),
    "symbol": (0x0E, struct.pack("<i", 3) + b"ab\0"),
}


def raw(*fields: tuple[int, bytes, bytes]) -> bytes:
    body = b"".join(bytes((kind,)) + name + b"\0" + value for kind, name, value in fields)
    return struct.pack("<i", len(body) + 5) + body + b"\0"


@pytest.mark.parametrize("name", EVERY_TYPE)
def test_an_element_of_each_type_ends_where_the_next_begins(name: str) -> None:
    document = encode({name: EVERY_TYPE[name], "after": 1})
    assert [field.decode() for _, field, _, _ in elements(document)] == [name, "after"]


@pytest.mark.parametrize("name", DEPRECATED)
def test_deprecated_types_are_read_too(name: str) -> None:
    kind, value = DEPRECATED[name]
    document = raw((kind, name.encode(), value), (0x10, b"after", b"\1\0\0\0"))
    assert [field.decode() for _, field, _, _ in elements(document)] == [name, "after"]


def test_the_id_is_found_wherever_it_stands() -> None:
    first = encode({"_id": 5, "a": 1})
    last = bytes(RawBSONDocument(encode({"a": 1, "_id": 5})).raw)
    assert id_bytes(first) == id_bytes(last)


def test_ids_of_two_types_with_the_same_bytes_differ() -> None:
    assert id_bytes(encode({"_id": Int64(5)})) != id_bytes(encode({"_id": Timestamp(0, 5)}))


def test_a_document_without_an_id_stands_for_itself() -> None:
    document = encode({"a": 1})
    assert id_bytes(document) == document


@given(
    st.lists(
        st.dictionaries(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(-5, 5)),
        max_size=8,
    )
)
def test_a_chunk_splits_into_the_documents_it_was_made_of(values: list[dict[str, int]]) -> None:
    parts = [encode(value) for value in values]
    assert list(split(b"".join(parts))) == parts


@pytest.mark.parametrize("damage", [b"\x04\0\0\0", b"\xff\0\0\0\0", b"\x05", b"\xfb\xff\xff\xff\0"])
def test_bytes_that_are_no_documents_are_damage(damage: bytes) -> None:
    with pytest.raises(DamagedBackup):
        list(split(BSON(encode({"a": 1})) + damage))


def test_an_unknown_type_is_damage() -> None:
    with pytest.raises(DamagedBackup):
        list(elements(raw((0x55, b"a", b""))))
