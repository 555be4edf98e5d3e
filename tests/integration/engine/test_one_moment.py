"""Backups without a snapshot show one moment all the same, by what was written while they were read."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from random import Random
from threading import Condition, Event, Thread
from typing import Any

import pytest
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from bson.timestamp import Timestamp
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, OperationFailure

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.domain.restoring import Existing
from holdfast.errors import ConsistencyUnavailable, NotAuthorized
from holdfast.services.backup_request import BackupOutcome
from holdfast.services.export import ExportFormat, ExportRequest, export
from holdfast.services.reach import point_of
from holdfast.services.verify import verify
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
MEANWHILE = 300
NAMES = ("accounts", "slots", "words")


class Load:
    """Writers of everything that a torn backup shows: sums over two collections, values that are unique, documents that
    come, go and come again."""

    def __init__(self, database: Db) -> None:
        self.db, self.done, self._moved = database, 0, Condition()
        database["accounts"].insert_many([{"_id": i, "amount": 100, "history": []} for i in range(20)])
        database["slots"].insert_many([{"_id": i, "slot": i} for i in range(20)])
        database["slots"].create_index("slot", unique=True)
        database["words"].insert_many([{"_id": i, "deep": {"list": [1, 2, 3]}, "x": "x" * 500} for i in range(40)])

    def write(self, random: Random) -> None:
        db, one, other = self.db, *random.sample(range(20), 2)
        with db.client.start_session() as session, session.start_transaction():
            db["accounts"].update_one(
                {"_id": one}, {"$inc": {"amount": -1}, "$push": {"history": self.done}}, session=session
            )
            db["slots"].delete_one({"_id": other}, session=session)
            db["words"].update_one({"_id": other}, {"$set": {"seen": self.done}}, upsert=True, session=session)
        with db.client.start_session() as session, session.start_transaction():
            gone = db["slots"].find_one_and_delete({"_id": one}, session=session)
            if gone:  # another document has its unique value from now on
                db["slots"].insert_one({"_id": f"{one}-{self.done}", "slot": gone["slot"]}, session=session)
        try:
            db["slots"].replace_one({"_id": other}, {"slot": other, "n": self.done}, upsert=True)
        except DuplicateKeyError:
            db["slots"].delete_many({"slot": other})
        db["words"].delete_one({"_id": one + 20})
        db["words"].update_one({"_id": one + 20}, {"$set": {"deep.list.1": self.done, "deep.new": 1}}, upsert=True)
        with self._moved:
            self.done += 1
            self._moved.notify_all()

    def wait(self) -> None:
        """Until much more has been written."""
        with self._moved:
            until = self.done + MEANWHILE
            assert self._moved.wait_for(lambda: self.done >= until, 60)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        ended = Event()

        def go_on(seed: int) -> None:
            random = Random(seed)  # noqa: S311
            while not ended.is_set():
                with suppress(OperationFailure):  # another was faster at the same document
                    self.write(random)

        threads = [Thread(target=go_on, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()


def own_snapshot(database: Db, at: str) -> dict[str, list[bytes]]:
    """What the server itself shows of a cluster time, byte for byte."""
    time = point_of(at)
    when = {"level": "snapshot", "atClusterTime": Timestamp(time.seconds, time.increment)}
    return {name: _read(database, name, {"readConcern": when}) for name in NAMES}


def content_of(database: Db) -> dict[str, list[bytes]]:
    return {name: _read(database, name, {}) for name in NAMES}


def _read(database: Db, name: str, how: dict[str, Any]) -> list[bytes]:
    find = {"find": name, "sort": {"_id": 1}, "batchSize": 10_000, **how}
    cursor = database.command(find, codec_options=CodecOptions(document_class=RawBSONDocument))["cursor"]
    assert cursor["id"] == 0
    return [one.raw for one in cursor["firstBatch"]]


def test_a_backup_under_a_load_without_a_snapshot_is_what_the_server_shows_of_its_moment(
    engine: Engine, database: Db, restored: Db
) -> None:
    load = Load(database)
    with load.at_work():
        for _ in range(3):
            outcome = engine.back_up(
                database.name, consistency=Consistency.NONE, archived=True, meddle=lambda _: load.wait()
            )
            consistency, changes = outcome.manifest.consistency, outcome.manifest.changes
            assert consistency.level is ConsistencyLevel.POINT_IN_TIME
            assert changes is not None
            assert consistency.cluster_time is not None
            load.wait()
            expected = own_snapshot(database, consistency.cluster_time)
            done = engine.restore(outcome, restored.name)
            assert 0 < done.repeated < changes.documents, "what a later delete undoes is left out"
            assert content_of(restored) == expected
            assert restored["slots"].index_information()["slot_1"]["unique"]
            restored.client.drop_database(restored.name)
    torn = BackupOutcome(outcome.manifest.model_copy(update={"changes": None}), 0, ())
    engine.restore(torn, restored.name, exclude=["slots"])  # of two documents with one slot no index can be built
    assert content_of(restored)["accounts"] != expected["accounts"], "they were read long before, and this test sees it"


def ring_of(database: Db) -> list[int]:
    return [one["_id"] for one in database["ring"].find().sort("$natural", 1)]


def test_a_capped_collection_is_as_it_was_at_the_moment_of_all_others(
    engine: Engine, database: Db, restored: Db
) -> None:
    """A server of 6.0 cannot read it in a snapshot. Here it goes round while it is read."""
    database["a"].insert_one({"_id": 1, "n": 0})
    database.create_collection("ring", capped=True, size=100_000, max=20)
    database["ring"].insert_many([{"_id": i} for i in range(30)])
    database["ring"].create_index("n")
    database["z"].insert_one({"_id": 1, "n": 0})

    def write(_: str) -> None:
        for i in range(30, 47):
            database["ring"].insert_one({"_id": i})
            for name in ("a", "z"):
                database[name].update_one({"_id": 1}, {"$inc": {"n": 1}})

    outcome = engine.back_up(database.name, consistency=Consistency.REQUIRED, meddle=write)
    assert outcome.manifest.consistency.level is ConsistencyLevel.POINT_IN_TIME
    assert engine.restore(outcome, restored.name).repeated > 0
    assert ring_of(restored) == list(range(27, 47))
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def test_time_series_and_what_a_validator_would_refuse_are_repeated_too(
    engine: Engine, database: Db, restored: Db
) -> None:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    database.create_collection("series", timeseries={"timeField": "at", "metaField": "who"})
    database["series"].insert_one({"at": day, "who": 1, "v": 0})
    database.create_collection("strict", validator={"n": {"$gte": 0}})
    database["strict"].insert_one({"_id": 0, "n": 1})

    def write(_: str) -> None:
        database["series"].insert_many([{"at": day, "who": 1, "v": i} for i in range(5)])
        database["strict"].insert_one({"_id": 1, "n": 1})
        database.command({"insert": "strict", "documents": [{"_id": 2, "n": -1}], "bypassDocumentValidation": True})

    outcome = engine.back_up(database.name, consistency=Consistency.NONE, archived=True, meddle=write)
    engine.restore(outcome, restored.name)
    assert restored["series"].count_documents({}) == 6
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def test_it_goes_over_a_live_database_under_another_name_and_in_part(engine: Engine, database: Db) -> None:
    database["a"].insert_one({"_id": 1, "n": 0})
    database["left"].insert_one({"_id": 1, "secret": "not-for-us"})

    def write(_: str) -> None:
        database["a"].update_one({"_id": 1}, {"$set": {"n": 1}})
        database["a"].insert_one({"_id": 2})
        database["left"].insert_one({"_id": 2, "secret": "not-for-us"})

    wanted: dict[str, Any] = {"consistency": Consistency.NONE, "archived": True}
    outcome = engine.back_up(database.name, exclude=["left"], meddle=write, **wanted)
    assert [one.name for one in outcome.manifest.collections] == ["a"]
    changes = outcome.manifest.changes
    assert changes
    stored = b"".join(engine.repository.read_chunk(ref.id) for ref in engine.repository.chunk_refs(changes))
    assert b"not-for-us" not in stored, "what is excluded is in no part of the backup"
    content = list(database["a"].find().sort("_id"))
    database["a"].delete_many({})
    database["a"].insert_one({"_id": 3})
    drop: dict[str, Any] = {"existing": Existing.DROP, "confirm": database.name}
    engine.restore(outcome, database.name, **drop)
    assert list(database["a"].find().sort("_id")) == content
    engine.restore(outcome, database.name, rename=(("a", "b"),))
    assert list(database["b"].find().sort("_id")) == content
    database["a"].delete_one({"_id": 1})
    assert engine.restore(outcome, database.name, existing=Existing.MERGE).repeated == 0
    assert any("'a' is merged as it was read" in warning for warning in engine.recorder.warnings)
    assert database["a"].find_one({"_id": 1})


def test_what_was_written_meanwhile_is_verified_and_told_where_it_is_left_out(engine: Engine, database: Db) -> None:
    database["a"].insert_one({"_id": 1})
    outcome = engine.back_up(
        database.name,
        consistency=Consistency.NONE,
        archived=True,
        meddle=lambda _: database["a"].insert_one({"_id": 2}),
    )
    changes = outcome.manifest.changes
    assert changes
    written = export(
        ExportRequest(ExportFormat.JSON, BytesIO()), outcome.manifest, engine.repository, engine.recorder, Event()
    )
    assert any("The 1 writes that were done during the backup are not in it" in one for one in written.warnings)
    assert verify(engine.repository, outcome.manifest, read_data=True).good
    [ref] = engine.repository.chunk_refs(changes)
    engine.repository.store.delete(f"chunks/{ref.id.hex()[:2]}/{ref.id.hex()}")
    assert not verify(engine.repository, outcome.manifest).good


def test_a_change_of_the_catalogue_has_it_taken_anew(engine: Engine, database: Db, restored: Db) -> None:
    database["a"].insert_one({"_id": 1})
    outcome = engine.back_up(
        database.name,
        consistency=Consistency.NONE,
        archived=True,
        meddle=lambda _: database["came"].insert_one({"_id": 1}),
    )
    assert "'came' was changed (create) during the backup" in engine.recorder.warnings[0]
    assert outcome.manifest.consistency.level is ConsistencyLevel.POINT_IN_TIME
    engine.restore(outcome, restored.name)
    assert differences(snapshot_of(database), snapshot_of(restored)) == []


def test_who_may_not_read_the_oplog_is_told_what_it_takes(mongod: Mongod, database: Db) -> None:
    database.create_collection("log", capped=True, size=100_000)
    database["log"].insert_one({"a": 1})
    password = mongod.create_user(f"{database.name}-reader", [{"role": "read", "db": database.name}])
    poor = Engine(mongod.uri_for(f"{database.name}-reader", password, database=database.name))
    outcome = poor.back_up(database.name)
    assert outcome.manifest.consistency.level is ConsistencyLevel.NONE
    assert any("role `backup`" in warning for warning in outcome.warnings)
    with pytest.raises(ConsistencyUnavailable, match="log"):
        poor.back_up(database.name, consistency=Consistency.REQUIRED)


def test_who_may_not_repeat_is_told_before_anything_is_written(
    mongod: Mongod, engine: Engine, database: Db, restored: Db
) -> None:
    database["a"].insert_one({"_id": 1})
    outcome = engine.back_up(
        database.name,
        consistency=Consistency.NONE,
        archived=True,
        meddle=lambda _: database["a"].insert_one({"_id": 2}),
    )
    password = mongod.create_user(f"{database.name}-writer", [{"role": "readWrite", "db": restored.name}])
    poor = Engine(mongod.uri_for(f"{database.name}-writer", password, database=restored.name), engine.repository)
    with pytest.raises(NotAuthorized, match=r"repeated, which takes .* the role `restore`"):
        poor.restore(outcome, restored.name)
    assert "a" not in restored.list_collection_names()
