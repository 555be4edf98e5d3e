"""How long an application's writes take while something else goes on."""

import threading
import time
from collections.abc import Callable
from typing import Any

from bson import ObjectId
from pymongo import MongoClient

_PAUSE_SECONDS = 0.005


def p99_while(uri: str, database: str, act: Callable[[], object]) -> float:
    """The 99th percentile, in seconds, of an insert and an update, made all the time while `act` runs."""
    taken: list[float] = []
    over = threading.Event()

    def write() -> None:
        with MongoClient[dict[str, Any]](uri) as client:
            entries = client[database].benchWrites
            while not over.is_set():
                start = time.perf_counter()
                key = ObjectId()
                entries.insert_one({"_id": key, "minutes": 1, "note": "x" * 300})
                entries.update_one({"_id": key}, {"$inc": {"minutes": 1}})
                taken.append(time.perf_counter() - start)
                over.wait(_PAUSE_SECONDS)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        act()
    finally:
        over.set()
        writer.join()
    return sorted(taken)[int(len(taken) * 0.99)]
