"""Who has signed up: told by a change stream, or found by their ``_id`` where the server is a standalone.

A look is short, and holds nothing open: the position that it returns is a resume token, from which the next one goes
on. Only ids are read here; names are read when somebody is told.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pymongo
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.objectid import ObjectId
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from holdfast.errors import InvalidSpec, NotAuthorized, SourceUnavailable
from holdfast.mongo.client import Client, Document, connect
from holdfast.mongo.errors import translate
from holdfast.ports import Person, PersonFields, Signups, UserCollection

LIMIT_SECONDS = 10.0
MOST = 20_000
"""Signups that one look counts; the next goes on at once."""
SETTLE = timedelta(seconds=60)
"""How far the clocks of those who make ids may be apart: an id is made before its document arrives."""
ID_LIMIT = 300
TEXT_LIMIT = 100

_WAIT_MS = 250
_ON_A_STANDALONE = 40573
# InvalidResumeToken, ChangeStreamFatalError, ChangeStreamHistoryLost.
_POSITION_LOST = frozenset({260, 280, 286})
_TOKEN, _FROM = "token", "from"
_CHANGES: list[Mapping[str, Any]] = [
    {"$match": {"operationType": {"$in": ["insert", "drop", "rename", "dropDatabase", "invalidate"]}}},
    {"$project": {"operationType": 1, "documentKey": 1}},
]
_LENIENT: CodecOptions[Document] = CodecOptions(
    tz_aware=True,
    tzinfo=UTC,
    unicode_decode_error_handler="replace",
    datetime_conversion=DatetimeConversion.DATETIME_AUTO,
)


class MongoSignups:
    """Implements :class:`holdfast.ports.SignupSource`."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS, settle: timedelta = SETTLE, most: int = MOST) -> None:
        self._limit, self._settle, self._most = limit_seconds, settle, most

    def look(self, where: UserCollection, position: str | None, *, shown: int) -> Signups:
        known = json_util.loads(position) if position else {}
        with self._opened(where, where.read_preference, "Following new users") as (client, users):
            there = _is_there(users)
            try:
                return self._changes(users, known, shown, there)
            except OperationFailure as error:
                if error.code in _POSITION_LOST and known:
                    return replace(self._changes(users, {}, shown, there), lost=True)
                if error.code != _ON_A_STANDALONE:
                    raise
            return self._by_id(client, users, known, shown, there)

    def people(self, where: UserCollection, ids: Sequence[str], fields: PersonFields) -> Sequence[Person]:
        if not ids:
            return []
        wanted = {one: json_util.loads(one) for one in ids}
        # A secondary may not have yet what a change stream on another member has told.
        with self._opened(where, "primaryPreferred", "Reading new users") as (_, users):
            read = users.find({"_id": {"$in": list(wanted.values())}}, _projection(fields))
            found = {_id_text(user["_id"]): user for user in read}
        return [_person(found[one], fields) for one in ids if one in found]

    @contextmanager
    def _opened(
        self, where: UserCollection, preference: str, action: str
    ) -> Iterator[tuple[Client, Collection[Document]]]:
        with pymongo.timeout(self._limit):
            client = connect(where.uri, origin=where.origin, readPreference=preference)
            with client, _translated(where, action):
                yield client, client.get_database(where.database).get_collection(where.collection, _LENIENT)

    def _changes(self, users: Collection[Document], known: Mapping[str, Any], shown: int, there: bool) -> Signups:
        ids: list[str] = []
        count = 0
        with users.watch(
            _CHANGES, start_after=known.get(_TOKEN), max_await_time_ms=_WAIT_MS, batch_size=1_000
        ) as stream:
            while count < self._most and stream.alive and (change := stream.try_next()) is not None:
                if change["operationType"] == "insert":
                    count += 1
                    _keep(ids, change["documentKey"]["_id"], shown)
            token = stream.resume_token
        return Signups(
            json_util.dumps({_TOKEN: token}),
            "ChangeStream",
            count,
            tuple(ids),
            more=count >= self._most,
            # It was a standalone before, and what came in between was told by nobody.
            lost=_FROM in known,
            there=there or count > 0,
        )

    def _by_id(
        self, client: Client, users: Collection[Document], known: Mapping[str, Any], shown: int, there: bool
    ) -> Signups:
        """Ids begin with the second in which they were made: those made a while ago are counted, each second once."""
        _check_ids(users)
        server_time: datetime = client.admin.command("hello")["localTime"].replace(tzinfo=UTC)
        end = ObjectId.from_datetime(server_time - self._settle)
        begin = known.get(_FROM, end)
        ids: list[str] = []
        count, last = 0, begin
        fresh = users.find({"_id": {"$gte": begin, "$lt": end}}, ["_id"], sort=[("_id", 1)], limit=self._most)
        for user in fresh:
            count, last = count + 1, user["_id"]
            _keep(ids, last, shown)
        more = count >= self._most
        reached = _after(last) if more else max(begin, end)
        return Signups(
            json_util.dumps({_FROM: reached}), "Ids", count, tuple(ids), more=more, lost=_TOKEN in known, there=there
        )


