"""What a backup holds, and what it says of itself."""

from time import monotonic
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.errors import CollectionFailed, ConsistencyUnavailable, InvalidSpec
from holdfast.repository.repository import Repository
from holdfast.services.verify import verify
from holdfast.stores.memory import MemoryStore
from holdfast.wiring.opening import open_mongodb_store
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.engine import ORIGIN, Engine
from tests.support.mongod import Mongod
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]
COLLECTIONS = {"users", "timeEntries", "userGoals", "feedback", "feedbackVotes", "dayReflections"}


def test_a_timetrack_database_comes_back_byte_for_byte(engine: Engine, database: Db, restored: Db) -> None:
    generate(database, entries=3_000)
    outcome = engine.back_up(database.name)
    assert engine.restore(outcome, restored.name).problems == ()
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def test_all_collections_are_read_at_one_cluster_time(engine: Engine, database: Db) -> None:
    generate(database, entries=500)
    manifest = engine.back_up(database.name).manifest
    assert manifest.consistency.level is ConsistencyLevel.SNAPSHOT
    assert manifest.consistency.cluster_time
    assert {c.consistency for c in manifest.collections} == {ConsistencyLevel.SNAPSHOT}


def test_what_is_written_after_the_cluster_time_is_not_in_the_backup(
    engine: Engine, database: Db, restored: Db
) -> None:
    for name in ("a", "b"):
        database[name].insert_many([{"_id": n} for n in range(10)])

    def write(_: str) -> None:
        database["b"].insert_one({"_id": "later"})
        database["b"].delete_one({"_id": 3})

    outcome = engine.back_up(database.name, meddle=write)
    engine.restore(outcome, restored.name)
    assert sorted(d["_id"] for d in restored["b"].find()) == list(range(10))


def test_a_standalone_gets_no_snapshot_and_the_backup_says_so(standalone: Mongod) -> None:
    engine = Engine(standalone.uri)
    standalone.client["alone"]["c"].insert_one({"a": 1})
    manifest = engine.back_up("alone").manifest
    assert (manifest.consistency.level, manifest.consistency.cluster_time) == (ConsistencyLevel.NONE, None)


def test_a_required_snapshot_fails_on_a_standalone_before_anything_is_stored(standalone: Mongod) -> None:
    engine = Engine(standalone.uri)
    standalone.client["alone"]["c"].insert_one({"a": 1})
    with pytest.raises(ConsistencyUnavailable):
        engine.back_up("alone", consistency=Consistency.REQUIRED)
    assert engine.repository.backup_ids() == []


def test_a_capped_collection_has_the_backup_show_one_moment_by_what_was_written(engine: Engine, database: Db) -> None:
    database.create_collection("log", capped=True, size=100_000)
    database["log"].insert_one({"a": 1})
    for consistency in (Consistency.PREFERRED, Consistency.REQUIRED):
        outcome = engine.back_up(database.name, consistency=consistency)
        assert outcome.manifest.consistency.level is ConsistencyLevel.POINT_IN_TIME
        assert outcome.warnings == ()


def test_a_second_backup_of_the_same_data_adds_nothing(engine: Engine, database: Db) -> None:
    generate(database, entries=2_000)
    engine.back_up(database.name)
    assert engine.back_up(database.name).new_bytes == 0


def test_an_append_adds_about_what_was_appended(engine: Engine, database: Db) -> None:
    text = "x" * 2_000
    database["c"].insert_many([{"_id": n, "n": ObjectId(), "text": text} for n in range(12_000)])
    first = engine.back_up(database.name)
    database["c"].insert_many([{"_id": n, "n": ObjectId(), "text": text} for n in range(12_000, 12_240)])
    second = engine.back_up(database.name)
    assert 0 < second.new_bytes < first.new_bytes / 2


def test_backups_beside_the_data_are_never_backed_up(mongod: Mongod, database: Db) -> None:
    database["c"].insert_one({"a": 1})
    store = open_mongodb_store(mongod.uri, database.name, origin=ORIGIN)
    engine = Engine(mongod.uri, Repository(store))
    for _ in range(2):
        manifest = engine.back_up(database.name).manifest
        assert [c.name for c in manifest.collections] == ["c"]
    assert set(database.list_collection_names()) >= set(OWN_COLLECTIONS)
    store.close()


def test_a_named_collection_that_does_not_exist_is_a_warning(engine: Engine, database: Db) -> None:
    database["c"].insert_one({"a": 1})
    outcome = engine.back_up(database.name, include=["c", "invoices"])
    assert outcome.warnings == (f"Collection 'invoices' is not in database {database.name!r}.",)


