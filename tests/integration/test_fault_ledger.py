"""The ledger of the fault tests: it grows in order on a server that goes away, and its reader sees what is wrong."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.faults.ledger import NAMES, AnyDatabase, Ledger, entries_in, entry
from tests.support.mongod import Mongod


@pytest.fixture(scope="module")
def server() -> Iterator[Mongod]:
    with Mongod() as mongod:
        yield mongod


@pytest.fixture
def database(server: Mongod) -> Iterator[AnyDatabase]:
    yield server.client["ledger"]
    server.client.drop_database("ledger")


def written(ledger: Ledger, count: int) -> None:
    deadline = time.monotonic() + 60
    while ledger.written < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.usefixtures("database")
def test_it_goes_on_where_it_stopped_when_the_server_was_killed(server: Mongod) -> None:
    with Ledger(server.uri, "ledger") as ledger:
        written(ledger, 2)
        server.kill()
        server.start()
        written(ledger, ledger.written + 2)
        ledger.stop()
        count, wrong = entries_in(server.client["ledger"])
    assert (count >= 4, wrong) == (True, [])


def test_what_a_backup_may_hold_lies_between_what_was_written_and_what_was_begun(
    server: Mongod, database: AnyDatabase
) -> None:
    begin = datetime.now(UTC)
    with Ledger(server.uri, "ledger") as ledger:
        written(ledger, 2)
        ledger.stop()
        end = datetime.now(UTC)
        assert ledger.bounds(begin, begin) == (0, 0)
        low, high = ledger.bounds(end, end + timedelta(seconds=1))
        assert low <= entries_in(database)[0] <= high


def fill(database: AnyDatabase, count: int = 3) -> None:
    for name in NAMES:
        database[name].insert_many([dict(entry(number)) for number in range(1, count + 1)])


def test_a_whole_ledger_is_well(database: AnyDatabase) -> None:
    fill(database)
    assert entries_in(database) == (3, [])


def test_a_gap_is_found(database: AnyDatabase) -> None:
    fill(database)
    database["ledger"].delete_one({"_id": 2})
    database["mirror"].delete_one({"_id": 2})
    assert entries_in(database)[1]


def test_a_changed_entry_is_found(database: AnyDatabase) -> None:
    fill(database)
    database["mirror"].update_one({"_id": 2}, {"$set": {"text": "other"}})
    assert entries_in(database)[1]


def test_two_moments_are_found(database: AnyDatabase) -> None:
    fill(database)
    database["mirror"].delete_one({"_id": 3})
    assert entries_in(database)[1]
