"""Restores to a point in time: exact under any load, refused across a gap, and finished after any kill."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from random import Random
from threading import Event, Thread
from typing import Any

import pytest
from bson import Int64, decode
from bson.timestamp import Timestamp
from pymongo.client_session import ClientSession
from pymongo.write_concern import WriteConcern

from holdfast.domain.oplog import Operation
from holdfast.errors import BackupNotFound, Interrupted, InvalidSpec, TargetNotEmpty, TimeNotReachable
from holdfast.mongo.replay import MongoReplayer
from holdfast.ports import ClusterTime
from holdfast.repository.slices import Slices
from holdfast.services.find_event import Accident, time_before
from holdfast.services.prune_slices import prune_slices
from holdfast.services.restore_request import RestoreRequest
from holdfast.wiring.opening import open_oplog
from tests.integration.engine.test_command_line import Command
from tests.support.compare import OWN_COLLECTIONS, differences, snapshot_of
from tests.support.engine import ORIGIN, Engine
from tests.support.mongod import Mongod
from tests.support.point import Db, Point
from tests.support.runbook import commands_of
from tests.support.timetrack import generate

TIMES = 50


@pytest.fixture(scope="module")
def mongod() -> Iterator[Mongod]:
    """A replica set that divides a transaction over several entries of its oplog, as others do with a large one."""
    # enableTestCommands, and every right: only then may a transaction be prepared that is not of a sharded cluster.
    parameters = {"maxNumberOfTransactionOperationsInSingleOplogEntry": 2, "enableTestCommands": 1}
    with Mongod(parameters=parameters) as server:
        admin = server.client.admin
        everything = [{"resource": {"anyResource": True}, "actions": ["anyAction"]}]
        admin.command("createRole", "everything", privileges=everything, roles=[])
        [user] = admin.command("connectionStatus")["authInfo"]["authenticatedUsers"]
        admin.command("grantRolesToUser", user["user"], roles=["everything"])
        yield server


@pytest.fixture
def point(engine: Engine, database: Db) -> Point:
    return Point(engine, database)


class Load:
    """A mixed load in steps that are the same for the same seed."""

    def __init__(self, database: Db, seed: int) -> None:
        self.db, self.random, self.step = database, Random(seed), 0  # noqa: S311

    def begin(self) -> None:
        self.db["stable"].insert_many([{"_id": i, "n": 0, "tags": []} for i in range(50)])
        self.db["stable"].create_index("n")
        self.db.create_collection("series", timeseries={"timeField": "at", "metaField": "who"})
        self.db["expiring"].create_index("at", expireAfterSeconds=3_600)
        self.db["expiring"].insert_one({"_id": 0, "at": datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=36_500)})
        self.db.create_collection("german", collation={"locale": "de"})

    def run(self) -> None:
        """One step: one of everything that writes an entry of its own kind."""
        self.step += 1
        acts = [
            self.write, self.write, self.write, self.transact, self.transact, self.large_transaction,
            self.make_and_drop, self.rename, self.modify, self.index, self.series, self.view, self.capped,
            self.collated, self.prepare, self.clustered,
        ]  # fmt: skip
        self.random.choice(acts)()

    def write(self) -> None:
        stable, n = self.db["stable"], self.random.randrange(60)
        stable.update_one({"_id": n}, {"$inc": {"n": 1}, "$push": {"tags": self.step}}, upsert=True)
        stable.update_many({"n": {"$gt": 2}}, {"$set": {"deep.er": self.step}})
        stable.delete_one({"_id": self.random.randrange(60)})
        stable.replace_one({"_id": n + 1}, {"n": Int64(self.step), "whole": True}, upsert=True)
        stable.insert_many([{"_id": f"{self.step}-{i}", "n": i} for i in range(5)])

    def transact(self) -> None:
        within = f"within{self.random.randrange(4)}"

        def write(session: ClientSession) -> None:
            self.db["stable"].update_one({"_id": 1}, {"$inc": {"n": 1}}, upsert=True, session=session)
            self.db[within].insert_one({"step": self.step}, session=session)
            self.db.client[f"{self.db.name}_other"]["x"].insert_one({"step": self.step}, session=session)

        with self.db.client.start_session() as session:
            session.with_transaction(write)
        with self.db.client.start_session() as session:
            session.start_transaction()
            self.db["stable"].insert_one({"_id": f"aborted{self.step}"}, session=session)
            session.abort_transaction()

    def large_transaction(self) -> None:
        """Over several entries."""

        def write(session: ClientSession) -> None:
            for i in range(5):
                self.db["large"].replace_one({"_id": i}, {"step": self.step}, upsert=True, session=session)

        with self.db.client.start_session() as session:
            session.with_transaction(write)

    def prepare(self) -> None:
        """As on a shard: what is prepared waits, over several entries, for its commit, or is taken back."""
        admin, majority = self.db.client.admin, {"w": "majority"}
        for end in ("commitTransaction", "abortTransaction"):
            with self.db.client.start_session() as session:
                session.start_transaction(write_concern=WriteConcern("majority"))
                for i in range(5):
                    key, content = f"{end}{i}", {"step": self.step}
                    self.db["large"].replace_one({"_id": key}, content, upsert=True, session=session)
                prepared = admin.command("prepareTransaction", 1, writeConcern=majority, session=session)
                self.db["stable"].insert_one({"_id": f"{end}{self.step}"})
                when = {"commitTimestamp": prepared["prepareTimestamp"]} if end == "commitTransaction" else {}
                admin.command(end, 1, writeConcern=majority, session=session, **when)

    def clustered(self) -> None:
        if "clustered" not in self.db.list_collection_names():
            by_key = {"key": {"_id": 1}, "unique": True, "name": "by key"}
            self.db.create_collection("clustered", clusteredIndex=by_key)
        self.db["clustered"].replace_one({"_id": self.step % 5}, {"step": self.step}, upsert=True)

    def make_and_drop(self) -> None:
        name = f"made{self.random.randrange(3)}"
        if name in self.db.list_collection_names():
            self.db.drop_collection(name)
        else:
            self.db.create_collection(name, validator={"n": {"$gte": 0}}, validationLevel="moderate")
            self.db[name].create_index("n")  # of an empty collection: one entry, and no build
            self.db[name].insert_one({"n": self.step})

    def rename(self) -> None:
        self.db["moving"].insert_one({"step": self.step})
        self.db["moving"].create_index("step")
        self.db["moving"].rename("moved", dropTarget=True)
        self.db["moved"].insert_one({"step": -self.step})

    def modify(self) -> None:
        self.db.command({"collMod": "expiring", "index": {"name": "at_1", "expireAfterSeconds": 3_600 + self.step}})
        self.db.command({"collMod": "stable", "validator": {"n": {"$exists": True}}, "validationAction": "warn"})

    def index(self) -> None:
        name = f"field{self.random.randrange(3)}"
        if f"{name}_1" in self.db["stable"].index_information():
            self.db["stable"].drop_index(f"{name}_1")
        else:
            self.db["stable"].create_index(name, sparse=True)

    def series(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=self.step)
        self.db["series"].insert_many(
            [{"at": at + timedelta(seconds=i), "who": i % 2, "v": self.step} for i in range(4)]
        )
        if self.step % 3 == 0:
            self.db["series"].create_index("who")

    def view(self) -> None:
        name = f"view{self.random.randrange(2)}"
        if name not in self.db.list_collection_names():
            self.db.create_collection(name, viewOn="stable", pipeline=[{"$match": {"n": self.step}}])
        elif self.random.random() < 0.5:
            self.db.command({"collMod": name, "viewOn": "stable", "pipeline": [{"$match": {"n": -self.step}}]})
        else:
            self.db.drop_collection(name)

    def capped(self) -> None:
        if "ring" not in self.db.list_collection_names():
            self.db.create_collection("ring", capped=True, size=1_000_000, max=20)
        self.db["ring"].insert_many([{"step": self.step, "i": i} for i in range(7)])

    def collated(self) -> None:
        self.db["german"].insert_one({"_id": f"ä{self.step}", "name": "Ä"})
        if self.step % 2:
            self.db["german"].create_index("name")
        else:
            self.db["german"].create_index("name", name="simple", collation={"locale": "simple"})


IN_THE_LOAD = {
    "i", "u", "d", "create", "drop", "renameCollection", "collMod", "dropIndexes", "createIndexes", "startIndexBuild",
    "commitIndexBuild", "applyOps", "partialTxn", "prepare", "commitTransaction", "abortTransaction",
}  # fmt: skip
"""A server of 6.0 writes no vectored inserts: their entries are those of the unit tests."""


def kinds_in(slices: Slices) -> set[str]:
    """What the archived entries are of."""
    found: set[str] = set()
    for name in slices.names():
        for raw in slices.read(name).entries:
            entry = decode(raw)
            found |= {entry["op"]} if entry["op"] != "c" else {next(iter(entry["o"])), *entry["o"]}
    return found


def test_at_fifty_random_times_all_is_as_the_database_was(point: Point, restored: Db) -> None:
    """Data, options and indexes of every collection, under transactions, changes of the catalogue and index builds."""
    load = Load(point.source, seed=7)
    load.begin()
    point.archive()
    point.engine.back_up(point.source.name)
    images = []
    for _ in range(TIMES):
        for _ in range(load.random.randrange(1, 6)):
            load.run()
        images.append((point.time(), load.step, snapshot_of(point.source)))
        if load.random.random() < 0.2:
            point.archive(slice_bytes=100_000)
        if load.random.random() < 0.05:
            point.engine.back_up(point.source.name)
    point.archive()
    for time, step, image in images:
        point.restore(time, restored)
        assert not [(step, one) for one in differences(image, snapshot_of(restored))]
        restored.client.drop_database(restored.name)
    point.source.client.drop_database(f"{point.source.name}_other")
    assert kinds_in(point.slices()) >= IN_THE_LOAD


def test_in_the_middle_of_a_concurrent_load_it_is_what_a_snapshot_read_shows(point: Point, restored: Db) -> None:
    source, ended = point.source, Event()
    names = ("a", "b")
    for name in names:
        source[name].insert_many([{"_id": i, "n": 0} for i in range(40)])
    point.archive()
    point.engine.back_up(source.name)

    def write(seed: int) -> None:
        random = Random(seed)  # noqa: S311
        while not ended.is_set():
            one, other = random.sample(range(10 * seed, 10 * seed + 10), 2)
            with source.client.start_session() as session, session.start_transaction():
                source["a"].update_one({"_id": one}, {"$inc": {"n": 1}}, session=session)
                source["b"].update_one({"_id": other}, {"$inc": {"n": 1}}, session=session)

    threads = [Thread(target=write, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    seen: list[tuple[ClusterTime, dict[str, list[Any]]]] = []
    try:
        while len(seen) < 10:
            time = point.time()
            seen.append((time, {name: _at(source, name, time) for name in names}))
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    point.archive()
    for time, content in seen:
        point.restore(time, restored)
        assert {name: list(restored[name].find().sort("_id")) for name in names} == content
        sums = [sum(one["n"] for one in content[name]) for name in names]
        assert sums[0] == sums[1]
        restored.client.drop_database(restored.name)


def _at(source: Db, name: str, time: ClusterTime) -> list[Any]:
    concern = {"level": "snapshot", "atClusterTime": Timestamp(time.seconds, time.increment)}
    return list(source.command({"find": name, "sort": {"_id": 1}, "readConcern": concern})["cursor"]["firstBatch"])


def test_just_before_a_drop_everything_is_there(point: Point, restored: Db) -> None:
    point.source["users"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(point.source.name)
    point.source["users"].insert_one({"_id": 2})
    point.source["users"].drop()
    point.source["users"].insert_one({"_id": 3})
    point.archive()
    point.restore(time_before(point.engine.repository, None, Accident("drop", "users")), restored)
    assert [one["_id"] for one in restored["users"].find()] == [1, 2]


def test_just_before_a_database_was_dropped_all_its_collections_are_there(point: Point, restored: Db) -> None:
    """The server drops them one by one before."""
    source = point.source
    source["a"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(source.name)
    source["b"].insert_one({"_id": 2})
    source["c"].insert_one({"_id": 3})
    source.client.drop_database(source.name)
    source["later"].insert_one({"_id": 4})
    point.archive()
    time = time_before(point.engine.repository, None, Accident("dropDatabase", source.name))
    assert point.restore(time, restored).collections == ("a", "b", "c")


def test_just_before_a_collection_was_renamed_it_has_its_name(point: Point, restored: Db) -> None:
    source = point.source
    source["a"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(source.name)
    source["a"].insert_one({"_id": 2})
    source["a"].rename("b")
    point.archive()
    time = time_before(point.engine.repository, None, Accident("renameCollection", f"{source.name}.a"))
    assert point.restore(time, restored).collections == ("a",)
    assert restored["a"].count_documents({}) == 2


def test_what_came_after_the_backup_can_be_had_alone(point: Point, restored: Db) -> None:
    source = point.source
    source["a"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(source.name)
    source["late"].insert_one({"_id": 2})
    point.archive()
    until = point.slices().windows()[0].until
    assert point.restore(until, restored, RestoreRequest(include=("late",))).collections == ("late",)
    with pytest.raises(BackupNotFound, match="'nowhere'"):
        point.restore(until, restored, RestoreRequest(include=("nowhere",)))


def test_what_was_dropped_comes_back_into_the_live_database_beside_the_rest(point: Point) -> None:
    source = point.source
    source["users"].insert_one({"_id": 1})
    source["rest"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(source.name)
    source["users"].insert_one({"_id": 2})
    source["users"].drop()
    source["rest"].insert_one({"_id": 2})
    point.archive()
    time = time_before(point.engine.repository, None, Accident("drop", "users"))
    point.restore(time, source, RestoreRequest(include=("users",)))
    assert source["users"].count_documents({}) == 2
    assert source["rest"].count_documents({}) == 2


def test_what_the_oplog_makes_and_is_there_already_is_refused_before_anything_is_written(
    point: Point, restored: Db
) -> None:
    source = point.source
    source["a"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(source.name)
    source["b"].insert_one({"_id": 2})
    point.archive()
    restored["b"].insert_one({"_id": 3})
    with pytest.raises(TargetNotEmpty, match="'b'"):
        point.restore(point.slices().windows()[0].until, restored)
    assert restored.list_collection_names() == ["b"]


def test_a_drop_that_never_was_is_told(point: Point) -> None:
    point.source["users"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(point.source.name)
    with pytest.raises(TimeNotReachable, match="No drop of 'userz'"):
        time_before(point.engine.repository, None, Accident("drop", "userz"))


def test_what_is_chosen_and_renamed_is_followed_through_its_renames(point: Point, restored: Db) -> None:
    source = point.source
    source["a"].insert_one({"_id": 1})
    source["secret"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(source.name)
    source["secret"].insert_one({"_id": 2})
    source["a"].rename("b")
    source["b"].insert_one({"_id": 2})
    time = point.time()
    point.archive()
    outcome = point.restore(time, restored, RestoreRequest(include=("a",), rename=(("b", "kept"),)))
    assert outcome.collections == ("kept",)
    assert restored.list_collection_names() == ["kept"]
    assert restored["kept"].count_documents({}) == 2


def test_what_came_out_of_a_collection_that_is_left_out_is_refused_before_anything_is_written(
    point: Point, restored: Db
) -> None:
    source = point.source
    source["a"].insert_one({"_id": 1})
    source["b"].insert_one({"_id": 1})
    point.archive()
    point.engine.back_up(source.name)
    source["a"].rename("b", dropTarget=True)
    point.archive()
    with pytest.raises(InvalidSpec, match="'a' was renamed to 'b'"):
        point.restore(point.slices().windows()[0].until, restored, RestoreRequest(include=("b",)))
    assert restored.list_collection_names() == []


def test_what_is_of_other_databases_is_not_in_the_archive(point: Point) -> None:
    client = point.source.client
    other = client[f"{point.source.name}_other"]
    point.source["a"].insert_one({"_id": 0})
    point.archive()
    with client.start_session() as session, session.start_transaction():
        point.source["a"].insert_one({"mine": "mine"}, session=session)
        other["a"].insert_one({"secret": "not-for-us"}, session=session)
    other["a"].insert_one({"secret": "not-for-us"})
    point.archive()
    slices = point.slices()
    stored = b"".join(b"".join(slices.read(name).entries) for name in slices.names())
    client.drop_database(other.name)
    assert b"mine" in stored
    assert b"not-for-us" not in stored


def test_an_archiver_that_is_killed_at_any_point_leaves_no_gap(mongod: Mongod, database: Db, restored: Db) -> None:
    """Processes, two at once, ended by SIGKILL after times that nothing chooses but chance."""
    chance, ended = Random(11), Event()  # noqa: S311
    holdfast = Command(mongod.uri.replace("/?", f"/{database.name}?authSource=admin&"))
    there = ("--repository", f"mongodb:{database.name}_store")
    database["a"].insert_one({"_id": 0, "n": 0})
    holdfast("archive-oplog", "--once", *there)
    holdfast("backup", *there)

    def write() -> None:
        number = 0
        while not ended.wait(0.005):
            number += 1
            database["a"].insert_one({"_id": number, "n": number})
            database["a"].update_one({"_id": 0}, {"$inc": {"n": number}})

    writer = Thread(target=write)
    writer.start()
    try:
        for _ in range(4):
            both = [holdfast.start("archive-oplog", "--slice-seconds", "1", *there) for _ in range(2)]
            ended.wait(2 + 3 * chance.random())
            for process in both:
                process.kill()
                process.communicate()
    finally:
        ended.set()
        writer.join()
    holdfast("archive-oplog", "--once", *there)
    content = snapshot_of(database)
    until = database.client.admin.command("hello")["lastWrite"]["opTime"]["ts"]
    holdfast("archive-oplog", "--once", *there)
    point = f"{until.time}.{until.inc}"
    holdfast("restore", "--point-in-time", point, "--source", database.name, "--database", restored.name, *there)
    database.client.drop_database(f"{database.name}_store")
    assert differences(content, snapshot_of(restored)) == []


def test_two_archivers_at_once_do_no_harm(point: Point, restored: Db) -> None:
    point.source["a"].insert_one({"_id": 0})
    point.archive()
    point.engine.back_up(point.source.name)
    with (
        closing(open_oplog(point.engine.uri, origin=ORIGIN)) as one,
        closing(open_oplog(point.engine.uri, origin=ORIGIN)) as other,
    ):
        point.source["a"].insert_many([{"_id": i} for i in range(1, 50)])
        both = [Thread(target=point.archive_from, args=(oplog,), kwargs={"slice_bytes": size})
                for oplog, size in ((one, 1_000), (other, 1_700))]  # fmt: skip
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()
    assert len(point.slices().windows()) == 1
    point.restore(point.slices().windows()[0].until, restored)
    assert restored["a"].count_documents({}) == 50


class Dying:
    """A replayer that dies behind its ``last`` call, or in front of it."""

    def __init__(self, replayer: MongoReplayer, *, last: int, done: bool) -> None:
        self._replayer, self._left, self._done = replayer, last, done

    def write(self, operations: Sequence[Operation], note: str, content: Mapping[str, str]) -> None:
        self._do(lambda: self._replayer.write(operations, note, content))

    def change(self, operation: Operation, *, again: bool) -> None:
        self._do(lambda: self._replayer.change(operation, again=again))

    def expire(self, collection: str, index: str, seconds: int) -> None:
        self._do(lambda: self._replayer.expire(collection, index, seconds))

    def _do(self, act: Callable[[], None]) -> None:
        self._left -= 1
        if self._left or self._done:
            act()
        if not self._left:
            raise Interrupted("killed")


@pytest.mark.parametrize("done", [False, True], ids=["before", "behind"])
def test_a_restore_that_is_killed_at_any_step_is_finished_by_the_next(point: Point, restored: Db, done: bool) -> None:
    load = Load(point.source, seed=3)
    load.begin()
    point.archive()
    point.engine.back_up(point.source.name)
    for act in (
        load.write,
        load.rename,
        load.transact,
        load.series,
        load.view,
        load.make_and_drop,
        load.index,
        load.write,
    ):
        load.step += 1
        act()
    time = point.time()
    image = snapshot_of(point.source)
    point.archive()
    killed = 0
    while True:
        try:
            last = 1 + killed % 7  # one step gets nowhere where the entry that it is of has several
            point.restore(time, restored, wrap=partial(Dying, last=last, done=done))
        except Interrupted:
            killed += 1
            assert killed < 200
            continue
        break
    point.source.client.drop_database(f"{point.source.name}_other")
    assert killed >= 5
    assert not differences(image, snapshot_of(restored))


def test_an_archiver_goes_on_from_the_newest_slice(point: Point) -> None:
    point.source["a"].insert_one({"_id": 0})
    point.archive()
    point.source["a"].insert_one({"_id": 1})
    first = point.archive()
    point.source["a"].insert_one({"_id": 2})
    second = point.archive()
    (window,) = point.slices().windows()
    assert window.until == second.until > first.until
    assert second.entries == 1


def test_on_the_command_line(mongod: Mongod, database: Db, restored: Db) -> None:
    """A repository beside the source, and an accident."""
    holdfast = Command(mongod.uri.replace("/?", f"/{database.name}?authSource=admin&"))
    there = ("--repository", "mongodb:")
    database["users"].insert_one({"_id": 1})
    holdfast("archive-oplog", "--once", *there)
    holdfast("backup", *there)
    database["users"].insert_one({"_id": 2})
    database["users"].drop()
    holdfast("archive-oplog", "--once", *there)
    assert "Nothing was changed" in holdfast("restore", "--before-drop", "users", "--plan", *there)
    told = holdfast.json("restore", "--before-drop", "users", "--database", restored.name, *there)
    assert (told["mode"], told["collections"], told["operations"]) == ("PointInTime", ["users"], 1)
    assert restored["users"].count_documents({}) == 2
    assert restored.list_collection_names() == ["users"]
    assert "cannot be reached" in holdfast("restore", "--point-in-time", "2020-01-01T00:00:00Z", *there, code=2)
    assert "No backup is named" in holdfast("restore", *there, code=2)


def last_second(database: Db) -> int:
    """The second of the newest entry of the oplog."""
    return int(database.client.admin.command("hello")["lastWrite"]["opTime"]["ts"].time)


def test_the_commands_of_the_page_bring_back_what_was_dropped(mongod: Mongod, database: Db, restored: Db) -> None:
    """Those of its section on this, in its order. The backup that the page asks for is taken behind the first."""
    holdfast = Command(mongod.uri.replace("/?", f"/{database.name}?authSource=admin&"))
    generate(database, entries=100)
    store = f"mongodb:{database.name}"
    names = {"s3://backups/timetrack": store, "timetrack_then": restored.name, "timetrack": database.name}
    _, *commands = [words[1:] for words in commands_of("restore.md", "holdfast", "To any second")]
    assert [words[0] for words in commands] == ["list", "restore", "restore", "restore", "backup", "restore"]
    archive = ("archive-oplog", "--once", "--repository", store)
    holdfast(*archive)
    holdfast("backup", "--repository", store)
    second = last_second(database)
    names["2026-11-23T01:59:59Z"] = datetime.fromtimestamp(second, UTC).isoformat()
    while last_second(database) == second:
        database["feedback"].update_one({}, {"$inc": {"seen": 1}})
    content = snapshot_of(database, skip=OWN_COLLECTIONS)
    database["users"].drop()
    holdfast(*archive)
    (listed,) = holdfast.json("list", "--repository", store)
    assert listed["pointInTimeUntil"] >= names["2026-11-23T01:59:59Z"].replace("+00:00", "Z")
    look, *restores = commands
    assert "any second from" in holdfast(*(names.get(word, word) for word in look))
    for words in restores:
        names["BACKUP"] = holdfast.json(*(names.get(word, word) for word in words))["backupId"]
    assert differences(content, snapshot_of(database, skip=OWN_COLLECTIONS)) == []


def test_a_standalone_is_told_at_once(standalone: Mongod) -> None:
    engine = Engine(standalone.uri)
    with pytest.raises(InvalidSpec, match="has no oplog"):
        Point(engine, standalone.client["any"]).archive()


def test_slices_older_than_the_oldest_backup_are_pruned(point: Point, restored: Db) -> None:
    source, repository = point.source, point.engine.repository
    source["a"].insert_one({"_id": 0})
    point.archive()
    first = point.engine.back_up(source.name)
    source["a"].insert_one({"_id": 1})
    point.archive()
    source["a"].insert_one({"_id": 2})
    point.archive()
    point.engine.back_up(source.name)
    source["a"].insert_one({"_id": 3})
    until = point.archive().until
    before = len(point.slices().names())
    prune_slices(repository, margin=timedelta())
    repository.remove(first.manifest.backup_id)
    assert prune_slices(repository) == 0, "a transaction may have been open then"
    assert prune_slices(repository, margin=timedelta()) > 0
    assert len(point.slices().names()) < before
    point.restore(until, restored)
    assert restored["a"].count_documents({}) == 4
