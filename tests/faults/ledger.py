"""Writes that go on all the time, in an order that a backup must show.

Entry n stands in two collections, written in one transaction, and n only after n - 1. So a backup that shows one moment
holds the entries 1 to some n, the same in both; and n lies between what was written before the backup and after it.
"""

import threading
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Any, Self

from pymongo import MongoClient
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError, PyMongoError

NAMES = ("ledger", "mirror")
PAUSE = 0.25
ANSWER_MS = 5000

AnyDatabase = Database[dict[str, Any]]


def entry(number: int) -> Mapping[str, Any]:
    """What entry ``number`` is, wherever it stands."""
    return {"_id": number, "text": sha256(str(number).encode()).hexdigest() * 8}


class Ledger:
    """Writes in a thread, as a context manager. A server that is away is waited for."""

    def __init__(self, uri: str, database: str) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(
            uri, serverSelectionTimeoutMS=ANSWER_MS, socketTimeoutMS=ANSWER_MS, w="majority", journal=True
        )
        self._database = self._client[database]
        self._begun: list[datetime] = []
        self._written: list[datetime] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="ledger", daemon=True)

    def __enter__(self) -> Self:
        for name in NAMES:
            self._database.create_collection(name)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the writing."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._client.close()

    @property
    def written(self) -> int:
        """How many entries there are for sure."""
        return len(self._written)

    def bounds(self, begin: datetime, end: datetime) -> tuple[int, int]:
        """The fewest and the most entries that a backup may hold which began and ended at these times."""
        return bisect_left(self._written, begin), bisect_right(self._begun, end)

    def _work(self) -> None:
        while not self._stop.wait(PAUSE):
            self._begun.append(datetime.now(UTC))
            if self._write(len(self._begun)):
                self._written.append(datetime.now(UTC))

    def _write(self, number: int) -> bool:
        """Whether it is written for sure; not only if the end came first."""
        while not self._stop.is_set():
            try:
                with self._client.start_session() as session, session.start_transaction():
                    for name in NAMES:
                        self._database[name].insert_one(dict(entry(number)), session=session)
            except DuplicateKeyError:
                return True  # its answer was lost
            except PyMongoError:
                self._stop.wait(PAUSE)
            else:
                return True
        return False


def entries_in(database: AnyDatabase) -> tuple[int, list[str]]:
    """How many entries a database holds, and what is wrong with them."""
    counts, wrong = [], []
    for name in NAMES:
        found = list(database[name].find(sort=[("_id", 1)]))
        counts.append(len(found))
        if found != [entry(number) for number in range(1, len(found) + 1)]:
            wrong.append(f"{name} is not the entries 1 to {len(found)}")
    if len(set(counts)) > 1:
        wrong.append(f"{NAMES[0]} holds {counts[0]} entries, {NAMES[1]} {counts[1]}: not one moment")
    return counts[0], wrong
