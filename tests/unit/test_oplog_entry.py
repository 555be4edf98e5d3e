"""What an entry of an oplog means, and what of it is kept."""

from typing import Any

import pytest
from bson import Int64, encode
from bson.timestamp import Timestamp

from holdfast.domain.oplog import Names, Operation, UnknownOrigin
from holdfast.errors import OperationFailed
from holdfast.ports import ClusterTime
from holdfast.repository.oplog_entry import expiries_of, kept_of, parse, time_of

SESSION = {"lsid": {"id": b"0" * 16}, "txnNumber": Int64(1)}
FIRST = {"prevOpTime": {"ts": Timestamp(0, 0), "t": Int64(-1)}}


def entry(op: str, namespace: str, o: dict[str, Any], **more: Any) -> bytes:
    return encode({**more, "op": op, "ns": namespace, "o": o, "ts": Timestamp(7, 3), "t": Int64(2)})


def insert(namespace: str) -> dict[str, Any]:
    return {"op": "i", "ns": namespace, "o": {"_id": 1}}


def test_an_entry_has_a_time_and_a_term() -> None:
    assert time_of(entry("n", "", {})) == (ClusterTime(7, 3), 2)


def test_a_command_that_is_not_known_is_refused() -> None:
    with pytest.raises(OperationFailed, match="'transmogrify'"):
        parse(entry("c", "db.$cmd", {"transmogrify": "a"}), "db")


def test_an_operation_that_is_not_known_is_refused() -> None:
    with pytest.raises(OperationFailed, match="'xi'"):
        parse(entry("xi", "db.a", {}), "db")


def test_inserts_that_share_an_entry_are_no_transaction() -> None:
    raw = entry("c", "admin.$cmd", {"applyOps": [insert("db.a"), insert("db.b")]}, multiOpType=1, **SESSION, **FIRST)
    found = parse(raw, "db")
    assert (found.part, [one.collection for one in found.operations]) == ("", ["a", "b"])


@pytest.mark.parametrize("flag", ["partialTxn", "prepare"])
def test_a_transaction_that_goes_on_is_not_done_yet(flag: str) -> None:
    raw = entry("c", "admin.$cmd", {"applyOps": [insert("db.a")], flag: True}, **SESSION, **FIRST)
    assert parse(raw, "db").part == "Open"


def test_a_commit_names_the_entry_before_it() -> None:
    before = {"prevOpTime": {"ts": Timestamp(6, 1), "t": Int64(1)}}
    raw = entry("c", "admin.$cmd", {"commitTransaction": 1, "commitTimestamp": Timestamp(7, 2)}, **SESSION, **before)
    found = parse(raw, "db")
    assert (found.part, found.before) == ("Commit", ClusterTime(6, 1))


def test_a_transaction_is_kept_without_what_is_of_others() -> None:
    raw = entry("c", "admin.$cmd", {"applyOps": [insert("db.a"), insert("dbx.secret")]}, **SESSION, **FIRST)
    kept = kept_of(raw, "db") or b""
    assert b"secret" not in kept
    assert [one.collection for one in parse(kept, "db").operations] == ["a"]


@pytest.mark.parametrize(
    "raw",
    [
        entry("i", "dbx.a", {"_id": 1}),
        entry("n", "", {"msg": "periodic noop"}),
        entry("i", "db.backupdatas", {"_id": 1}),
        entry("c", "dbx.$cmd", {"drop": "a"}),
        entry("c", "admin.$cmd", {"applyOps": [insert("dbx.a")]}, **SESSION, **FIRST),
    ],
    ids=["insert", "noop", "backup", "drop", "transaction"],
)
def test_what_is_of_others_is_not_kept(raw: bytes) -> None:
    assert kept_of(raw, "db") is None


def test_a_rename_over_another_says_so() -> None:
    raw = entry("c", "db.$cmd", {"renameCollection": "db.a", "to": "db.b.c", "dropTarget": b"0" * 16})
    (found,) = parse(raw, "db").operations
    assert (found.kind, found.collection, found.to, found.replaces) == ("rename", "a", "b.c", True)


def test_an_index_is_built_where_its_build_was_committed() -> None:
    spec = {"v": 2, "key": {"a": 1}, "name": "a_1"}
    assert parse(entry("c", "db.$cmd", {"startIndexBuild": "a", "indexes": [spec]}), "db").operations == ()
    (found,) = parse(entry("c", "db.$cmd", {"commitIndexBuild": "a", "indexes": [spec]}), "db").operations
    assert found.indexes == (encode(spec),)
    (alone,) = parse(entry("c", "db.$cmd", {"createIndexes": "a", **spec}), "db").operations
    assert alone.indexes == found.indexes


def test_the_view_of_a_time_series_comes_with_it() -> None:
    raw = entry("i", "db.system.views", {"_id": "db.s", "viewOn": "system.buckets.s", "pipeline": []})
    assert parse(raw, "db").operations == ()


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (Operation("createIndexes", "a", indexes=(encode({"name": "x", "expireAfterSeconds": 5}),)), {"x": 5}),
        (
            Operation("collMod", "a", encode({"collMod": "a", "index": {"name": "x", "expireAfterSeconds": 6}})),
            {"x": 6},
        ),
        (Operation("collMod", "a", encode({"collMod": "a", "expireAfterSeconds": Int64(7)})), {"": 7}),
        (Operation("collMod", "a", encode({"collMod": "a", "expireAfterSeconds": "off"})), {"": None}),
        (Operation("create", "a", encode({"create": "a", "expireAfterSeconds": 8})), {"": 8}),
        (Operation("dropIndexes", "a", encode({"dropIndexes": "a", "index": "x"})), {"x": None}),
    ],
)
def test_what_expires_is_known(operation: Operation, expected: dict[str, int | None]) -> None:
    assert expiries_of(operation) == expected


def test_a_collection_is_followed_through_its_renames() -> None:
    names = Names(["a"], [], lambda name: name == "a", {"b": "c"})
    renamed = names.follow(Operation("rename", "a", to="b"))
    written = names.follow(Operation("insert", "b"))
    assert (renamed and renamed.to, written and written.collection) == ("c", "c")
    assert names.follow(Operation("insert", "z")) is None


def test_a_name_that_another_takes_over_is_refused() -> None:
    names = Names(["a"], [], lambda name: name == "a", {})
    with pytest.raises(UnknownOrigin):
        names.follow(Operation("rename", "z", to="a", replaces=True))
