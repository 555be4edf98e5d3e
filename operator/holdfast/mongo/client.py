"""Connect to MongoDB, with time-outs, and stay with one member where a cursor needs it."""

from collections.abc import Sequence
from typing import Any

from pymongo import MongoClient
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri

from holdfast.errors import SourceUnavailable, Unavailable
from holdfast.mongo.errors import invalid_uri, translate
from holdfast.ports import Member

Document = dict[str, Any]
Client = MongoClient[Document]

_TIMEOUTS = {"serverSelectionTimeoutMS": 10_000, "connectTimeoutMS": 10_000, "socketTimeoutMS": 300_000}


class OneMember:
    """A server selector that stays with one member: the one given, or the first that it chose.

    A cursor lives on one member, and our own getMore must find it again; the driver chooses anew for each command.
    """

    def __init__(self, member: Member | None = None) -> None:
        self.member = member

    def __call__(self, servers: Sequence[Any]) -> list[Any]:
        if self.member is None and servers:
            self.member = min(servers, key=lambda server: server.round_trip_time or 0).address
        return [server for server in servers if server.address == self.member]


def connect(uri: str, *, origin: str, unavailable: type[Unavailable] = SourceUnavailable, **options: Any) -> Client:
    """A client that has spoken with the server once, and logged in.

    ``origin`` is where the URI came from, for messages. Time-outs in the URI win over ours. Raises InvalidUri,
    AuthenticationFailed, ``unavailable``, and InvalidSpec for a server that is too old.
    """
    given = {name.lower() for name in _parse(uri, origin)["options"]}
    ours = {name: value for name, value in _TIMEOUTS.items() if name.lower() not in given}
    with translate(origin, unavailable, "Connecting to MongoDB"):
        client: Client = MongoClient(uri, appname="holdfast", **(ours | options))
    try:
        with translate(origin, unavailable, "Connecting to MongoDB"):
            client.admin.command("hello", read_preference=client.read_preference)
    except Exception:
        client.close()
        raise
    return client


def database_in(uri: str, *, origin: str) -> str | None:
    """The database that the URI names, if any. Raises InvalidUri."""
    name = _parse(uri, origin)["database"]
    return str(name) if name else None


def _parse(uri: str, origin: str) -> dict[str, Any]:
    try:
        return parse_uri(uri)
    except (PyMongoError, ValueError, TypeError):
        # Not chained: the driver may quote any part of the URI, and a chain of causes is printed too.
        raise invalid_uri(origin) from None
