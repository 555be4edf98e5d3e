"""A restore that dies anywhere is finished by the next attempt; and two of them never work on one target."""

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from pymongo.database import Database

from holdfast.domain.restoring import STATE, Existing
from holdfast.errors import TargetBusy, TargetNotEmpty
from holdfast.mongo.target import MongoTarget
from holdfast.services import target_lease
from holdfast.services.restore import restore
from holdfast.services.restore_request import RestoreRequest
from holdfast.wiring.opening import now, open_target
from tests.integration.engine.test_command_line import Command
from tests.support.compare import differences, snapshot_of
from tests.support.engine import ORIGIN, Engine
from tests.support.mongod import Mongod
from tests.support.timetrack import generate

Db = Database[dict[str, Any]]
WRITES = frozenset(
    {"create", "drop", "rename", "insert", "create_indexes", "write_note", "replace_note", "delete_note", "drop_notes"}
)


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Mortal:
    """A target whose process dies after its n-th write: from then on it reaches nothing."""

    def __init__(self, target: MongoTarget, writes: int) -> None:
        self._target, self._left = target, writes
        self.dead = False

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._target, name)
        if self.dead:
            raise Killed
        if name not in WRITES:
            return real

        def call(*arguments: Any, **more: Any) -> Any:
            self._left -= 1
            self.dead = self._left <= 0
            result = real(*arguments, **more)
            if self.dead:
                raise Killed
            return result

        return call


@pytest.fixture
def shop(database: Db) -> Db:
    for name in ("orders", "users"):
        database[name].insert_many([{"_id": n, "of": name} for n in range(20)])
        database[name].create_index("of")
    database.create_collection("series", timeseries={"timeField": "t"})
    database["series"].insert_many([{"t": now(), "n": n} for n in range(5)])
    database.create_collection("few", viewOn="orders", pipeline=[{"$limit": 2}])
    return database


def deaths(engine: Engine, outcome: Any, restored: Db, request: RestoreRequest) -> Iterator[int]:
    """Attempts that die at the 1st, 2nd, 3rd … write; ends with the one that lives."""
    for writes in range(1, 500):
        real = open_target(engine.uri, restored.name, origin=ORIGIN)
        mortal: Any = Mortal(real, writes)
        try:
            restore(request, outcome.manifest, engine.repository, mortal, engine.recorder, now, engine.stop)
        except Killed:
            # Its lease would be waited out: another test does that.
            restored[STATE].delete_one({"_id": "lease"})
            yield writes
        else:
            return
        finally:
            real.close()
    pytest.fail("it never ends")


def finished(restored: Db) -> bool:
    """Whether all is done and the notes are gone: nobody can tell such a restore from data that was always there."""
    return restored[STATE].find_one() is None and "few" in restored.list_collection_names()


def test_a_restore_that_dies_at_any_write_is_finished_by_the_next_attempt(
    engine: Engine, shop: Db, restored: Db
) -> None:
    wanted = snapshot_of(shop)
    outcome = engine.back_up(shop.name)
    request = RestoreRequest(token="the same")
    died = []
    for writes in deaths(engine, outcome, restored, request):
        died.append(writes)
        if finished(restored):
            with pytest.raises(TargetNotEmpty):
                engine.restore(outcome, restored.name, token="the same")
        else:
            assert engine.restore(outcome, restored.name, token="the same").problems == ()
            assert STATE not in restored.list_collection_names()
        assert differences(wanted, snapshot_of(restored, skip=[STATE])) == []
        restored.client.drop_database(restored.name)
    assert len(died) > 20


def test_a_swap_that_dies_at_any_write_is_finished_by_the_next_attempt(engine: Engine, shop: Db, restored: Db) -> None:
    wanted = snapshot_of(shop)
    outcome = engine.back_up(shop.name)

    def damage() -> None:
        restored.client.drop_database(restored.name)
        restored["orders"].insert_one({"_id": "damaged"})
        restored["series"].insert_one({"_id": "not even a time-series"})

    request = RestoreRequest(existing=Existing.DROP, confirm=restored.name, token="the same")
    died = []
    damage()
    for writes in deaths(engine, outcome, restored, request):
        died.append(writes)
        names = set(restored.list_collection_names())
        orders = restored["orders"].count_documents({}) if "orders" in names else None
        assert orders in (1, 20)  # the old one or the new one, at any moment
        done = engine.restore(outcome, restored.name, existing=Existing.DROP, confirm=restored.name, token="the same")
        assert done.problems == ()
        assert differences(wanted, snapshot_of(restored)) == []
        assert STATE not in " ".join(restored.list_collection_names())
        damage()
    assert len(died) > 25


