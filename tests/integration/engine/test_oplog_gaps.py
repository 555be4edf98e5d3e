"""Where the oplog does not tell what happened, nothing pretends that it does."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from time import monotonic
from typing import Any

import pytest
from bson.timestamp import Timestamp
from pymongo.write_concern import WriteConcern

from holdfast.errors import OplogGap, TimeNotReachable
from holdfast.ports import ClusterTime, Oplog
from holdfast.services.archive_oplog import Archived
from holdfast.services.reach import point_of, told
from holdfast.wiring.opening import open_oplog
from tests.support.engine import ORIGIN, Engine
from tests.support.mongod import Mongod
from tests.support.point import Db, Point
from tests.support.replica_set import ReplicaSet

PATIENCE = 60.0


@pytest.fixture
def point(engine: Engine, database: Db) -> Point:
    return Point(engine, database)


@pytest.fixture(scope="module")
def small() -> Iterator[Mongod]:
    """A replica set that forgets soon what was written: its oplog is small, and it is cut once a second."""
    with Mongod(oplog_mb=16, sync_seconds=1) as server:
        yield server


def roll_over(server: Mongod, beyond: ClusterTime) -> None:
    """Write until the oplog no longer holds that moment."""
    filler, oplog = server.client["filler"]["a"], server.client["local"]["oplog.rs"]
    deadline = monotonic() + PATIENCE
    while True:
        oldest = oplog.find_one(sort=[("$natural", 1)])
        assert oldest
        if oldest["ts"] > Timestamp(beyond.seconds, beyond.increment):
            return
        assert monotonic() < deadline, "the oplog was to be cut"
        filler.insert_many([{"_id": n, "text": "x" * 2**20} for n in range(4)])
        filler.delete_many({})


class AnotherHistory:
    """An oplog in which the known entry is of another term the first time."""

    def __init__(self, oplog: Oplog) -> None:
        self._oplog, self._lost = oplog, True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._oplog, name)

    def follow(self, after: ClusterTime, term: int) -> Iterator[Sequence[bytes]]:
        wrong, self._lost = self._lost, False
        return self._oplog.follow(after, term + 1 if wrong else term)


def lose_and_recover(point: Point, restored: Db, lose: Callable[[ClusterTime], Archived]) -> None:
    """``lose`` what follows on a time, and archive on: the times on both sides can be reached, and none between."""
    source = point.source
    source["a"].insert_one({"_id": 0})
    point.archive()
    point.engine.back_up(source.name)
    source["a"].insert_one({"_id": 1})
    before = point.archive().until
    source["a"].insert_one({"_id": 2})
    lost = point.time()
    source["a"].insert_one({"_id": 3})
    broken = lose(before)
    assert "is not archived" in broken.gaps[0]
    assert any("needs a new backup" in warning for warning in point.engine.recorder.warnings)
    source["a"].insert_one({"_id": 4})
    point.engine.back_up(source.name)
    source["a"].insert_one({"_id": 5})
    after = point.archive().until
    with pytest.raises(TimeNotReachable) as refused:
        point.restore(lost, restored)
    assert str(before) in refused.value.hint
    assert "after it" in refused.value.hint
    assert restored.list_collection_names() == []
    point.restore(before, restored)
    assert restored["a"].count_documents({}) == 2
    restored.client.drop_database(restored.name)
    point.restore(after, restored)
    assert restored["a"].count_documents({}) == 6


def test_a_gap_that_another_history_makes_is_never_bridged(point: Point, restored: Db) -> None:
    def lose(_: ClusterTime) -> Archived:
        with closing(open_oplog(point.engine.uri, origin=ORIGIN)) as oplog:
            return point.archive_from(AnotherHistory(oplog))

    lose_and_recover(point, restored, lose)


def test_a_gap_of_an_oplog_that_has_rolled_over_is_never_bridged(small: Mongod) -> None:
    point = Point(Engine(small.uri), small.client["shop"])

    def lose(before: ClusterTime) -> Archived:
        roll_over(small, before)
        return point.archive()

    lose_and_recover(point, small.client["restored"], lose)


def test_an_oplog_that_rolls_over_while_it_is_read_is_a_gap(small: Mongod) -> None:
    with closing(open_oplog(small.uri, origin=ORIGIN)) as oplog:
        known = oplog.head()
        read = iter(oplog.follow(*known))
        next(read)
        roll_over(small, known[0])
        with pytest.raises(OplogGap, match="rolled over while it was read"):
            list(read)


def test_what_an_election_rolls_back_is_never_archived_and_makes_no_gap() -> None:
    with ReplicaSet() as nodes:
        first = nodes.primary()
        engine = Engine(nodes.uri)
        source = nodes.node(first)["shop"]
        source["a"].insert_one({"_id": "before"})
        nodes.wait_until_all_follow(first)
        point = Point(engine, source)
        point.archive()
        engine.back_up("shop")

        others = [port for port in nodes.ports if port != first]
        for port in others:
            nodes.send(port, signal.SIGKILL)
        source.with_options(write_concern=WriteConcern(w=1))["a"].insert_one({"_id": "rolled back"})
        with closing(open_oplog(nodes.uri_of(first), origin=ORIGIN)) as oplog:
            point.archive_from(oplog)
        nodes.send(first, signal.SIGKILL)
        for port in others:
            nodes.start(port)
        second = nodes.primary(but=first)
        source = nodes.node(second)["shop"]
        source["a"].insert_one({"_id": "after"})
        nodes.start(first)
        nodes.wait_until_all_follow(second)
        assert nodes.node(first)["shop"]["a"].distinct("_id") == ["after", "before"], "nothing was rolled back"

        done = Point(engine, source).archive()
        assert done.gaps == ()
        Point(engine, source).restore(done.until, nodes.node(second)["restored"])
        assert nodes.node(second)["restored"]["a"].distinct("_id") == ["after", "before"]


def test_a_slice_that_is_lost_is_a_gap(point: Point, restored: Db) -> None:
    point.source["a"].insert_one({"_id": 0})
    point.archive()
    point.engine.back_up(point.source.name)
    for i in range(1, 4):
        point.source["a"].insert_one({"_id": i})
        until = point.archive().until
    slices = point.slices()
    slices.remove(slices.names()[2])
    with pytest.raises(TimeNotReachable, match="cannot be reached"):
        point.restore(until, restored)


def test_a_time_behind_the_archive_is_refused_with_the_nearest(point: Point, restored: Db) -> None:
    point.source["a"].insert_one({"_id": 0})
    point.archive()
    point.engine.back_up(point.source.name)
    until = point.archive().until
    with pytest.raises(TimeNotReachable) as refused:
        point.restore(point_of(told(ClusterTime(until.seconds + 60, 0))), restored)
    assert f"before it {told(ClusterTime(until.seconds - 1, 0))}" in refused.value.hint


def test_an_oplog_that_does_not_hold_the_known_entry_is_a_gap(point: Point) -> None:
    with (
        closing(open_oplog(point.engine.uri, origin=ORIGIN)) as oplog,
        pytest.raises(OplogGap, match="no longer holds"),
    ):
        next(iter(oplog.follow(ClusterTime(1, 1), 1)))
