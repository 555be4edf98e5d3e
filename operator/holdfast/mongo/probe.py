"""Ask a source whether it can be read, in a few seconds, without reading anything."""

import pymongo

from holdfast.domain import sharded
from holdfast.errors import InvalidSpec, SourceUnavailable
from holdfast.mongo.client import connect
from holdfast.mongo.errors import translate

LIMIT_SECONDS = 5.0


class MongoProbe:
    """Implements :class:`holdfast.ports.SourceProbe`."""

    def __init__(self, limit_seconds: float = LIMIT_SECONDS) -> None:
        self._limit = limit_seconds

    def probe(self, uri: str, *, origin: str, read_preference: str) -> str:
        with pymongo.timeout(self._limit):
            client = connect(uri, origin=origin, readPreference=read_preference)
            with client, translate(origin, SourceUnavailable, "Asking the source"):
                # Without a right this reads nothing, but it logs in, and goes to the member that would be read.
                hello = client.admin.command("hello", read_preference=client.read_preference)
        if not (hello.get("isWritablePrimary") or hello.get("secondary")):
            raise SourceUnavailable(
                "The member that answers is neither primary nor secondary.", hint="Wait until it has caught up."
            )
        if hello.get("msg") == "isdbgrid":
            raise InvalidSpec(
                f"The source is a sharded cluster (a mongos answers). {sharded.WHAT_IT_WOULD_NEED}", hint=sharded.HINT
            )
        name = hello.get("setName")
        return f"Replica set {name}" if name else "The server"