def test_nothing_to_back_up_is_an_error(engine: Engine, database: Db) -> None:
    with pytest.raises(InvalidSpec, match="Nothing to back up"):
        engine.back_up(database.name)


def test_collections_are_chosen_by_globs(engine: Engine, database: Db) -> None:
    generate(database, entries=100)
    manifest = engine.back_up(database.name, include=["feedback*", "users"], exclude=["*Votes"]).manifest
    assert [c.name for c in manifest.collections] == ["feedback", "users"]


def test_without_a_choice_all_collections_are_meant(engine: Engine, database: Db) -> None:
    generate(database, entries=100)
    assert {c.name for c in engine.back_up(database.name).manifest.collections} == COLLECTIONS


def test_a_committed_backup_is_returned_and_not_taken_again(engine: Engine, database: Db) -> None:
    database["c"].insert_one({"a": 1})
    first = engine.back_up(database.name, backup_id="20261123T020000Z-00000001")
    database["c"].insert_one({"a": 2})
    again = engine.back_up(database.name, backup_id="20261123T020000Z-00000001")
    assert again.manifest == first.manifest


def test_the_next_backup_heals_an_older_one_that_lost_a_chunk(mongod: Mongod, database: Db) -> None:
    store = MemoryStore()
    engine = Engine(mongod.uri, Repository(store))
    database["c"].insert_many([{"_id": n} for n in range(100)])
    damaged = engine.back_up(database.name)
    store.delete(max(store.keys("chunks/"), key=lambda key: len(store.objects[key])))
    assert not verify(engine.repository, damaged.manifest).good
    healed = engine.back_up(database.name)
    assert verify(engine.repository, healed.manifest, read_data=True).good
    assert verify(engine.repository, damaged.manifest, read_data=True).good


def test_a_damaged_older_backup_does_not_stop_the_next_one(mongod: Mongod, database: Db) -> None:
    store = MemoryStore()
    engine = Engine(mongod.uri, Repository(store))
    database["c"].insert_many([{"_id": n} for n in range(100)])
    engine.back_up(database.name, backup_id="one")
    store.objects["backups/one"] = b"nonsense"
    outcome = engine.back_up(database.name)
    assert verify(engine.repository, outcome.manifest, read_data=True).good
    assert "backups/one" in engine.recorder.warnings[0]


def test_an_encrypted_backup_comes_back(mongod: Mongod, database: Db, restored: Db) -> None:
    generate(database, entries=500)
    store = MemoryStore()
    engine = Engine(mongod.uri, Repository(store, key=b"k" * 32))
    outcome = engine.back_up(database.name)
    assert not [key for key, data in store.objects.items() if b"timeEntries" in data]
    engine.restore(outcome, restored.name)
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def test_a_limit_makes_reading_take_its_time(engine: Engine, database: Db) -> None:
    database["c"].insert_many([{"_id": n, "text": "x" * 10_000} for n in range(300)])
    begin = monotonic()
    manifest = engine.back_up(database.name, max_bytes_per_second=2_000_000).manifest
    assert monotonic() - begin >= manifest.logical_bytes / 2_000_000


def test_a_limit_makes_the_steps_small(engine: Engine, database: Db) -> None:
    database["c"].insert_many([{"_id": n, "text": "x" * 1_000} for n in range(2_000)])
    source = engine.source(database.name)
    (collection,) = source.catalogue()
    limited = [sum(map(len, batch)) for batch in source.read(collection, None, batch_bytes=64 * 1024)]
    assert sum(limited) == sum(sum(map(len, batch)) for batch in source.read(collection, None))
    assert max(limited) <= 4 * 64 * 1024
    source.close()


def test_progress_ends_at_all_documents(engine: Engine, database: Db) -> None:
    generate(database, entries=1_000)
    manifest = engine.back_up(database.name).manifest
    assert engine.recorder.advances[-1].documents == manifest.documents
    assert engine.recorder.advances[-1].total_documents == manifest.documents


def test_all_collections_failing_is_a_failure_without_a_backup(
    mongod: Mongod, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    database["c"].insert_one({"a": 1})
    engine = Engine(mongod.uri)

    def refuse(*_: object, **__: object) -> Any:
        raise CollectionFailed("cannot be read")

    monkeypatch.setattr("holdfast.mongo.source.MongoSource.read", refuse)
    with pytest.raises(CollectionFailed, match="Not one collection"):
        engine.back_up(database.name)
    assert engine.repository.backup_ids() == []
