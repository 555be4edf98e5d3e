"""BSON as canonical Extended JSON v2, straight from the bytes.

The codec of the driver is not used: on the way through Python objects, symbols, undefined values, DBPointers and
doubled field names would be lost. The mapping is that of the Extended JSON specification, version 2.
"""

from base64 import b64encode
from collections.abc import Callable
from json.encoder import encode_basestring as quote
from math import isinf, isnan
from struct import Struct
from struct import error as struct_error

from bson.decimal128 import Decimal128

from holdfast.errors import DamagedBackup
from holdfast.repository.documents import elements

Lost = Callable[[str], object]
"""Told in a few words of what JSON cannot carry."""

WRAPPERS = frozenset({
    "$oid", "$symbol", "$numberInt", "$numberLong", "$numberDouble", "$numberDecimal", "$binary", "$uuid", "$code",
    "$timestamp", "$regularExpression", "$dbPointer", "$date", "$minKey", "$maxKey", "$undefined",
})  # fmt: skip
"""Field names that mean a type; a reader takes a document that has one as that type."""

_INT32, _INT64, _UINT32, _DOUBLE = Struct("<i"), Struct("<q"), Struct("<I"), Struct("<d")
_NAN = bytes.fromhex("000000000000f87f")
_DEEPEST = 200
"""The server takes 180 levels since 7.0 and 200 as a limit of the format before."""


def to_json(document: bytes, lost: Lost) -> str:
    """One line of JSON. DamagedBackup if the bytes are not BSON."""
    try:
        return _document(document, lost, 0)
    except (ValueError, KeyError, IndexError, struct_error) as error:
        raise DamagedBackup("A document is not valid BSON.") from error


def _document(data: bytes, lost: Lost, depth: int) -> str:
    names: set[bytes] = set()
    parts = []
    for kind, name, start, end in elements(data):
        if name in names:
            lost(f"the field name {_utf8(name, lost)!r} twice in one document")
        names.add(name)
        text = _utf8(name, lost)
        if text in WRAPPERS:
            lost(f"a field named {text!r}, which means a type in Extended JSON")
        parts.append(f"{quote(text)}:{_value(kind, data[start:end], lost, depth)}")
    return "{" + ",".join(parts) + "}"


def _array(data: bytes, lost: Lost, depth: int) -> str:
    parts = []
    for position, (kind, name, start, end) in enumerate(elements(data)):
        if name != str(position).encode():
            lost("an array whose elements are not numbered from 0")
        parts.append(_value(kind, data[start:end], lost, depth))
    return "[" + ",".join(parts) + "]"


def _value(kind: int, data: bytes, lost: Lost, depth: int) -> str:
    if kind in (0x03, 0x04, 0x0F):
        if depth >= _DEEPEST:
            raise DamagedBackup("A document is nested too deeply.")
        if kind == 0x0F:
            return _code_with_scope(data, lost, depth)
        return (_document if kind == 0x03 else _array)(data, lost, depth + 1)
    return _WRITERS[kind](data, lost)


def _code_with_scope(data: bytes, lost: Lost, depth: int) -> str:
    code_end = 8 + _INT32.unpack_from(data, 4)[0]
    scope = _document(data[code_end:], lost, depth + 1)
    return f'{{"$code":{_text(data[4:code_end], lost)},"$scope":{scope}}}'


def _utf8(data: bytes, lost: Lost) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        lost("text that is not UTF-8")
        return data.decode(errors="replace")


def _text(data: bytes, lost: Lost) -> str:
    return quote(_utf8(data[4:-1], lost))


def _double(data: bytes, lost: Lost) -> str:
    number = _DOUBLE.unpack(data)[0]
    if isnan(number):
        if data != _NAN:
            lost("the payload or sign of a NaN")
        return '{"$numberDouble":"NaN"}'
    if isinf(number):
        return f'{{"$numberDouble":"{"-" if number < 0 else ""}Infinity"}}'
    return f'{{"$numberDouble":"{number!r}"}}'


def _decimal(data: bytes, lost: Lost) -> str:
    number = str(Decimal128.from_bid(data))
    if Decimal128(number).bid != data:
        lost("the exact bits of a Decimal128 (a NaN with a payload or sign, or a number that is not canonical)")
    return f'{{"$numberDecimal":"{number}"}}'


def _binary(data: bytes, lost: Lost) -> str:
    content = data[5:]
    if data[4] == 0x02 and len(content) >= 4 and _INT32.unpack_from(content)[0] == len(content) - 4:
        content = content[4:]  # the old subtype counts its bytes twice
    elif data[4] == 0x02:
        lost("a binary of subtype 2 whose inner length is wrong")
    return f'{{"$binary":{{"base64":"{b64encode(content).decode()}","subType":"{data[4]:02x}"}}}}'


def _regular_expression(data: bytes, lost: Lost) -> str:
    pattern, options, _ = data.split(b"\0")
    return (
        f'{{"$regularExpression":{{"pattern":{quote(_utf8(pattern, lost))},"options":{quote(_utf8(options, lost))}}}}}'
    )


def _db_pointer(data: bytes, lost: Lost) -> str:
    return f'{{"$dbPointer":{{"$ref":{_text(data[:-12], lost)},"$id":{{"$oid":"{data[-12:].hex()}"}}}}}}'


def _timestamp(data: bytes, _lost: Lost) -> str:
    increment, seconds = _UINT32.unpack_from(data), _UINT32.unpack_from(data, 4)
    return f'{{"$timestamp":{{"t":{seconds[0]},"i":{increment[0]}}}}}'


_WRITERS: dict[int, Callable[[bytes, Lost], str]] = {
    0x01: _double,
    0x02: _text,
    0x05: _binary,
    0x06: lambda _data, _lost: '{"$undefined":true}',
    0x07: lambda data, _lost: f'{{"$oid":"{data.hex()}"}}',
    0x08: lambda data, _lost: "true" if data[0] else "false",
    0x09: lambda data, _lost: f'{{"$date":{{"$numberLong":"{_INT64.unpack(data)[0]}"}}}}',
    0x0A: lambda _data, _lost: "null",
    0x0B: _regular_expression,
    0x0C: _db_pointer,
    0x0D: lambda data, lost: f'{{"$code":{_text(data, lost)}}}',
    0x0E: lambda data, lost: f'{{"$symbol":{_text(data, lost)}}}',
    0x10: lambda data, _lost: f'{{"$numberInt":"{_INT32.unpack(data)[0]}"}}',
    0x11: _timestamp,
    0x12: lambda data, _lost: f'{{"$numberLong":"{_INT64.unpack(data)[0]}"}}',
    0x13: _decimal,
    0x7F: lambda _data, _lost: '{"$maxKey":1}',
    0xFF: lambda _data, _lost: '{"$minKey":1}',
}
