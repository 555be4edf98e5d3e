"""Whatever a server holds comes back as it was, byte for byte."""

from typing import Any

import pytest
from bson import encode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.database import Database

from tests.support import corpus
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]


def round_trip(engine: Engine, database: Db, restored: Db) -> list[str]:
    outcome = engine.restore(engine.back_up(database.name), restored.name)
    return [*outcome.problems, *differences(snapshot_of(database), snapshot_of(restored))]


def test_every_kind_of_value_comes_back(engine: Engine, database: Db, restored: Db) -> None:
    assert corpus.insert(database, "values", corpus.documents()) > 90
    assert round_trip(engine, database, restored) == []


def test_every_kind_of_id_comes_back(engine: Engine, database: Db, restored: Db) -> None:
    assert corpus.insert(database, "keys", corpus.keys()) > 30
    assert round_trip(engine, database, restored) == []


def test_the_largest_documents_come_back(engine: Engine, database: Db, restored: Db) -> None:
    largest = corpus.largest()
    assert len(largest) == corpus.LARGEST
    corpus.insert(database, "large", [largest, largest.replace(b"\x10_id\0\x01", b"\x10_id\0\x02", 1)])
    assert round_trip(engine, database, restored) == []


KINDS: dict[str, dict[str, Any]] = {
    "capped": {"capped": True, "size": 2**20},
    "clustered": {"clusteredIndex": {"key": {"_id": 1}, "unique": True}},
    "collated": {"collation": {"locale": "fr", "strength": 1}},
}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_every_kind_of_value_comes_back_in_every_kind_of_collection(
    engine: Engine, database: Db, restored: Db, options: dict[str, Any]
) -> None:
    database.create_collection("values", **options)
    assert corpus.insert(database, "values", corpus.documents()) > 90
    assert round_trip(engine, database, restored) == []


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(made=st.lists(corpus.bodies(), min_size=10, max_size=40))
def test_any_documents_come_back(mongod: Mongod, made: list[Any]) -> None:
    database, restored = mongod.client["any_documents"], mongod.client["any_documents_restored"]
    for one in (database, restored):
        mongod.client.drop_database(one.name)
    corpus.insert(database, "any", [body(number) for number, body in enumerate(made)])
    assert round_trip(Engine(mongod.uri), database, restored) == []


def test_stored_javascript_comes_back(engine: Engine, database: Db, restored: Db) -> None:
    database["system.js"].insert_one({"_id": "f", "value": "function (x) { return x }"})
    database["c"].insert_one({})
    assert round_trip(engine, database, restored) == []
    assert encode(restored["system.js"].find_one() or {}) == encode(database["system.js"].find_one() or {})
