"""Canonical Extended JSON v2 back to BSON, for the metadata of a dump: options and indexes, byte for byte.

The driver's reader is not used: it takes the query operator ``{"$regex": "…"}`` for a regular expression, and so
would change validators and the filters of partial indexes.
"""

import json
from base64 import b64decode
from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as struct_error
from typing import Any

from bson.decimal128 import Decimal128

from holdfast.dump.extended_json import WRAPPERS

_INT32, _INT64, _DOUBLE = Struct("<i"), Struct("<q"), Struct("<d")
_TIMESTAMP = Struct("<II")
_WHOLE_INT32 = range(-(2**31), 2**31)


class Pairs(tuple[tuple[str, Any], ...]):
    """A JSON object with its fields in order; doubled names are kept."""

    __slots__ = ()


def parse(text: str) -> Any:
    """JSON with objects as Pairs. ValueError if it is not JSON."""
    return json.loads(text, object_pairs_hook=Pairs)


def to_bson(fields: Pairs) -> bytes:
    """One document. ValueError if a value of a type is not written as the specification says."""
    try:
        return _document(fields)
    except (KeyError, TypeError, AttributeError, struct_error, ArithmeticError, RecursionError) as error:
        raise ValueError("Extended JSON that cannot be read") from error


def _document(fields: Sequence[tuple[str, Any]]) -> bytes:
    content = b"".join(_element(name, value) for name, value in fields)
    return _INT32.pack(len(content) + 5) + content + b"\0"


def _element(name: str, value: Any) -> bytes:
    kind, data = _value(value)
    return bytes((kind,)) + _cstring(name) + data


def _value(value: Any) -> tuple[int, bytes]:
    if isinstance(value, Pairs):
        wrapper = next((name for name, _ in value if name in WRAPPERS), None)
        return _typed(wrapper, dict(value)) if wrapper else (0x03, _document(value))
    if isinstance(value, list):
        return 0x04, _document([(str(position), each) for position, each in enumerate(value)])
    if isinstance(value, str):
        return 0x02, _string(value)
    if isinstance(value, bool):
        return 0x08, bytes((value,))
    if value is None:
        return 0x0A, b""
    if isinstance(value, int):
        return (0x10, _INT32.pack(value)) if value in _WHOLE_INT32 else (0x12, _INT64.pack(value))
    return 0x01, _DOUBLE.pack(value)


def _typed(wrapper: str, fields: dict[str, Any]) -> tuple[int, bytes]:
    if wrapper == "$code":
        if "$scope" not in fields:
            return 0x0D, _string(fields["$code"])
        content = _string(fields["$code"]) + _document(fields["$scope"])
        return 0x0F, _INT32.pack(len(content) + 4) + content
    return _READERS[wrapper](fields[wrapper])


def _binary(value: Any) -> tuple[int, bytes]:
    fields = dict(value)
    content, subtype = b64decode(fields["base64"], validate=True), int(fields["subType"], 16)
    if subtype == 0x02:
        content = _INT32.pack(len(content)) + content
    return 0x05, _INT32.pack(len(content)) + bytes((subtype,)) + content


def _date(value: Any) -> tuple[int, bytes]:
    return 0x09, _INT64.pack(int(dict(value)["$numberLong"]))


def _timestamp(value: Any) -> tuple[int, bytes]:
    fields = dict(value)
    return 0x11, _TIMESTAMP.pack(int(fields["i"]), int(fields["t"]))


def _regular_expression(value: Any) -> tuple[int, bytes]:
    fields = dict(value)
    return 0x0B, _cstring(fields["pattern"]) + _cstring(fields["options"])


def _db_pointer(value: Any) -> tuple[int, bytes]:
    fields = dict(value)
    return 0x0C, _string(fields["$ref"]) + bytes.fromhex(dict(fields["$id"])["$oid"])


_READERS: dict[str, Callable[[Any], tuple[int, bytes]]] = {
    "$oid": lambda value: (0x07, bytes.fromhex(value)),
    "$symbol": lambda value: (0x0E, _string(value)),
    "$numberInt": lambda value: (0x10, _INT32.pack(int(value))),
    "$numberLong": lambda value: (0x12, _INT64.pack(int(value))),
    "$numberDouble": lambda value: (0x01, _DOUBLE.pack(float(value))),
    "$numberDecimal": lambda value: (0x13, Decimal128(value).bid),
    "$binary": _binary,
    "$uuid": lambda value: (0x05, _INT32.pack(16) + b"\x04" + bytes.fromhex(value.replace("-", ""))),
    "$timestamp": _timestamp,
    "$regularExpression": _regular_expression,
    "$dbPointer": _db_pointer,
    "$date": _date,
    "$minKey": lambda _value: (0xFF, b""),
    "$maxKey": lambda _value: (0x7F, b""),
    "$undefined": lambda _value: (0x06, b""),
}


def _string(text: str) -> bytes:
    data = text.encode()
    return _INT32.pack(len(data) + 1) + data + b"\0"


def _cstring(text: str) -> bytes:
    if "\0" in text:
        raise ValueError("a zero byte in a name")
    return text.encode() + b"\0"
