"""The invented data of the time tracker."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from bson import Binary, Decimal128, Int64, ObjectId
from pymongo.database import Database
from pymongo.errors import WriteError

from tests.support import timetrack
from tests.support.compare import differences, snapshot_of
from tests.support.mongod import Mongod
from tests.support.timetrack import COLLECTIONS, NOW, a_day_of_use, generate

TimeTrack = Database[dict[str, Any]]
ENTRIES = 2_000


@pytest.fixture
def filled(database: TimeTrack) -> TimeTrack:
    """A small time tracker."""
    generate(database, entries=ENTRIES, seed=7)
    return database


def test_fills_six_collections_of_which_time_entries_is_the_largest(filled: TimeTrack) -> None:
    sizes = {name: filled.command("collStats", name)["size"] for name in COLLECTIONS}
    assert set(filled.list_collection_names()) == set(COLLECTIONS)
    assert all(sizes.values())
    assert max(sizes, key=sizes.__getitem__) == "timeEntries"
    assert filled.timeEntries.count_documents({}) == ENTRIES


def test_the_same_seed_gives_the_same_bytes(filled: TimeTrack, mongod: Mongod) -> None:
    again = mongod.client[f"{filled.name}_again"]
    try:
        generate(again, entries=ENTRIES, seed=7)
        assert differences(snapshot_of(filled), snapshot_of(again)) == []
    finally:
        mongod.client.drop_database(again)


def test_another_seed_gives_other_bytes(filled: TimeTrack, mongod: Mongod) -> None:
    other = mongod.client[f"{filled.name}_other"]
    try:
        generate(other, entries=ENTRIES, seed=8)
        assert differences(snapshot_of(filled), snapshot_of(other))
    finally:
        mongod.client.drop_database(other)


def test_ids_grow_with_time_up_to_now(filled: TimeTrack) -> None:
    entries = list(filled.timeEntries.find().sort("$natural"))
    ids = [entry["_id"] for entry in entries]
    assert ids == sorted(ids)
    assert all(entry["_id"].generation_time == entry["createdAt"].replace(microsecond=0) for entry in entries)
    assert NOW - timedelta(days=5) < ids[-1].generation_time <= NOW


def test_holds_every_type_that_a_time_tracker_uses(filled: TimeTrack) -> None:
    entry = filled.timeEntries.find_one({"project": {"$exists": True}, "tags": {"$ne": []}})
    user = filled.users.find_one({"avatar": {"$exists": True}})
    assert entry is not None
    assert user is not None
    assert isinstance(entry["userId"], ObjectId)
    assert isinstance(entry["project"]["rate"], Decimal128)
    assert isinstance(entry["revision"], Int64)
    assert isinstance(entry["focus"], float)
    assert isinstance(entry["project"]["billable"], bool)
    assert isinstance(entry["tags"], list)
    assert isinstance(user["avatar"], bytes | Binary)
    assert filled.timeEntries.count_documents({"minutes": {"$type": "int"}}) == ENTRIES
    assert filled.timeEntries.count_documents({"endedAt": {"$type": "null"}}) > 0
    assert filled.timeEntries.count_documents({"project": {"$exists": False}}) > 0
    assert filled.timeEntries.count_documents({"project.client": {"$regex": "[^\\x00-\\x7f]"}}) > 0


def test_has_indexes_of_every_kind(filled: TimeTrack) -> None:
    options = {
        option for name in COLLECTIONS for index in filled[name].list_indexes() for option in index
    }  # fmt: skip
    wanted = {"unique", "sparse", "partialFilterExpression", "expireAfterSeconds", "textIndexVersion", "collation"}
    assert wanted <= options


def test_refuses_a_user_without_an_email(filled: TimeTrack) -> None:
    with pytest.raises(WriteError, match="validation"):
        filled.users.insert_one({"name": "user-0"})


def test_nothing_expires_within_a_hundred_years(filled: TimeTrack) -> None:
    soon = NOW + timedelta(days=36_500)
    assert filled.dayReflections.count_documents({"deleteAfter": {"$lt": soon}}) == 0


def test_a_day_of_use_appends_two_percent_and_changes_less_than_one(filled: TimeTrack) -> None:
    newest = filled.timeEntries.find_one(sort={"_id": -1})
    assert newest is not None
    tomorrow = NOW + timedelta(days=1)
    day = a_day_of_use(filled, seed=1, now=tomorrow)
    assert filled.timeEntries.count_documents({"_id": {"$gt": newest["_id"]}}) == ENTRIES // 50
    changed = filled.timeEntries.count_documents({"updatedAt": tomorrow, "revision": 2})
    assert 0 < changed == day.updated < ENTRIES // 100


def test_a_second_day_can_follow_the_first(filled: TimeTrack) -> None:
    for number in (1, 2):
        day = a_day_of_use(filled, seed=number, now=NOW + timedelta(days=number))
        assert day.inserted > ENTRIES // 50


def test_the_command_prints_counts_and_bytes(
    mongod: Mongod, database: TimeTrack, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--uri-file", str(mongod.uri_file), "--database", database.name]
    assert timetrack.main([*words, "--entries", "500"]) == 0
    assert timetrack.main([*words, "--day"]) == 0
    rows = dict(line.split()[:2] for line in capsys.readouterr().out.splitlines()[-len(COLLECTIONS) :])
    assert rows["timeEntries"] == "510"


def test_the_command_says_in_one_line_what_went_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert timetrack.main(["--uri-file", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err.startswith("timetrack: ")
