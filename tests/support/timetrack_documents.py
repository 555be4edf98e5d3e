"""The documents of an invented time tracker: pure functions of a seeded random generator and a time.

Each function yields documents in `_id` order, and all of their times are whole milliseconds, as BSON keeps them.
"""

import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId

from tests.support import timetrack_words as words

Document = dict[str, Any]

DAY = timedelta(days=1)
NEVER = datetime(2190, 1, 1, tzinfo=UTC)
RATES = tuple(Decimal128(rate) for rate in words.RATES)
TAG_LISTS = [[], *([tag] for tag in words.TAGS), *(list(words.TAGS[at : at + 3]) for at in range(7))]


class Ids:
    """Object ids as one driver process makes them: seconds, a fixed part, a counter."""

    def __init__(self, random: Random) -> None:
        self._process = random.randbytes(5)
        self._counter = random.randrange(1 << 23)

    def at(self, time: datetime) -> ObjectId:
        """The next id, as of a time."""
        self._counter = (self._counter + 1) & 0xFFFFFF
        seconds = int(time.timestamp())
        return ObjectId(seconds.to_bytes(4, "big") + self._process + self._counter.to_bytes(3, "big"))


def users(random: Random, count: int, first: int, start: datetime, end: datetime) -> Iterator[Document]:
    """People who signed up between two times, numbered from `first`."""
    ids = Ids(random)
    for position, time in enumerate(_times(random, count, start, end)):
        number = first + position
        user: Document = {
            "_id": ids.at(time),
            "email": f"user-{number}@example.org",
            "name": f"user-{number}",
            "timeZone": random.choice(words.TIME_ZONES),
            "isActive": random.random() < 0.9,
            "hourlyRate": random.choice(RATES),
            "settings": {"weekStartsOn": random.randrange(2), "theme": random.choice(("light", "dark", None))},
            "logins": Int64(random.randrange(1, 5_000_000_000)),
            "createdAt": time,
        }
        if random.random() < 0.4:
            user["avatar"] = Binary(random.randbytes(random.randrange(64, 400)))
        if random.random() < 0.2:
            user["calendarToken"] = Binary(uuid.UUID(int=random.getrandbits(128), version=4).bytes, 4)
        yield user


def time_entries(
    random: Random, count: int, user_ids: Sequence[ObjectId], start: datetime, end: datetime
) -> Iterator[Document]:
    """What people did between two times. A few of them track far more than the others."""
    ids = Ids(random)
    uniform, choice = random.random, random.choice
    for time in _times(random, count, start, end):
        minutes = 5 + int(uniform() * 235)
        ended = time + timedelta(minutes=minutes)
        entry: Document = {
            "_id": ids.at(time),
            "userId": user_ids[int(len(user_ids) * uniform() ** 2)],
            "date": time.replace(hour=0, minute=0, second=0, microsecond=0),
            "startedAt": time,
            "endedAt": ended,
            "minutes": minutes,
            "category": choice(words.CATEGORIES),
            "description": choice(words.SENTENCES),
            "project": {
                "name": choice(words.PROJECTS),
                "client": choice(words.CLIENTS),
                "billable": uniform() < 0.6,
                "rate": choice(RATES),
            },
            "tags": choice(TAG_LISTS),
            "focus": uniform(),
            "revision": Int64(1),
            "source": choice(words.SOURCES),
            "createdAt": time,
            "updatedAt": ended,
        }
        rare = uniform()
        if rare < 0.02:
            entry["endedAt"] = None
        elif rare < 0.12:
            entry["notes"] = f"{choice(words.SENTENCES)} {choice(words.SENTENCES)}"
        elif rare < 0.16:
            entry["breaks"] = [{"at": time + timedelta(minutes=minutes // 2), "minutes": 10}]
        elif rare < 0.20:
            del entry["project"]
        yield entry


def user_goals(random: Random, user_ids: Sequence[ObjectId], time: datetime) -> Iterator[Document]:
    """What people want to reach: hours a day, week or month."""
    ids = Ids(random)
    for user in user_ids:
        for period, hours in (("day", 6.5), ("week", 32.0), ("month", 140)):
            target: float = hours if random.random() < 0.7 else random.randrange(1, 200)
            # fmt: off
            yield {
                "_id": ids.at(time), "userId": user, "period": period, "targetHours": target,
                "categories": random.sample(words.CATEGORIES, random.randrange(4)),
                "isActive": random.random() < 0.8, "createdAt": time,
            }
            # fmt: on


def feedback(
    random: Random, count: int, user_ids: Sequence[ObjectId], start: datetime, end: datetime
) -> Iterator[Document]:
    """What people wish for."""
    ids = Ids(random)
    for number, time in enumerate(_times(random, count, start, end)):
        wish: Document = {
            "_id": ids.at(time),
            "userId": random.choice(user_ids),
            "title": f"Wish {number}: {random.choice(words.TAGS)}",
            "body": " ".join(random.sample(words.SENTENCES, 3)),
            "status": random.choice(("open", "planned", "done", "declined")),
            "votes": 0,
            "comments": [
                {"userId": random.choice(user_ids), "text": random.choice(words.SENTENCES), "at": time + DAY * day}
                for day in range(random.randrange(4))
            ],
            "createdAt": time,
        }
        if wish["status"] == "done":
            wish["doneAt"] = time + 30 * DAY
        yield wish


def feedback_votes(
    random: Random, wishes: Sequence[ObjectId], user_ids: Sequence[ObjectId], time: datetime
) -> Iterator[Document]:
    """Who supports which wish; at most one vote each."""
    ids = Ids(random)
    for wish in wishes:
        for user in random.sample(user_ids, random.randrange(min(12, len(user_ids)))):
            value = 1 if random.random() < 0.9 else -1
            yield {"_id": ids.at(time), "feedbackId": wish, "userId": user, "value": value, "createdAt": time}


def day_reflections(random: Random, days: int, user_ids: Sequence[ObjectId], end: datetime) -> Iterator[Document]:
    """How people's last days were; at most one reflection a person and day."""
    ids = Ids(random)
    today = end.replace(hour=0, minute=0, second=0, microsecond=0)
    for date in (today - DAY * back for back in reversed(range(days))):
        written = min(date + timedelta(hours=18), end)
        for user in random.sample(user_ids, max(1, len(user_ids) // 3)):
            reflection: Document = {
                "_id": ids.at(written),
                "userId": user,
                "date": date,
                "mood": random.choice(words.MOODS),
                "energy": random.randrange(1, 6),
                "score": round(random.gauss(60, 15), 2),
                "text": " ".join(random.sample(words.SENTENCES, random.randrange(1, 5))),
                "deleteAfter": NEVER,
            }
            if random.random() < 0.1:
                reflection["sharedAt"] = written
            yield reflection


def _times(random: Random, count: int, start: datetime, end: datetime) -> Iterator[datetime]:
    """Increasing times with uneven gaps, the first after `start`, the last before `end`."""
    origin = int(start.timestamp() * 1000)
    step = (end.timestamp() * 1000 - origin) / max(count, 1)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    for position in range(count):
        yield epoch + timedelta(milliseconds=int(origin + (position + random.random()) * step))
