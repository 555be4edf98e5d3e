"""Holding whoever reads a collection, where a test wants a backup to be half-way. The server takes test commands."""

from time import monotonic
from typing import Any

from pymongo import MongoClient

HELD_SECONDS = 90


def hold(client: MongoClient[dict[str, Any]], namespace: str) -> None:
    """Every reader of this collection waits, until ``release``."""
    _failpoint(client, namespace, "alwaysOn")


def release(client: MongoClient[dict[str, Any]], namespace: str) -> None:
    _failpoint(client, namespace, "off")


def is_held(client: MongoClient[dict[str, Any]], namespace: str) -> bool:
    """Whether somebody waits: the server shows the read of the collection."""
    pipeline: list[dict[str, Any]] = [
        {"$currentOp": {"allUsers": True}},
        {"$match": {"ns": namespace, "command.find": namespace.partition(".")[2]}},
    ]
    return bool(list(client.admin.aggregate(pipeline)))


def await_held(client: MongoClient[dict[str, Any]], namespace: str) -> None:
    deadline = monotonic() + HELD_SECONDS
    while not is_held(client, namespace):
        assert monotonic() < deadline, "no worker began to read"


def _failpoint(client: MongoClient[dict[str, Any]], namespace: str, mode: str) -> None:
    data = {"nss": namespace, "shouldCheckForInterrupt": True}
    client.admin.command({"configureFailPoint": "waitInFindBeforeMakingBatch", "mode": mode, "data": data})
