"""Documents of every kind that a server takes, as bytes: what a driver would never write, too.

Nothing here is encoded by a driver, which would put `_id` first, drop doubled names and quiet NaNs.
"""

from collections.abc import Callable, Iterator
from struct import pack
from typing import Any

from bson.raw_bson import RawBSONDocument
from hypothesis import strategies as st
from pymongo.database import Database

LARGEST = 16 * 1024 * 1024
"""Bytes of a document, the server's limit (MongoDB manual, "MongoDB Limits and Thresholds")."""

Element = bytes
"""Type byte, name and value."""


def document(*elements: Element) -> bytes:
    body = b"".join(elements)
    return pack("<i", len(body) + 5) + body + b"\0"


def element(kind: int, name: str, value: bytes) -> Element:
    return bytes((kind,)) + name.encode() + b"\0" + value


def text(value: str | bytes) -> bytes:
    raw = value.encode() if isinstance(value, str) else value
    return pack("<i", len(raw) + 1) + raw + b"\0"


def int32(name: str, value: int) -> Element:
    return element(0x10, name, pack("<i", value))


def string(name: str, value: str) -> Element:
    return element(0x02, name, text(value))


def binary(subtype: int, raw: bytes) -> bytes:
    if subtype == 2:  # the old form holds its length twice
        raw = pack("<i", len(raw)) + raw
    return pack("<i", len(raw)) + bytes((subtype,)) + raw


def nested(depth: int) -> bytes:
    inner = document(int32("bottom", 1))
    for _ in range(depth):
        inner = document(element(0x03, "d", inner))
    return inner


OBJECT_ID = bytes(range(12))
VALUES: dict[str, tuple[int, bytes]] = {
    "double": (0x01, pack("<d", 1.5)),
    "minus zero": (0x01, pack("<d", -0.0)),
    "infinity": (0x01, pack("<d", float("inf"))),
    "quiet NaN": (0x01, bytes.fromhex("000000000000f87f")),
    "NaN with a payload": (0x01, bytes.fromhex("efbeadde0000f8ff")),
    "signalling NaN": (0x01, bytes.fromhex("010000000000f07f")),
    "smallest double": (0x01, bytes.fromhex("0100000000000000")),
    "string": (0x02, text("grüße 漢字 🎉")),
    "string with zero bytes": (0x02, text(b"a\0b\0")),
    "empty string": (0x02, text("")),
    "document": (0x03, document(int32("a", 1), string("b", "x"))),
    "document with doubled names": (0x03, document(int32("a", 1), int32("a", 2))),
    "empty document": (0x03, document()),
    "deep": (0x03, nested(150)),
    "array": (0x04, document(int32("0", 1), string("1", "two"), element(0x0A, "2", b""))),
    "empty array": (0x04, document()),
    "array with odd indexes": (0x04, document(int32("7", 1), int32("x", 2))),
    **{f"binary {subtype:#x}": (0x05, binary(subtype, bytes(16))) for subtype in (0, 1, 2, 3, 4, 5, 0x80, 0xFF)},
    "undefined": (0x06, b""),
    "ObjectId": (0x07, OBJECT_ID),
    "true": (0x08, b"\1"),
    "false": (0x08, b"\0"),
    "date": (0x09, pack("<q", 1_764_000_000_000)),
    "date before Christ": (0x09, pack("<q", -99_999_999_999_999)),
    "greatest date": (0x09, pack("<q", 2**63 - 1)),
    "null": (0x0A, b""),
    "regular expression": (0x0B, b"^a.*b$\0imsx\0"),
    "empty regular expression": (0x0B, b"\0\0"),
    "DBPointer": (0x0C, text("db.c") + OBJECT_ID),
    "JavaScript": (0x0D, text("function () { return 1 }")),
    "symbol": (0x0E, text("symbol")),
    "JavaScript with scope": (0x0F, pack("<i", 4 + 6 + 12 + 0) + text("x") + document(int32("", 1))),
    "int32": (0x10, pack("<i", -(2**31))),
    "timestamp": (0x11, pack("<II", 7, 1_764_000_000)),
    "int64": (0x12, pack("<q", -(2**63))),
    "decimal": (0x13, bytes.fromhex("d2040000000000000000000000003c30")),
    "decimal NaN": (0x13, bytes(15) + b"\x7c"),
    "decimal infinity": (0x13, bytes(15) + b"\xf8"),
    "decimal zero with an exponent": (0x13, bytes(14) + b"\x40\xb0"),
    "MinKey": (0xFF, b""),
    "MaxKey": (0x7F, b""),
}
code, scope = text("x"), document(int32("", 1))
VALUES["JavaScript with scope"] = (0x0F, pack("<i", 4 + len(code) + len(scope)) + code + scope)

