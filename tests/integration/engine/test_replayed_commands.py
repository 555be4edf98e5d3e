"""What is done more rarely than to write, each replayed behind a backup and compared to the last byte."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson.timestamp import Timestamp
from pymongo.database import Database
from pymongo.errors import OperationFailure

from holdfast.errors import NotAuthorized
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod
from tests.support.point import Point

Db = Database[dict[str, Any]]


def convert_to_capped(db: Db) -> None:
    db.command({"convertToCapped": "a", "size": 100_000})
    db["a"].insert_one({"_id": "into the capped one"})


def write_out(db: Db) -> None:
    db["a"].aggregate([{"$match": {"n": {"$lt": 5}}}, {"$out": "b"}])
    db["a"].aggregate([{"$set": {"merged": True}}, {"$merge": "made"}])
    db["b"].insert_one({"_id": "behind it"})


def rename_from_another_database(db: Db) -> None:
    other = db.client[f"{db.name}_other"]
    other["from"].insert_many([{"_id": i} for i in range(3)])
    other["from"].create_index("x")
    db.client.admin.command({"renameCollection": f"{other.name}.from", "to": f"{db.name}.came", "dropTarget": True})
    db["came"].insert_one({"_id": "behind it"})
    db.client.drop_database(other.name)


def pass_a_validator_by(db: Db) -> None:
    db.command({"collMod": "a", "validator": {"n": {"$gte": 0}}})
    db.command({"insert": "a", "documents": [{"_id": "bad", "n": -1}], "bypassDocumentValidation": True})
    db["a"].update_one({"_id": "bad"}, {"$set": {"more": 1}}, bypass_document_validation=True)


def every_kind_of_index(db: Db) -> None:
    a = db["a"]
    a.create_index([("text", "text")], default_language="german")
    a.create_index([("place", "2dsphere")])
    a.create_index([("n", "hashed")])
    a.create_index([("$**", 1)], wildcardProjection={"deep": 1})
    a.create_index("m", unique=True, partialFilterExpression={"m": {"$exists": True}})
    a.create_index("s", sparse=True, name="by s", hidden=True)
    db.command({"collMod": "a", "index": {"name": "by s", "hidden": False}})
    a.create_index("n", name="strength", collation={"locale": "en", "strength": 2})


def drop_all_indexes(db: Db) -> None:
    db["a"].create_index("x")
    db["a"].create_index("y")
    db["a"].drop_indexes()
    db["a"].create_index("z")
    db["a"].drop_index([("z", 1)])


def a_build_that_fails(db: Db) -> None:
    db["a"].insert_many([{"_id": "one", "same": 1}, {"_id": "two", "same": 1}])
    with pytest.raises(OperationFailure):
        db["a"].create_index("same", unique=True)
    db["a"].create_index("same")


def make_anew_under_the_same_name(db: Db) -> None:
    db["a"].drop()
    db.create_collection("a", collation={"locale": "de"})
    db["a"].insert_one({"_id": "anew"})
    db["b"].rename("c")
    db["b"].insert_one({"_id": "another b"})


def swap_names(db: Db) -> None:
    for old, new in (("a", "aside"), ("b", "a"), ("aside", "b")):
        db[old].rename(new)
    db["a"].insert_one({"_id": "this was b"})


def values_that_a_server_would_change(db: Db) -> None:
    db["a"].update_one({"_id": 1}, [{"$set": {"t": {"$literal": Timestamp(0, 0)}}}])
    db["a"].insert_one({"_id": "deep", "in": {"t": Timestamp(0, 0)}})
    db["a"].update_one({"_id": 2}, {"$currentDate": {"when": {"$type": "timestamp"}}})
    db["a"].update_one({"_id": 3}, {"$unset": {"n": 1}, "$push": {"list": {"$each": [3, 1, 2], "$sort": 1}}})
    db["a"].update_one({"_id": 3}, {"$pull": {"list": 1}, "$rename": {"text": "words"}})


def change_a_time_series(db: Db) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    db.create_collection("series", timeseries={"timeField": "at", "metaField": "who"}, expireAfterSeconds=10**9)
    db["series"].insert_many([{"at": day, "who": i % 2, "v": i} for i in range(10)])
    db["series"].delete_many({"who": 1})
    db["series"].create_index([("who", 1), ("at", -1)])
    db.command({"collMod": "series", "timeseries": {"granularity": "minutes"}})
    db.command({"collMod": "series", "expireAfterSeconds": "off"})


def views_of_views(db: Db) -> None:
    db.create_collection("v1", viewOn="a", pipeline=[{"$match": {"n": 1}}])
    db.create_collection("v2", viewOn="v1", pipeline=[{"$project": {"n": 1}}])
    db.create_collection("german", viewOn="a", pipeline=[], collation={"locale": "de"})
    db.command({"collMod": "v1", "viewOn": "b", "pipeline": []})
    db["v2"].drop()


def images_of_changes(db: Db) -> None:
    db.command({"collMod": "a", "changeStreamPreAndPostImages": {"enabled": True}})
    db["a"].update_one({"_id": 1}, {"$inc": {"n": 1}})


@pytest.mark.parametrize("act", [
    convert_to_capped, write_out, rename_from_another_database, pass_a_validator_by, every_kind_of_index,
    drop_all_indexes, a_build_that_fails, make_anew_under_the_same_name, swap_names, values_that_a_server_would_change,
    change_a_time_series, views_of_views, images_of_changes,
])  # fmt: skip
def test_it_is_as_it_was(engine: Engine, database: Db, restored: Db, act: Callable[[Db], None]) -> None:
    for name in ("a", "b"):
        database[name].insert_many([{"_id": i, "n": i, "text": f"{name} {i}"} for i in range(10)])
    database["b"].create_index("n")
    point = Point(engine, database)
    point.archive()
    engine.back_up(database.name)
    act(database)
    time = point.time()
    content = snapshot_of(database)
    point.archive()
    point.restore(time, restored)
    assert differences(content, snapshot_of(restored)) == []


def test_a_time_series_takes_a_right_of_its_own_and_its_lack_is_told_before_anything_is_written(
    mongod: Mongod, engine: Engine, database: Db, restored: Db
) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    database.create_collection("series", timeseries={"timeField": "at"})
    database["series"].insert_one({"at": day, "v": 0})
    point = Point(engine, database)
    point.archive()
    engine.back_up(database.name)
    database["series"].insert_one({"at": day, "v": 1})  # into the bucket that is there
    time = point.time()
    point.archive()
    for role, enough in (("dbAdmin", False), ("readWriteAnyDatabase", True)):
        roles = [{"role": "readWrite", "db": restored.name}]
        roles += [{"role": name, "db": "admin"} for name in ("restore", "backup", role)]
        user = f"{database.name}-{role}"
        password = mongod.create_user(user, roles)
        uri = mongod.uri_for(user, password, database=restored.name)
        as_user = Point(Engine(uri, engine.repository), database)
        if enough:
            as_user.restore(time, restored)
            assert restored["series"].count_documents({}) == 2
            continue
        with pytest.raises(NotAuthorized, match=r"system\.buckets\.series .* Nothing was written"):
            as_user.restore(time, restored)
        assert restored.list_collection_names() == []
