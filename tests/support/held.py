"""Holding whoever reads or fills a collection, where a test wants a worker to be half-way.

The server takes test commands.
"""

from time import monotonic
from typing import Any

from pymongo import MongoClient

HELD_SECONDS = 90
READS, INSERTS = "find", "insert"
_FAIL_POINTS = {READS: "waitInFindBeforeMakingBatch", INSERTS: "hangDuringBatchInsert"}


def hold(client: MongoClient[dict[str, Any]], namespace: str, whom: str = READS) -> None:
    """Whoever reads, or fills, this collection waits, until ``release``."""
    _failpoint(client, namespace, whom, "alwaysOn")


def release(client: MongoClient[dict[str, Any]], namespace: str, whom: str = READS) -> None:
    _failpoint(client, namespace, whom, "off")


def is_held(client: MongoClient[dict[str, Any]], namespace: str, whom: str = READS) -> bool:
    """Whether somebody waits."""
    return bool(held(client, namespace, whom))


def held(client: MongoClient[dict[str, Any]], namespace: str, whom: str = READS) -> list[dict[str, Any]]:
    """Those who wait: the server shows what is done with the collection."""
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True}},
        {"$match": {"ns": namespace, f"command.{whom}": namespace.partition(".")[2]}},
    ]
    return list(client.admin.aggregate(pipeline))


def await_held(client: MongoClient[dict[str, Any]], namespace: str, whom: str = READS) -> None:
    deadline = monotonic() + HELD_SECONDS
    while not is_held(client, namespace, whom):
        assert monotonic() < deadline, "no worker came so far"


def _failpoint(client: MongoClient[dict[str, Any]], namespace: str, whom: str, mode: str) -> None:
    data = {"nss": namespace, "shouldCheckForInterrupt": True}
    client.admin.command({"configureFailPoint": _FAIL_POINTS[whom], "mode": mode, "data": data})
