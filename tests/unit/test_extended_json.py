"""Extended JSON: what the driver's own reader understands, and nothing lost in silence."""

import json
from struct import pack

import bson
import pytest
from bson import json_util
from hypothesis import given
from hypothesis import strategies as st

from holdfast.dump.extended_json import to_json
from holdfast.dump.extended_json_reader import parse, to_bson
from holdfast.errors import DamagedBackup
from tests.support import corpus


def written(document: bytes) -> tuple[str, list[str]]:
    lost: list[str] = []
    return to_json(document, lost.append), lost


@pytest.mark.parametrize(("value", "text"), [
    (1, '{"$numberInt":"1"}'),
    (bson.Int64(1), '{"$numberLong":"1"}'),
    (1.0, '{"$numberDouble":"1.0"}'),
    (-0.0, '{"$numberDouble":"-0.0"}'),
    (float("-inf"), '{"$numberDouble":"-Infinity"}'),
    (bson.Decimal128("1.10"), '{"$numberDecimal":"1.10"}'),
    (bson.Timestamp(2, 3), '{"$timestamp":{"t":2,"i":3}}'),
    (bson.Regex("^a/", "xi"), '{"$regularExpression":{"pattern":"^a/","options":"ix"}}'),
    (b"ab", '{"$binary":{"base64":"YWI=","subType":"00"}}'),
    (bson.Code("f", {"a": True}), '{"$code":"f","$scope":{"a":true}}'),
    (bson.DatetimeMS(-1), '{"$date":{"$numberLong":"-1"}}'),
    ({"b": [None, "ä"], "a": {}}, '{"b":[null,"ä"],"a":{}}'),
])  # fmt: skip
def test_values_are_written_as_the_specification_says(value: object, text: str) -> None:
    assert written(bson.encode({"v": value})) == (f'{{"v":{text}}}', [])


@pytest.mark.parametrize(("document", "what"), [
    (corpus.document(corpus.int32("a", 1), corpus.int32("a", 2)), "twice"),
    (corpus.document(corpus.element(0x01, "a", bytes.fromhex("010000000000f87f"))), "NaN"),
    (corpus.document(corpus.string("$oid", "x")), "$oid"),
    (corpus.document(corpus.element(0x02, "a", corpus.text(b"\xff"))), "UTF-8"),
    (corpus.document(corpus.element(0x04, "a", corpus.document(corpus.int32("7", 1)))), "numbered"),
    (corpus.document(corpus.element(0x13, "a", b"\1" + bytes(14) + b"\x7c")), "Decimal128"),
])  # fmt: skip
def test_what_json_cannot_carry_is_told(document: bytes, what: str) -> None:
    text, lost = written(document)
    json.loads(text)
    assert what in " ".join(lost)


@given(st.data())
def test_a_document_reads_back_to_the_same_bytes_or_something_is_told(data: st.DataObject) -> None:
    document = data.draw(corpus.bodies())(1)
    text, lost = written(document)
    assert lost or to_bson(parse(text)) == document


def test_every_kind_of_value_reads_back_or_something_is_told() -> None:
    for document in [*corpus.documents(), *corpus.keys()]:
        text, lost = written(document)
        assert lost or to_bson(parse(text)) == document


def test_the_drivers_own_reader_takes_it() -> None:
    document = {"a": [1, bson.Int64(2), 3.5], "b": bson.ObjectId(b"0" * 12), "c": bson.MinKey()}
    options = json_util.JSONOptions(json_mode=json_util.JSONMode.CANONICAL)
    assert json_util.loads(written(bson.encode(document))[0], json_options=options) == document


def test_the_query_operator_is_not_taken_for_a_regular_expression() -> None:
    validator = bson.encode({"name": {"$regex": "^a", "$options": "i"}})
    assert to_bson(parse(written(validator)[0])) == validator


def test_whole_numbers_without_a_type_are_those_of_the_shell() -> None:
    assert bson.decode(to_bson(parse('{"a":1,"b":4294967296,"c":1.5}'))) == {"a": 1, "b": 2**32, "c": 1.5}


@pytest.mark.parametrize(
    "text",
    [
        '{"a":{"$oid":"x"}}',
        '{"a":{"$numberInt":"1.5"}}',
        '{"a":{"$binary":{}}}',
        "{",
        '{"a":{"$numberInt":"4294967296"}}',
    ],
)
def test_what_cannot_be_read_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        to_bson(parse(text))


@pytest.mark.parametrize(
    "document", [b"\x05\0\0\0", corpus.document(corpus.element(0x55, "a", b"")), pack("<i", 9) + b"\x10a\0\0\0"]
)
def test_what_is_not_bson_is_an_error(document: bytes) -> None:
    with pytest.raises(DamagedBackup):
        to_json(document, lambda _: None)
