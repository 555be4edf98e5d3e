"""Restoring where something is already: replaced in one step, or added to; and never more than was asked for."""

from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from holdfast.domain.restoring import STATE, Existing, Strategy
from holdfast.errors import CollectionFailed, DamagedBackup, InvalidSpec, TargetNotEmpty
from holdfast.ports import Advance
from holdfast.repository.repository import Repository
from holdfast.services.load import Loader
from holdfast.services.merge import Merged
from holdfast.services.restore_plan import RestorePlan
from holdfast.stores.memory import MemoryStore
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]
ORIGINAL = [{"_id": n, "text": f"original {n}"} for n in range(50)]


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def engine(mongod: Mongod, store: MemoryStore) -> Engine:
    return Engine(mongod.uri, Repository(store))


@pytest.fixture
def shop(database: Db) -> Db:
    """A collection with an index, a time-series, and a view."""
    database["orders"].insert_many(ORIGINAL)
    database["orders"].create_index("text", unique=True)
    database.create_collection("series", timeseries={"timeField": "t"})
    database["series"].insert_many([{"t": ObjectId().generation_time} for _ in range(20)])
    database.create_collection("some", viewOn="orders", pipeline=[{"$match": {"_id": {"$lt": 3}}}])
    return database


def drop(engine: Engine, outcome: Any, database: Db, **more: Any) -> Any:
    return engine.restore(outcome, database.name, existing=Existing.DROP, confirm=database.name, **more)


# --- replacing ---


@pytest.mark.parametrize("strategy", [Strategy.AUTO, Strategy.DIRECT])
def test_what_was_damaged_is_what_it_was(engine: Engine, shop: Db, strategy: Strategy) -> None:
    before = snapshot_of(shop)
    outcome = engine.back_up(shop.name)
    shop["orders"].delete_many({"_id": {"$gt": 10}})
    shop["orders"].create_index("other")
    shop["series"].drop()
    shop.create_collection("series", capped=True, size=4096)
    shop["some"].drop()
    shop["some"].insert_one({"_id": "no view"})
    assert differences(before, snapshot_of(shop)) != []
    done = drop(engine, outcome, shop, strategy=strategy)
    assert done.problems == ()
    assert done.strategy is (Strategy.DIRECT if strategy is Strategy.DIRECT else Strategy.SWAP)
    assert differences(before, snapshot_of(shop)) == []


def test_what_is_not_in_the_backup_stays(engine: Engine, shop: Db) -> None:
    outcome = engine.back_up(shop.name)
    shop["later"].insert_one({"_id": 1})
    plan = engine.plan(outcome, shop.name, existing=Existing.DROP, confirm=shop.name)
    assert plan.kept == ("later",)
    drop(engine, outcome, shop)
    assert shop["later"].find_one() == {"_id": 1}


@pytest.mark.parametrize("confirm", [None, "another"])
def test_nothing_is_dropped_that_is_not_confirmed(engine: Engine, shop: Db, confirm: str | None) -> None:
    outcome = engine.back_up(shop.name)
    shop["orders"].delete_many({})
    before = snapshot_of(shop)
    with pytest.raises(InvalidSpec, match="Nothing was written"):
        engine.restore(outcome, shop.name, existing=Existing.DROP, confirm=confirm)
    assert differences(before, snapshot_of(shop)) == []