def test_a_command_that_is_killed_again_and_again_is_finished_at_last(
    mongod: Mongod, database: Db, restored: Db, tmp_path: Path
) -> None:
    generate(database, entries=3_000)
    wanted = snapshot_of(database)
    restored["users"].insert_one({"_id": "old"})
    command = Command(mongod.uri.replace("/?", f"/{database.name}?authSource=admin&"))
    repository = ("--repository", f"file://{tmp_path}")
    command("backup", *repository)
    into = ("--database", restored.name, "--existing", "drop", "--confirm", restored.name)
    ends = []
    for tenths in range(4, 40, 2):
        process = command.start("restore", "latest", *repository, *into)
        try:
            process.communicate(timeout=tenths / 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        restored[STATE].delete_one({"_id": "lease"})
        ends.append(process.returncode)
        if process.returncode == 0:
            break
        assert process.returncode == -signal.SIGKILL
        found = restored["users"].count_documents({})
        assert found in (1, database["users"].count_documents({}))
    assert ends[-1] == 0
    assert len(ends) > 3
    assert differences(wanted, snapshot_of(restored)) == []


def test_what_a_dead_swap_left_is_told_and_removed_by_the_next_restore(engine: Engine, shop: Db, restored: Db) -> None:
    outcome = engine.back_up(shop.name)
    restored["other"].insert_one({})
    attempts = deaths(engine, outcome, restored, RestoreRequest(token="dead"))
    for _ in range(8):
        next(attempts)
    assert STATE in " ".join(restored.list_collection_names())
    told = " ".join(engine.plan(outcome, restored.name, token="another").warnings)
    assert "has not ended" in told
    engine.restore(outcome, restored.name, token="another")
    assert STATE not in " ".join(restored.list_collection_names())


def test_the_lease_of_a_dead_restore_is_waited_out(
    engine: Engine, shop: Db, restored: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = engine.back_up(shop.name)
    dead = open_target(engine.uri, restored.name, origin=ORIGIN)
    dead.replace_note("lease", None, {"holder": "nobody", "purpose": "a restore", "beat": "0"})
    dead.close()
    monkeypatch.setattr(target_lease, "LEASE_SECONDS", 3.0)
    monkeypatch.setattr(target_lease, "RENEWAL_SECONDS", 0.2)
    assert engine.restore(outcome, restored.name).problems == ()
    assert differences(snapshot_of(shop), snapshot_of(restored)) == []


def test_a_backup_leaves_out_what_a_restore_has_made_ready(engine: Engine, shop: Db, restored: Db) -> None:
    outcome = engine.back_up(shop.name)
    restored["other"].insert_one({})
    attempts = deaths(engine, outcome, restored, RestoreRequest(token="dead"))
    for _ in range(8):
        next(attempts)
    assert [c.name for c in engine.back_up(restored.name).manifest.collections] == ["other"]


def test_of_two_restores_into_one_target_the_second_is_told_who_is_there(
    engine: Engine, shop: Db, restored: Db, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_lease, "LEASE_SECONDS", 60.0)
    monkeypatch.setattr(target_lease, "RENEWAL_SECONDS", 0.05)
    outcome = engine.back_up(shop.name)
    first = open_target(engine.uri, restored.name, origin=ORIGIN)
    held, done = Event(), Event()

    def hold() -> None:
        with target_lease.leased(first, "the first restore", Event()):
            held.set()
            done.wait(30)

    holder = Thread(target=hold)
    holder.start()
    try:
        assert held.wait(10)
        with pytest.raises(TargetBusy, match="the first restore"):
            engine.restore(outcome, restored.name)
        assert STATE in restored.list_collection_names()
    finally:
        done.set()
        holder.join()
        first.close()
    assert engine.restore(outcome, restored.name).problems == ()
