"""A restore writes all of a backup, exactly, or says why not; and it never writes over anything."""

from typing import Any

import pytest
from bson import Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp
from bson.raw_bson import RawBSONDocument
from pymongo import IndexModel
from pymongo.database import Database

from holdfast.errors import BackupNotFound, DamagedBackup, InvalidSpec, TargetNotEmpty
from holdfast.repository.repository import Repository
from holdfast.stores.memory import MemoryStore
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def engine(mongod: Mongod, store: MemoryStore) -> Engine:
    return Engine(mongod.uri, Repository(store))


def round_trip(engine: Engine, database: Db, restored: Db) -> list[str]:
    outcome = engine.restore(engine.back_up(database.name), restored.name)
    return [*outcome.problems, *differences(snapshot_of(database), snapshot_of(restored))]


def test_every_kind_of_collection_comes_back(engine: Engine, database: Db, restored: Db) -> None:
    database.create_collection("capped", capped=True, size=100_000, max=50)
    database.create_collection("clustered", clusteredIndex={"key": {"_id": 1}, "unique": True})
    database.create_collection("collated", collation={"locale": "fr"})
    database.create_collection("validated", validator={"$jsonSchema": {"required": ["a"]}}, validationAction="error")
    database.create_collection("images", changeStreamPreAndPostImages={"enabled": True})
    database.create_collection("empty")
    database.create_collection("series", timeseries={"timeField": "t", "metaField": "m", "granularity": "hours"})
    for name in ("capped", "clustered", "collated", "images"):
        database[name].insert_many([{"n": n} for n in range(60)])
    database["validated"].insert_one({"a": 1})
    database["validated"].with_options().insert_many([{"b": 1}], bypass_document_validation=True)
    database["series"].insert_many([{"t": ObjectId().generation_time, "m": n % 3, "v": n} for n in range(100)])
    database.create_collection("view", viewOn="collated", pipeline=[{"$match": {"n": {"$gt": 3}}}])
    database.create_collection("aview", viewOn="view", pipeline=[{"$limit": 5}])
    database.create_collection("fr", viewOn="collated", pipeline=[], collation={"locale": "fr"})
    assert round_trip(engine, database, restored) == []
    assert [d["n"] for d in restored["capped"].find()] == [d["n"] for d in database["capped"].find()]


def test_every_kind_of_index_comes_back(engine: Engine, database: Db, restored: Db) -> None:
    database.create_collection("c", collation={"locale": "de", "strength": 2})
    database["c"].insert_one({"a": 1})
    database["c"].create_indexes(
        [
            IndexModel([("a", 1), ("b", -1)]),
            IndexModel([("u", 1)], unique=True, sparse=True),
            IndexModel([("p", 1)], partialFilterExpression={"p": {"$gt": 5}}),
            IndexModel([("t", 1)], expireAfterSeconds=10**8),
            IndexModel([("geo", "2dsphere")]),
            IndexModel([("flat", "2d")], min=-10, max=10, collation={"locale": "simple"}),
            IndexModel([("h", "hashed")], collation={"locale": "simple"}),
            IndexModel([("$**", 1)], wildcardProjection={"secret": 0}, collation={"locale": "simple"}),
            IndexModel([("x", 1)], hidden=True),
            IndexModel([("s", 1)], collation={"locale": "simple"}),
            IndexModel([("f", 1)], collation={"locale": "fr"}),
            IndexModel(
                [("title", "text"), ("body", "text")], weights={"title": 10}, default_language="german",
                collation={"locale": "simple"},
            ),
        ]
    )  # fmt: skip
    assert round_trip(engine, database, restored) == []


def test_every_type_of_id_in_one_collection_comes_back(engine: Engine, database: Db, restored: Db) -> None:
    ids = [MinKey(), None, 1, Int64(2), 2.5, Decimal128("3"), "text", {"a": 1}, b"bytes", ObjectId(), True, MaxKey()]
    database["c"].insert_many([{"_id": i} for i in ids])
    assert round_trip(engine, database, restored) == []


