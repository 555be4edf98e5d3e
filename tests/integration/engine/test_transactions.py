"""Multi-document transactions run during every backup, and every restored copy keeps what they keep."""

from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from threading import Condition, Event, Thread
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.database import Database

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from tests.support.engine import Engine
from tests.support.mongod import Mongod

Db = Database[dict[str, Any]]
ACCOUNTS, BALANCE = 400, 1_000
BACKUPS = 20
MEANWHILE = 10
"""Transactions that commit between the first collection of a backup and the others."""


class Bank:
    """Money moves from accounts `checking` to accounts `saving`, and a ledger tells how much: one transaction."""

    def __init__(self, uri: str, name: str) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(uri)
        self._db = self._client[name]
        for kind in ("checking", "saving"):
            self._db[kind].insert_many({"_id": n, "balance": BALANCE, "note": "x" * 500} for n in range(ACCOUNTS))
        self._db["ledger"].insert_one({"amount": 0})
        self.committed = 0
        self._changed = Condition()

    def transfer(self, random: Random) -> None:
        amount, source, goal = random.randrange(1, 9), random.randrange(ACCOUNTS), random.randrange(ACCOUNTS)

        def move(session: ClientSession) -> None:
            self._db["checking"].update_one({"_id": source}, {"$inc": {"balance": -amount}}, session=session)
            self._db["saving"].update_one({"_id": goal}, {"$inc": {"balance": amount}}, session=session)
            self._db["ledger"].insert_one({"amount": amount}, session=session)

        with self._client.start_session() as session:
            session.with_transaction(move)
        with self._changed:
            self.committed += 1
            self._changed.notify_all()

    def wait_for(self, more: int) -> None:
        with self._changed:
            until = self.committed + more
            assert self._changed.wait_for(lambda: self.committed >= until, timeout=30)

    def close(self) -> None:
        self._client.close()


@contextmanager
def busy(bank: Bank) -> Iterator[None]:
    over = Event()

    def work(seed: int) -> None:
        random = Random(seed)  # noqa: S311 (repeatable, not secret)
        while not over.is_set():
            bank.transfer(random)

    threads = [Thread(target=work, args=(seed,)) for seed in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def imbalance(database: Db) -> tuple[int, int]:
    """What is missing in all, and between the accounts and the ledger: both 0 at any one moment."""

    def total(collection: str, field: str) -> int:
        pipeline = [{"$group": {"_id": None, "sum": {"$sum": f"${field}"}}}]
        return int(next(iter(database[collection].aggregate(pipeline)))["sum"])

    checking, saving = total("checking", "balance"), total("saving", "balance")
    return checking + saving - 2 * ACCOUNTS * BALANCE, saving - ACCOUNTS * BALANCE - total("ledger", "amount")


@pytest.fixture
def bank(mongod: Mongod, database: Db) -> Iterator[Bank]:
    made = Bank(mongod.uri, database.name)
    yield made
    made.close()


def test_twenty_backups_under_transactions_each_show_one_moment(
    engine: Engine, bank: Bank, database: Db, restored: Db
) -> None:
    with busy(bank):
        for number in range(BACKUPS):
            before = bank.committed
            outcome = engine.back_up(database.name, meddle=lambda _: bank.wait_for(MEANWHILE))
            assert bank.committed >= before + MEANWHILE
            assert outcome.manifest.consistency.level is ConsistencyLevel.SNAPSHOT
            engine.restore(outcome, restored.name)
            assert imbalance(restored) == (0, 0), f"backup {number}"
            restored.client.drop_database(restored.name)


def test_without_a_snapshot_the_same_load_tears_a_backup_apart(
    engine: Engine, bank: Bank, database: Db, restored: Db
) -> None:
    with busy(bank):
        outcome = engine.back_up(database.name, consistency=Consistency.NONE, meddle=lambda _: bank.wait_for(MEANWHILE))
    assert outcome.manifest.consistency.level is ConsistencyLevel.NONE
    engine.restore(outcome, restored.name)
    assert imbalance(restored) != (0, 0)
