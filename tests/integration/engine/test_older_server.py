"""Restoring into a server that is behind the one that was backed up: by its version, or by how it is set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bson import ObjectId
from pymongo.database import Database

from holdfast.domain.restoring import STATE, Existing, Strategy
from holdfast.errors import InvalidSpec, OperationFailed
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod
from tests.support.mongod_versions import mongod_of
from tests.support.server import Server

Db = Database[dict[str, Any]]
CLUSTERED: dict[str, Any] = {"clusteredIndex": {"key": {"_id": 1}, "unique": True}}
IMAGES: dict[str, Any] = {"changeStreamPreAndPostImages": {"enabled": True}}
BY_SETTING = "6.0 set to 5.0"


@pytest.fixture(scope="module", params=["5.0.32", BY_SETTING])
def older(request: pytest.FixtureRequest) -> Iterator[Mongod]:
    """A real MongoDB 5.0, and a 6.0 with the feature compatibility version of one."""
    with Mongod(program=None if request.param == BY_SETTING else mongod_of("5.0.32")) as server:
        server.client.admin.command({"setFeatureCompatibilityVersion": "5.0"})
        yield server


@pytest.fixture
def there(older: Mongod, database: Db) -> Iterator[Db]:
    """A database of the older server, with something in it."""
    place = older.client[database.name]
    place["special"].insert_one({"_id": "theirs"})
    place["orders"].insert_one({"_id": "theirs"})
    yield place
    older.client.drop_database(place.name)


def writer(older: Mongod, there: Db, engine: Engine) -> Engine:
    """One who may write, and not ask how the server is set."""
    name = f"writer-{there.name}"
    return Engine(
        older.uri_for(name, older.create_user(name, [{"role": "readWrite", "db": there.name}])), engine.repository
    )


@pytest.mark.parametrize(("options", "said"), [(CLUSTERED, "5.3"), (IMAGES, "6.0")], ids=["clustered", "images"])
def test_what_it_cannot_take_is_a_conflict_of_the_plan(
    older: Mongod, engine: Engine, database: Db, there: Db, options: dict[str, Any], said: str
) -> None:
    database.create_collection("special", **options)
    outcome = engine.back_up(database.name)
    before = snapshot_of(there)
    into = Engine(older.uri, engine.repository)
    wish: dict[str, Any] = {"existing": Existing.DROP, "confirm": there.name}
    plan = into.plan(outcome, there.name, **wish)
    assert "'special'" in plan.conflicts[0]
    version = older.client.server_info()["version"]
    name = f"MongoDB {version}" if version.startswith("5.0") else "feature compatibility version 5.0"
    assert f"{name}:" in plan.conflicts[0]
    assert said in plan.conflicts[0]
    assert any("older than the 6.0" in warning for warning in plan.warnings)
    with pytest.raises(InvalidSpec, match="Nothing was written"):
        into.restore(outcome, there.name, **wish)
    assert differences(before, snapshot_of(there)) == []


@pytest.mark.parametrize("older", [BY_SETTING], indirect=True)
@pytest.mark.parametrize("strategy", [Strategy.AUTO, Strategy.DIRECT])
def test_where_a_plan_cannot_know_it_the_target_is_left_as_it_was(
    older: Mongod, engine: Engine, database: Db, there: Db, strategy: Strategy
) -> None:
    database["orders"].insert_many([{"_id": n} for n in range(5)])
    database.create_collection("special", **CLUSTERED)
    outcome = engine.back_up(database.name)
    before = snapshot_of(there)
    into = writer(older, there, engine)
    wish: dict[str, Any] = {"existing": Existing.DROP, "confirm": there.name, "strategy": strategy}
    assert into.plan(outcome, there.name, **wish).conflicts == ()
    with pytest.raises(OperationFailed, match=rf"'clusteredIndex'.*{there.name}\.special.*The target is as it was"):
        into.restore(outcome, there.name, **wish)
    assert differences(before, snapshot_of(there)) == []
    assert STATE not in " ".join(there.list_collection_names())


def test_what_it_can_take_is_restored_exactly(older: Mongod, engine: Engine, database: Db, there: Db) -> None:
    database["orders"].insert_many([{"_id": n} for n in range(5)])
    database.create_collection("series", timeseries={"timeField": "t"})
    database["series"].insert_many([{"t": ObjectId().generation_time, "n": n} for n in range(20)])
    database.create_collection("some", viewOn="orders", pipeline=[{"$match": {"_id": 1}}])
    outcome = engine.back_up(database.name)
    there["special"].drop()
    into = Engine(older.uri, engine.repository)
    assert into.restore(outcome, there.name, existing=Existing.DROP, confirm=there.name).problems == ()
    assert differences(snapshot_of(database), snapshot_of(there)) == []


def test_it_can_be_backed_up_itself(older: Mongod, engine: Engine, there: Db, restored: Db) -> None:
    there.create_collection("series", timeseries={"timeField": "t"})
    there["series"].insert_many([{"t": ObjectId().generation_time, "n": n} for n in range(20)])
    outcome = Engine(older.uri, engine.repository).back_up(there.name)
    assert (outcome.warnings, outcome.manifest.consistency.level) == ((), "Snapshot")
    assert engine.restore(outcome, restored.name).problems == ()
    assert differences(snapshot_of(there), snapshot_of(restored)) == []


def test_a_time_series_is_not_for_one_that_does_what_4_4_does(engine: Engine, database: Db) -> None:
    database.create_collection("series", timeseries={"timeField": "t"})
    database["orders"].insert_one({"_id": 1})
    outcome = engine.back_up(database.name)
    with Mongod(program=mongod_of("5.0.32")) as server:
        server.client.admin.command({"setFeatureCompatibilityVersion": "4.4"})
        there = Engine(server.uri, engine.repository)
        with pytest.raises(
            InvalidSpec, match=r"'series' cannot be restored .* needs MongoDB 5\.0 .*Nothing was written"
        ):
            there.restore(outcome, database.name)
        assert server.client[database.name].list_collection_names() == []
        assert there.restore(outcome, database.name, exclude=["series"]).problems == ()


class Ancient(Server):
    """A real MongoDB 4.2. The driver does not speak with it, so it is no harness for a Mongod."""

    name = "mongod-4.2"

    @staticmethod
    def install() -> Path:
        return mongod_of("4.2.6")

    def command(self) -> list[str | Path]:
        return [self.install(), "--dbpath", self.directory, "--port", str(self.port), "--bind_ip", "127.0.0.1",
                "--nounixsocket"]  # fmt: skip


def test_one_before_4_4_is_neither_backed_up_nor_restored_into(engine: Engine, database: Db) -> None:
    database["orders"].insert_one({"_id": 1})
    outcome = engine.back_up(database.name)
    with Ancient() as ancient:
        there = Engine(f"mongodb://127.0.0.1:{ancient.port}", engine.repository)
        with pytest.raises(InvalidSpec, match=r"older than MongoDB 4\.4"):
            there.back_up(database.name)
        with pytest.raises(InvalidSpec, match=r"older than MongoDB 4\.4"):
            there.restore(outcome, database.name, existing=Existing.DROP, confirm=database.name)
