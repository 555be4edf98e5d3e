"""A plan says exactly what a restore would do, and changes nothing."""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.restoring import Existing, Strategy
from holdfast.errors import InvalidSpec, NotAuthorized, StoreFull
from holdfast.mongo.target import MongoTarget
from holdfast.ports import ServerInfo
from tests.support.compare import differences, snapshot_of
from tests.support.engine import Engine
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
MIB = 2**20


@pytest.fixture
def shop(database: Db) -> Db:
    database["orders"].insert_many([{"_id": n} for n in range(5)])
    database["orders"].create_index("text")
    database["users"].insert_many([{"_id": n} for n in range(3)])
    database.create_collection("few", viewOn="orders", pipeline=[])
    return database


def test_each_collection_is_listed_with_what_becomes_of_it(engine: Engine, shop: Db, restored: Db) -> None:
    outcome = engine.back_up(shop.name)
    restored["orders"].insert_one({})
    plan = engine.plan(outcome, restored.name, existing=Existing.DROP, confirm=restored.name, exclude=("few",))
    assert [(c.name, c.action, c.documents, c.indexes, c.existing_documents, c.way) for c in plan.collections] == [
        ("orders", "replace", 5, 2, 1, Strategy.SWAP),
        ("users", "create", 3, 1, None, Strategy.SWAP),
    ]
    assert (plan.documents, plan.indexes, plan.strategy, plan.conflicts) == (8, 3, Strategy.SWAP, ())


def test_a_plan_changes_nothing(engine: Engine, shop: Db) -> None:
    outcome = engine.back_up(shop.name)
    shop["orders"].delete_many({})
    before = snapshot_of(shop)
    for existing in Existing:
        engine.plan(outcome, shop.name, existing=existing, confirm=shop.name)
    assert differences(before, snapshot_of(shop)) == []


def test_an_empty_target_is_written_directly_and_another_by_a_swap(engine: Engine, shop: Db, restored: Db) -> None:
    outcome = engine.back_up(shop.name)
    assert engine.plan(outcome, restored.name).strategy is Strategy.DIRECT
    restored["other"].insert_one({})
    assert engine.plan(outcome, restored.name).strategy is Strategy.SWAP
    assert engine.plan(outcome, restored.name, strategy=Strategy.DIRECT).strategy is Strategy.DIRECT


def test_what_is_in_the_way_is_a_conflict(engine: Engine, shop: Db) -> None:
    plan = engine.plan(engine.back_up(shop.name), shop.name)
    assert "'orders'" in plan.conflicts[0]
    assert "'users'" in plan.conflicts[0]


def test_the_estimate_is_that_of_past_restores(engine: Engine, shop: Db, restored: Db) -> None:
    plan = engine.plan(engine.back_up(shop.name), restored.name, bytes_per_second=10.0)
    assert plan.estimated_seconds == plan.bytes / 10


def test_a_user_who_may_not_write_learns_it_before_anything_is_written(
    mongod: Mongod, engine: Engine, shop: Db, restored: Db
) -> None:
    outcome = engine.back_up(shop.name)
    name = f"reader-{shop.name}"
    password = mongod.create_user(name, [{"role": "read", "db": restored.name}])
    reader = Engine(mongod.uri_for(name, password), engine.repository)
    plan = reader.plan(outcome, restored.name)
    assert "insert" in plan.conflicts[0]
    assert "readWrite" in plan.conflicts[0]
    with pytest.raises(NotAuthorized):
        reader.restore(outcome, restored.name)
    assert restored.list_collection_names() == []


def test_the_role_readwrite_is_enough(mongod: Mongod, engine: Engine, shop: Db, restored: Db) -> None:
    outcome = engine.back_up(shop.name)
    restored["orders"].insert_one({})
    name = f"writer-{shop.name}"
    password = mongod.create_user(name, [{"role": "readWrite", "db": restored.name}])
    writer = Engine(mongod.uri_for(name, password), engine.repository)
    done = writer.restore(outcome, restored.name, existing=Existing.DROP, confirm=restored.name)
    assert (done.problems, done.strategy) == ((), Strategy.SWAP)


