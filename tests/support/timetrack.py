"""A database as a time tracker would fill it, the same for the same seed, at any size.

`python -m tests.support.timetrack --uri-file F --database timetrack --entries N` fills one and says what is in it.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

from bson import Int64, ObjectId
from pymongo import MongoClient, UpdateOne
from pymongo.database import Database
from pymongo.errors import PyMongoError

from tests.support import timetrack_documents as documents
from tests.support.timetrack_catalogue import OPTIONS, create_collections, create_indexes

COLLECTIONS = tuple(OPTIONS)
NOW = datetime(2026, 6, 1, 20, tzinfo=UTC)
HISTORY = timedelta(days=730)
BATCH = 10_000

TimeTrack = Database[dict[str, Any]]


@dataclass(frozen=True)
class DayOfUse:
    """How many documents of all collections a day has added and changed."""

    inserted: int
    updated: int


def generate(database: TimeTrack, *, entries: int = 20_000, seed: int = 1, now: datetime = NOW) -> None:
    """Fill an empty database with two years of use that end at `now`, with so many time entries.

    Every 400 entries make a user; the other collections grow with the users. The same arguments give the same
    bytes. Raises CollectionInvalid if one of the collections is there already.
    """
    random = Random(seed)  # noqa: S311 (repeatable, not secret)
    start = now - HISTORY
    create_collections(database)
    count = max(5, entries // 400)
    people = _insert(database, "users", documents.users(random, count, 1, start, now))
    _insert(database, "timeEntries", documents.time_entries(random, entries, people, start, now))
    _insert(database, "userGoals", documents.user_goals(random, people, now))
    wishes = _insert(database, "feedback", documents.feedback(random, 10 + count // 4, people, start, now))
    _insert(database, "feedbackVotes", documents.feedback_votes(random, wishes, people, now))
    _insert(database, "dayReflections", documents.day_reflections(random, 60, people, now))
    create_indexes(database)


def a_day_of_use(database: TimeTrack, *, seed: int, now: datetime) -> DayOfUse:
    """Use a generated database for the day that ends at `now`: 2 % more entries, 0.8 % changed, mostly recent ones.

    `now` is a day later than at the last call, and the seed another one. A few users, wishes and reflections come
    too.
    """
    random = Random(f"day {seed}")  # noqa: S311 (repeatable, not secret)
    start = now - timedelta(days=1)
    before = database.timeEntries.estimated_document_count()
    updated = _update_entries(database, random, before, now)

    people = [user["_id"] for user in database.users.find({}, {"_id": 1}).sort("_id")]
    arrivals = documents.users(random, max(1, len(people) // 200), len(people) + 1, start, now)
    people += (newcomers := _insert(database, "users", arrivals))
    entries = _insert(database, "timeEntries", documents.time_entries(random, before // 50, people, start, now))
    goals = _insert(database, "userGoals", documents.user_goals(random, newcomers, now))
    wishes = _insert(database, "feedback", documents.feedback(random, 1, people, start, now))
    votes = _insert(database, "feedbackVotes", documents.feedback_votes(random, wishes, people, now))
    reflections = _insert(database, "dayReflections", documents.day_reflections(random, 1, people, now))
    added = (newcomers, entries, goals, wishes, votes, reflections)
    return DayOfUse(inserted=sum(map(len, added)), updated=updated)


def _insert(database: TimeTrack, name: str, rows: Iterable[dict[str, Any]]) -> list[ObjectId]:
    """Insert documents in big batches, and return their ids."""
    ids: list[ObjectId] = []
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        database[name].insert_many(batch, ordered=True)
        ids += [row["_id"] for row in batch]
    return ids


def _update_entries(database: TimeTrack, random: Random, count: int, now: datetime) -> int:
    """Correct the durations of 0.8 % of the entries, mostly recent ones: on average those of a week ago."""
    newest_first = database.timeEntries.find({}, {"_id": 1}).sort("_id", -1).limit(max(1, count // 5))
    ids = [entry["_id"] for entry in newest_first]
    mean_age = max(1, count * 7 // HISTORY.days)
    chosen: set[ObjectId] = set()
    while len(chosen) < max(1, count * 8 // 1000):
        age = int(random.expovariate(1 / mean_age))
        if age < len(ids):
            chosen.add(ids[age])
    changes = [
        UpdateOne(
            {"_id": key},
            {"$set": {"minutes": random.randrange(5, 240), "updatedAt": now}, "$inc": {"revision": Int64(1)}},
        )
        for key in sorted(chosen)
    ]
    for first in range(0, len(changes), BATCH):
        database.timeEntries.bulk_write(changes[first : first + BATCH], ordered=False)
    return len(changes)


def _evening_after_the_last_day(database: TimeTrack) -> datetime:
    last = database.dayReflections.find_one(sort={"date": -1})
    return last["date"] + timedelta(days=1, hours=20) if last else NOW


def _table(database: TimeTrack) -> str:
    rows = [f"{'collection':<16}{'documents':>12}{'bytes':>16}"]
    for name in COLLECTIONS:
        size = database.command("collStats", name)
        rows.append(f"{name:<16}{size['count']:>12,}{size['size']:>16,}")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fill a database, or use one for a day, and print the counts and bytes of its collections."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.timetrack", description=main.__doc__)
    parser.add_argument("--uri-file", type=Path, required=True, help="a file that holds the connection string")
    parser.add_argument("--database", default="timetrack")
    parser.add_argument("--entries", type=int, default=20_000, help="how many time entries")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--day", action="store_true", help="add the day after the last one in it")
    options = parser.parse_args(arguments)
    try:
        uri = options.uri_file.read_text(encoding="utf-8").strip()
        with MongoClient[dict[str, Any]](uri, tz_aware=True) as client:
            database = client[options.database]
            if options.day:
                a_day_of_use(database, seed=options.seed, now=_evening_after_the_last_day(database))
            else:
                generate(database, entries=options.entries, seed=options.seed, now=datetime.now(UTC))
            print(_table(database))
    except (PyMongoError, OSError) as error:
        print(f"timetrack: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