def test_nobody_ever_reads_half_a_collection_in_a_swap(
    engine: Engine, database: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(database, entries=2_000)
    whole = database["timeEntries"].count_documents({})
    outcome = engine.back_up(database.name)
    seen: set[int] = set()

    def looking(*_: Any) -> None:
        seen.add(database["timeEntries"].count_documents({}))

    monkeypatch.setattr(engine.recorder, "advance", looking)
    monkeypatch.setattr(engine.recorder, "phase", looking)
    drop(engine, outcome, database)
    assert seen == {whole}


def test_what_is_replaced_can_be_backed_up_when_all_else_is_ready(engine: Engine, shop: Db) -> None:
    outcome = engine.back_up(shop.name)
    shop["orders"].delete_many({"_id": {"$gt": 10}})
    seen: list[tuple[tuple[str, ...], int]] = []

    def before(plan: RestorePlan) -> None:
        seen.append((plan.replaced, shop["orders"].count_documents({})))

    drop(engine, outcome, shop, before_replacing=before)
    assert seen == [(("orders", "series", "some"), 11)]


def test_where_what_is_replaced_cannot_be_backed_up_all_stays(engine: Engine, shop: Db) -> None:
    outcome = engine.back_up(shop.name)
    shop["orders"].delete_many({})
    before = snapshot_of(shop)

    def refuse(_: RestorePlan) -> None:
        raise CollectionFailed("it cannot")

    with pytest.raises(CollectionFailed, match="it cannot"):
        drop(engine, outcome, shop, before_replacing=refuse)
    assert differences(before, snapshot_of(shop)) == []


@pytest.mark.parametrize("gone", ["missing", "damaged"])
def test_a_chunk_that_is_gone_leaves_the_target_as_it_was(
    engine: Engine, store: MemoryStore, database: Db, gone: str
) -> None:
    database["orders"].insert_many([{"_id": n, "text": f"{n}" * 50} for n in range(500)])
    outcome = engine.back_up(database.name)
    database["orders"].delete_many({"_id": {"$gt": 10}})
    before = snapshot_of(database)
    key = max(store.keys("chunks/"), key=lambda key: len(store.objects[key]))
    if gone == "missing":
        store.delete(key)
    else:
        store.objects[key] = store.objects[key][:-10] + bytes(10)
    with pytest.raises(DamagedBackup):
        drop(engine, outcome, database)
    assert differences(before, snapshot_of(database)) == []
    assert STATE not in " ".join(database.list_collection_names())


@pytest.mark.parametrize("strategy", [Strategy.AUTO, Strategy.DIRECT])
@pytest.mark.parametrize("options", [{}, {"timeseries": {"timeField": "t"}}], ids=["plain", "timeseries"])
def test_nothing_is_dropped_for_a_chunk_that_cannot_be_read(
    engine: Engine, store: MemoryStore, database: Db, options: dict[str, Any], strategy: Strategy
) -> None:
    database["small"].insert_one({})
    database.create_collection("readings", **options)
    database["readings"].insert_many([{"t": ObjectId().generation_time, "text": f"{n}" * 50} for n in range(500)])
    outcome = engine.back_up(database.name)
    before = snapshot_of(database)
    key = max(store.keys("chunks/"), key=lambda key: len(store.objects[key]))
    store.objects[key] = store.objects[key][:-10] + bytes(10)
    with pytest.raises(DamagedBackup):
        drop(engine, outcome, database, strategy=strategy)
    assert differences(before, snapshot_of(database)) == []


APPEARING: dict[str, dict[str, Any]] = {
    "collection": {"capped": True, "size": 4096},
    "timeseries": {"timeseries": {"timeField": "t"}},
    "view": {"viewOn": "orders", "pipeline": [{"$match": {"_id": 0}}]},
}


@pytest.mark.parametrize("kind", APPEARING)
def test_a_collection_that_appears_in_a_direct_restore_is_left_as_it_is_by_the_next_attempt_too(
    engine: Engine, database: Db, restored: Db, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    database["orders"].insert_one({})
    database.create_collection("theirs", **APPEARING[kind])
    outcome = engine.back_up(database.name)
    real = Loader.load

    def intrude(loader: Loader, *arguments: Any) -> list[str]:
        restored.create_collection("theirs", **APPEARING[kind])
        if kind == "timeseries":
            restored["theirs"].insert_one({"t": ObjectId().generation_time})
        return real(loader, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(Loader, "load", intrude)
        with pytest.raises(TargetNotEmpty, match=r"'theirs' of database .* appeared"):
            engine.restore(outcome, restored.name, token="the same")
    with pytest.raises(TargetNotEmpty, match="has 'theirs' already"):
        engine.restore(outcome, restored.name, token="the same")
    assert [one["type"] for one in restored.list_collections(filter={"name": "theirs"})] == [kind]
    assert restored["theirs"].count_documents({}) == (kind == "timeseries")


def test_a_collection_that_appears_meanwhile_is_left_as_it_is(
    engine: Engine, database: Db, restored: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(database, entries=200)
    restored["there"].insert_one({})  # so that it is a swap
    outcome = engine.back_up(database.name)

    def intrude(_: Advance) -> None:
        restored["users"].update_one({"_id": "theirs"}, {"$set": {}}, upsert=True)

    monkeypatch.setattr(engine.recorder, "advance", intrude)
    with pytest.raises(TargetNotEmpty, match="'users' appeared"):
        engine.restore(outcome, restored.name)
    assert sorted(restored.list_collection_names()) == ["there", "users"]
    assert restored["users"].find_one() == {"_id": "theirs"}


# --- other names ---


def test_a_collection_can_be_given_another_name(engine: Engine, shop: Db) -> None:
    before = snapshot_of(shop)
    outcome = engine.back_up(shop.name)
    engine.restore(outcome, shop.name, include=["orders"], rename=(("orders", "orders_restored"),))
    after = snapshot_of(shop, skip=["orders_restored"])
    assert differences(before, after) == []
    assert list(shop["orders_restored"].find()) == ORIGINAL
    assert "text_1" in shop["orders_restored"].index_information()


def test_a_view_looks_at_its_collection_under_the_new_name(engine: Engine, shop: Db, restored: Db) -> None:
    engine.restore(engine.back_up(shop.name), restored.name, rename=(("orders", "old"),))
    assert list(restored["some"].find()) == ORIGINAL[:3]


@pytest.mark.parametrize(
    ("rename", "said"),
    [
        ((("nothing", "x"),), "does not have it"),
        ((("orders", "a"), ("orders", "b")), "renamed twice"),
        ((("orders", "series"),), "Two collections"),
        ((("orders", "system.views"),), "not a name"),
        ((("orders", STATE),), "not a name"),
        ((("orders", "x" * 250),), "bytes"),
    ],
)
def test_a_name_that_cannot_be_is_refused(
    engine: Engine, shop: Db, restored: Db, rename: tuple[tuple[str, str], ...], said: str
) -> None:
    with pytest.raises(InvalidSpec, match=said):
        engine.restore(engine.back_up(shop.name), restored.name, rename=rename)
    assert restored.list_collection_names() == []


# --- merging ---


def test_a_merge_inserts_what_is_missing_and_tells_what_differs(engine: Engine, shop: Db) -> None:
    outcome = engine.back_up(shop.name, include=["orders"])
    shop["orders"].delete_many({"_id": {"$lt": 20}})
    shop["orders"].update_one({"_id": 30}, {"$set": {"text": "mine"}})
    shop["orders"].insert_one({"_id": 100, "text": "new"})
    done = engine.restore(outcome, shop.name, existing=Existing.MERGE)
    assert done.problems == ()
    assert done.collections[0].merged == Merged(20, 29, 1, (), done.warnings)
    assert "1 documents of 'orders' are there in another form" in done.warnings[0]
    assert shop["orders"].count_documents({}) == 51
    assert shop["orders"].find_one({"_id": 30}) == {"_id": 30, "text": "mine"}


def test_a_merge_creates_the_collections_that_are_not_there(engine: Engine, shop: Db) -> None:
    before = snapshot_of(shop)
    outcome = engine.back_up(shop.name)
    shop["series"].drop()
    shop["some"].drop()
    assert engine.restore(outcome, shop.name, existing=Existing.MERGE).problems == ()
    assert differences(before, snapshot_of(shop)) == []


def test_a_merge_that_a_unique_index_keeps_from_inserting_is_no_success(engine: Engine, shop: Db) -> None:
    outcome = engine.back_up(shop.name, include=["orders"])
    shop["orders"].delete_one({"_id": 1})
    shop["orders"].insert_one({"_id": "other", "text": "original 1"})
    done = engine.restore(outcome, shop.name, existing=Existing.MERGE)
    assert "1 documents of 'orders' are not in the target" in done.problems[0]


def test_a_merge_may_be_repeated(engine: Engine, shop: Db) -> None:
    outcome = engine.back_up(shop.name, include=["orders"])
    shop["orders"].delete_many({})
    engine.restore(outcome, shop.name, existing=Existing.MERGE)
    done = engine.restore(outcome, shop.name, existing=Existing.MERGE)
    assert done.collections[0].merged == Merged(0, 50, 0)


@pytest.mark.parametrize("name", ["series", "capped"])
def test_what_cannot_be_merged_into_is_refused(engine: Engine, shop: Db, name: str) -> None:
    shop.create_collection("capped", capped=True, size=4096)
    outcome = engine.back_up(shop.name)
    with pytest.raises(InvalidSpec, match="cannot be merged"):
        engine.restore(outcome, shop.name, include=[name], existing=Existing.MERGE)


@pytest.mark.parametrize("existing", [Existing.MERGE, Existing.DROP])
def test_a_repository_in_the_target_is_neither_merged_into_nor_replaced(
    engine: Engine, shop: Db, restored: Db, existing: Existing
) -> None:
    outcome = engine.back_up(shop.name)
    restored["backupmetadatas"].insert_one({"_id": "a manifest"})
    wish: dict[str, Any] = {"existing": existing, "rename": (("orders", "backupmetadatas"),)}
    if existing is Existing.DROP:
        wish["confirm"] = restored.name
    with pytest.raises(InvalidSpec, match="holds backups"):
        engine.restore(outcome, restored.name, ["orders"], **wish)
    assert list(restored["backupmetadatas"].find()) == [{"_id": "a manifest"}]


def test_a_merge_and_a_swap_exclude_each_other(engine: Engine, shop: Db) -> None:
    with pytest.raises(InvalidSpec):
        engine.restore(engine.back_up(shop.name), shop.name, existing=Existing.MERGE, strategy=Strategy.SWAP)