@pytest.mark.parametrize(
    ("options", "lacking", "enough"),
    [
        ({"validator": {"a": 1}}, "bypassDocumentValidation on 'special'", {"dbAdmin": "TARGET"}),
        (
            {"timeseries": {"timeField": "t"}},
            "find, insert on 'system.buckets.special'",
            {"restore": "admin", "backup": "admin"},
        ),
    ],
)
def test_what_takes_more_than_readwrite_is_said(
    mongod: Mongod,
    engine: Engine,
    database: Db,
    restored: Db,
    options: dict[str, Any],
    lacking: str,
    enough: dict[str, str],
) -> None:
    database.create_collection("special", **options)
    outcome = engine.back_up(database.name)
    roles = [{"role": "readWrite", "db": restored.name}]
    few, more = f"few-{database.name}", f"more-{database.name}"
    writer = Engine(mongod.uri_for(few, mongod.create_user(few, roles)), engine.repository)
    assert lacking in writer.plan(outcome, restored.name).conflicts[0]
    roles += [{"role": role, "db": where.replace("TARGET", restored.name)} for role, where in enough.items()]
    able = Engine(mongod.uri_for(more, mongod.create_user(more, roles)), engine.repository)
    assert able.plan(outcome, restored.name).conflicts == ()
    assert able.restore(outcome, restored.name).problems == ()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Mongod]:
    """A server on a disk with 4 MiB left."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", tmp_path], check=True)
    try:
        with Mongod(directory=tmp_path / "server", replica_set=False, auth=False) as server:
            _fill_disk(tmp_path, leave=4 * MIB)
            yield server
    finally:
        subprocess.run(["umount", "--lazy", tmp_path], check=True)  # a server that has just ended may still hold it


def _fill_disk(path: Path, *, leave: int) -> None:
    """Step by step: the server takes room meanwhile."""
    with (path / "filler").open("wb") as filler:
        while (left := os.statvfs(path)).f_bavail * left.f_frsize > leave + MIB:
            filler.write(bytes(MIB))
            filler.flush()


def test_a_disk_without_room_is_a_conflict_before_anything_is_written(
    engine: Engine, small_disk: Mongod, database: Db
) -> None:
    database["noise"].insert_many([{"_id": n, "noise": os.urandom(MIB)} for n in range(8)])
    outcome = engine.back_up(database.name)
    into = Engine(small_disk.uri, engine.repository)
    conflicts = into.plan(outcome, database.name).conflicts
    assert re.search(r"disk has [34]\.\d MiB free, and at least 8\.\d MiB are needed", conflicts[0])
    with pytest.raises(StoreFull, match="Nothing was written"):
        into.restore(outcome, database.name)
    assert database.name not in small_disk.client.list_database_names()


@pytest.mark.parametrize(
    ("version", "options", "said"),
    [
        ("4.4.29", {"clusteredIndex": {"key": {"_id": 1}, "unique": True}}, "5.3"),
        ("4.4.29", {"timeseries": {"timeField": "t"}}, "5.0"),
        ("5.0.9", {"changeStreamPreAndPostImages": {"enabled": True}}, "6.0"),
    ],
)
def test_a_server_that_cannot_take_a_collection_is_named(
    engine: Engine,
    database: Db,
    restored: Db,
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    options: dict[str, Any],
    said: str,
) -> None:
    database.create_collection("special", **options)
    outcome = engine.back_up(database.name)
    monkeypatch.setattr(MongoTarget, "server", lambda _: ServerInfo(version, "replicaSet", "rs0"))
    plan = engine.plan(outcome, restored.name)
    assert "'special'" in plan.conflicts[0]
    assert said in plan.conflicts[0]
    assert any("older than" in warning for warning in plan.warnings)
    with pytest.raises(InvalidSpec):
        engine.restore(outcome, restored.name)


def test_a_view_whose_collection_is_left_out_is_told(engine: Engine, shop: Db, restored: Db) -> None:
    plan = engine.plan(engine.back_up(shop.name), restored.name, include=("few",))
    assert plan.warnings == ("View 'few' looks at 'orders', which is not restored.",)


def test_a_partial_backup_gives_what_it_has_and_says_what_it_lacks(engine: Engine, shop: Db, restored: Db) -> None:
    outcome = engine.back_up(shop.name)
    broken = tuple(
        c.model_copy(update={"error": "It was refused."}) if c.name == "users" else c
        for c in outcome.manifest.collections
    )
    partial = replace(outcome, manifest=outcome.manifest.model_copy(update={"collections": broken}))
    assert engine.plan(partial, restored.name).warnings == ("Collection 'users' is not in the backup: It was refused.",)
    done = engine.restore(partial, restored.name)
    assert (done.skipped, done.problems) == (("users",), ())
    assert sorted(restored.list_collection_names()) == ["few", "orders", "system.views"]