def _projection(fields: PersonFields) -> list[str]:
    """The server refuses a path beside one that holds it."""
    paths = {"_id", fields.name, fields.address, fields.time}
    return [path for path in sorted(paths) if not any(path.startswith(f"{other}.") for other in paths)]


def _is_there(users: Collection[Document]) -> bool:
    found = list(
        users.database.list_collections(filter={"name": users.name}, nameOnly=True, authorizedCollections=True)
    )
    if found and found[0].get("type", "collection") != "collection":
        raise InvalidSpec(
            f"{users.full_name} is no collection but a {found[0]['type']}, which cannot be followed.",
            hint="Name the collection behind it in spec.notifications.newUsers.collection.",
        )
    return bool(found)


def _check_ids(users: Collection[Document]) -> None:
    for direction in (1, -1):
        edge = users.find_one({}, ["_id"], sort=[("_id", direction)])
        if edge is not None and not isinstance(edge["_id"], ObjectId):
            raise InvalidSpec(
                "The server is a standalone, which tells of no changes, and the _id of a user does not say when it was "
                "made: new users cannot be noticed.",
                hint="Make it a replica set, of one member if need be; or remove spec.notifications.newUsers.",
            )


def _after(last: ObjectId) -> ObjectId:
    return ObjectId((int(str(last), 16) + 1).to_bytes(12, "big"))


def _keep(ids: list[str], id_: Any, shown: int) -> None:
    if len(ids) < shown and len(text := _id_text(id_)) <= ID_LIMIT:
        ids.append(text)


def _id_text(id_: Any) -> str:
    return json_util.dumps(id_, json_options=json_util.CANONICAL_JSON_OPTIONS)


def _person(user: Mapping[str, Any], fields: PersonFields) -> Person:
    time = _value(user, fields.time)
    if not isinstance(time, datetime):
        time = user["_id"].generation_time if isinstance(user["_id"], ObjectId) else None
    return Person(_text(_value(user, fields.name)), _text(_value(user, fields.address)), time)


def _value(user: Any, path: str) -> Any:
    for name in path.split("."):
        user = user.get(name) if isinstance(user, Mapping) else None
    return user


def _text(value: Any) -> str:
    """On one line and not too long: people choose their names themselves."""
    if not isinstance(value, str):
        return ""
    return " ".join("".join(char if char.isprintable() else " " for char in value).split())[:TEXT_LIMIT]


@contextmanager
def _translated(where: UserCollection, action: str) -> Iterator[None]:
    try:
        with translate(where.origin, SourceUnavailable, action):
            yield
    except NotAuthorized as error:
        hint = f"Give the user the role `read` on the database {where.database}."
        raise NotAuthorized(error.message, hint=hint) from error