@pytest.mark.parametrize("name", ["with space", "żółć", "dot.ted", "percent%41", "x" * 180, "quo\"te'", "[glob]*"])
def test_a_collection_with_any_legal_name_comes_back(engine: Engine, database: Db, restored: Db, name: str) -> None:
    database[name].insert_one({"a": 1})
    assert round_trip(engine, database, restored) == []


def test_a_document_is_never_decoded(engine: Engine, database: Db, restored: Db) -> None:
    duplicate_fields = b"\x10a\0\x01\0\0\0\x10a\0\x02\0\0\0"
    nan_with_payload = b"\x01n\0\x01\x00\x00\x00\x00\x00\xf8\x7f"
    body = b"\x07_id\0" + ObjectId().binary + duplicate_fields + nan_with_payload
    document = (len(body) + 5).to_bytes(4, "little") + body + b"\0"
    database["c"].insert_one(RawBSONDocument(document))
    assert round_trip(engine, database, restored) == []


def test_a_zero_timestamp_is_not_replaced_by_the_time_of_the_restore(
    engine: Engine, database: Db, restored: Db
) -> None:
    database["c"].insert_one({"_id": 1, "a": 1})
    database["c"].update_one(
        {"_id": 1}, [{"$replaceRoot": {"newRoot": {"$literal": {"_id": 1, "t": Timestamp(0, 0)}}}}]
    )
    assert database["c"].find_one() == {"_id": 1, "t": Timestamp(0, 0)}
    assert round_trip(engine, database, restored) == []


def test_some_collections_can_be_chosen(engine: Engine, database: Db, restored: Db) -> None:
    generate(database, entries=100)
    outcome = engine.restore(engine.back_up(database.name), restored.name, include=["feed*"], exclude=["*Votes"])
    assert [c.name for c in outcome.collections] == ["feedback"]
    assert restored.list_collection_names() == ["feedback"]


def test_a_choice_of_nothing_is_refused(engine: Engine, database: Db, restored: Db) -> None:
    database["c"].insert_one({})
    with pytest.raises(BackupNotFound):
        engine.restore(engine.back_up(database.name), restored.name, include=["nothing"])


def test_a_target_with_a_collection_of_the_same_name_is_left_as_it_is(
    engine: Engine, database: Db, restored: Db
) -> None:
    database["a"].insert_one({"_id": 1})
    database["b"].insert_one({"_id": 1})
    restored["b"].insert_one({"_id": "mine"})
    with pytest.raises(TargetNotEmpty, match="'b'"):
        engine.restore(engine.back_up(database.name), restored.name)
    assert (restored.list_collection_names(), restored["b"].find_one()) == (["b"], {"_id": "mine"})


def test_a_missing_chunk_is_found_before_anything_is_written(
    engine: Engine, store: MemoryStore, database: Db, restored: Db
) -> None:
    generate(database, entries=500)
    outcome = engine.back_up(database.name)
    store.delete(max(store.keys("chunks/"), key=lambda key: len(store.objects[key])))
    with pytest.raises(DamagedBackup, match="Nothing was written"):
        engine.restore(outcome, restored.name)
    assert restored.list_collection_names() == []


def test_a_damaged_chunk_fails_the_restore(engine: Engine, store: MemoryStore, database: Db, restored: Db) -> None:
    generate(database, entries=500)
    outcome = engine.back_up(database.name)
    key = max(store.keys("chunks/"), key=lambda key: len(store.objects[key]))
    store.objects[key] = store.objects[key][:-10] + bytes(10)
    with pytest.raises(DamagedBackup):
        engine.restore(outcome, restored.name)


@pytest.mark.parametrize("name", ["admin", "local", "config"])
def test_the_servers_own_databases_are_never_touched(engine: Engine, database: Db, name: str) -> None:
    database["c"].insert_one({})
    with pytest.raises(InvalidSpec):
        engine.restore(engine.back_up(database.name), name)