NO_ID = (
    "undefined",
    "regular expression",
    "empty regular expression",
    "array",
    "empty array",
    "array with odd indexes",
)
"""Kinds that the server refuses as `_id`."""


def documents() -> Iterator[bytes]:
    """One document for each kind of value, and some with odd shapes."""
    for number, (name, (kind, value)) in enumerate(VALUES.items()):
        yield document(int32("_id", number), string("kind", name), element(kind, "value", value))
        # In an array, and beside a field of the same name.
        within = element(0x04, "in", document(element(kind, "0", value), element(kind, "1", value)))
        yield document(within, element(kind, "", value), element(kind, "", value), int32("_id", 1_000 + number))
    for number, name in enumerate(("a.b", "$set", "$where", ".", "$", "ä", "x" * 5_000)):
        yield document(int32("_id", 2_000 + number), int32("in", 1), element(0x03, "d", document(int32(name, 1))))
        if not name.startswith("$"):
            yield document(int32("_id", 2_100 + number), int32(name, 1))


def keys() -> Iterator[bytes]:
    """One document for each kind of `_id`."""
    for name, (kind, value) in VALUES.items():
        if name not in NO_ID and not name.startswith("document with"):
            yield document(string("kind", name), element(kind, "_id", value))


def largest() -> bytes:
    """A document of exactly 16 MiB."""
    start = int32("_id", 1)
    room = LARGEST - len(document(start, string("text", "")))
    return document(start, string("text", "x" * room))


def insert(database: Database[dict[str, Any]], collection: str, raw: Iterator[bytes] | list[bytes]) -> int:
    """Insert documents one by one, and return how many the server took."""
    taken = 0
    for one in raw:
        database.command({"insert": collection, "documents": [RawBSONDocument(one)]})
        taken += 1
    return taken


def _nest(children: st.SearchStrategy[tuple[int, bytes]]) -> st.SearchStrategy[tuple[int, bytes]]:
    names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
    fields = st.lists(st.tuples(names, children), max_size=5)
    return fields.map(lambda given: (0x03, document(*(element(value[0], name, value[1]) for name, value in given))))


_floats = st.binary(min_size=8, max_size=8).map(lambda raw: (0x01, raw))
_strings = st.text(st.characters(exclude_categories=["Cs"])).map(lambda value: (0x02, text(value)))
_binaries = st.tuples(st.sampled_from([0, 1, 0x80, 0xFF]), st.binary(max_size=40)).map(
    lambda given: (0x05, binary(*given))
)
_leaves = st.one_of(st.sampled_from([value for value in VALUES.values() if value[0] not in (0x03, 0x04)]), _floats,
                    _strings, _binaries)  # fmt: skip
_values = st.recursive(_leaves, _nest, max_leaves=12)


@st.composite
def bodies(draw: st.DrawFn) -> Callable[[int], bytes]:
    """Any document, once it is given a number for its `_id`, which may stand anywhere in it."""
    names = st.text(st.characters(exclude_characters="\0$", exclude_categories=["Cs"]), max_size=8).filter("_id".__ne__)
    fields = [
        element(value[0], name, value[1]) for name, value in draw(st.lists(st.tuples(names, _values), max_size=8))
    ]
    place = draw(st.integers(0, len(fields)))
    return lambda number: document(*fields[:place], int32("_id", number), *fields[place:])
