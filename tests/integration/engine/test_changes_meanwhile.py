"""What happens to the database while it is backed up."""

from typing import Any

import pytest
from bson import Timestamp
from pymongo.database import Database

from holdfast.errors import Interrupted
from holdfast.repository.repository import Repository
from holdfast.stores.memory import MemoryStore
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine, Meddler
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]


@pytest.fixture
def two(database: Db) -> Db:
    """Two collections; something happens to the second while the first one is read."""
    for name in ("a", "z"):
        database[name].insert_many([{"_id": n, "text": "x" * 100} for n in range(500)])
    return database


@pytest.fixture(autouse=True)
def _no_long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("holdfast.services.back_up.random.uniform", lambda *_: 0.01)


def names(engine: Engine, database: Db, act: Any) -> dict[str, tuple[int, str | None]]:
    manifest = engine.back_up(database.name, meddle=act).manifest
    return {c.name: (c.documents, c.error) for c in manifest.collections}


def test_a_collection_dropped_meanwhile_is_never_an_empty_one(engine: Engine, two: Db) -> None:
    found = names(engine, two, lambda _: two["z"].drop())
    assert found == {"a": (500, None)}
    assert "'z' was dropped" in engine.recorder.warnings[0]


def test_a_collection_made_anew_meanwhile_is_read_as_the_new_one(engine: Engine, two: Db) -> None:
    def remake(_: str) -> None:
        two["z"].drop()
        two["z"].insert_one({"_id": "new"})

    assert names(engine, two, remake) == {"a": (500, None), "z": (1, None)}


def test_a_collection_renamed_meanwhile_is_backed_up_under_its_new_name(engine: Engine, two: Db) -> None:
    found = names(engine, two, lambda _: two["z"].rename("y"))
    assert found == {"a": (500, None), "y": (500, None)}


def test_a_collection_created_meanwhile_is_left_for_the_next_backup(engine: Engine, two: Db) -> None:
    found = names(engine, two, lambda _: two["new"].insert_one({}))
    assert found == {"a": (500, None), "z": (500, None)}


def test_an_index_made_meanwhile_does_not_disturb(engine: Engine, two: Db) -> None:
    found = names(engine, two, lambda _: two["z"].create_index("text"))
    assert found == {"a": (500, None), "z": (500, None)}


def test_a_collection_that_keeps_being_made_anew_fails_alone_and_not_for_ever(
    engine: Engine, two: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Meddler.read

    def read(self: Meddler, collection: Any, at: Any, keys: Any, **how: Any) -> Any:
        for batch in original(self, collection, at, keys, **how):
            yield batch
            if collection.name == "a":
                two["z"].drop()
                two["z"].insert_one({})

    monkeypatch.setattr(Meddler, "read", read)
    found = names(engine, two, lambda _: None)
    assert found["a"] == (500, None)
    assert "made anew" in str(found["z"][1])


def test_an_outage_leads_to_another_attempt_at_another_time_which_uses_the_chunks() -> None:
    with Mongod() as own:
        client = own.client
        for name in ("a", "z"):
            client["db"][name].insert_many([{"_id": n, "text": "x" * 2_000} for n in range(12_000)])
        engine = Engine(own.uri)

        def restart(_: str) -> None:
            own.kill()
            own.start()

        outcome = engine.back_up("db", meddle=restart)
        assert isinstance(engine.used, Meddler)
        assert len(engine.used.times) == 2
        assert engine.used.times[0] != engine.used.times[1]
        assert outcome.manifest.consistency.cluster_time == str(engine.used.times[1])
        engine.restore(outcome, "copy")
        assert differences(snapshot_of(own.client["db"]), snapshot_of(own.client["copy"])) == []


def test_a_snapshot_that_the_server_dropped_leads_to_another_attempt() -> None:
    with Mongod(parameters={"minSnapshotHistoryWindowInSeconds": "1"}) as own:
        own.client["db"]["a"].insert_many([{"_id": n} for n in range(10)])
        own.client["db"]["z"].insert_many([{"_id": n} for n in range(10)])

        def let_the_window_pass(_: str) -> None:
            start = own.client.admin.command("hello")["lastWrite"]["majorityOpTime"]["ts"].time
            own.client.admin.command({"setParameter": 1, "minSnapshotHistoryWindowInSeconds": 0})
            newest = Timestamp(start, 1)
            # The oldest snapshot moves on with writes; a few seconds of them pass the first backup's time.
            while newest.time < start + 3:
                own.client["db"]["clock"].insert_one({})
                newest = own.client.admin.command("hello")["lastWrite"]["majorityOpTime"]["ts"]
            own.client.admin.command("fsync")
            own.client.admin.command({"setParameter": 1, "minSnapshotHistoryWindowInSeconds": 300})

        engine = Engine(own.uri)
        outcome = engine.back_up("db", include=["a", "z"], meddle=let_the_window_pass)
        assert isinstance(engine.used, Meddler)
        assert len(engine.used.times) == 2
        assert outcome.manifest.consistency.cluster_time == str(engine.used.times[1])


def test_a_stop_ends_the_backup_without_a_manifest_and_the_next_one_uses_its_chunks(mongod: Mongod, two: Db) -> None:
    store = MemoryStore()
    engine = Engine(mongod.uri, Repository(store))
    with pytest.raises(Interrupted):
        engine.back_up(two.name, meddle=lambda name: engine.stop.set() if name == "a" else None)
    assert engine.repository.backup_ids() == []
    assert not list(store.keys("locks/"))
