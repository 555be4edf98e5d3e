"""The oplog of a replica set, followed raw."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from bson.int64 import Int64
from bson.timestamp import Timestamp
from pymongo.errors import OperationFailure

from holdfast.errors import InvalidSpec, NotAuthorized, OplogGap, SourceUnavailable
from holdfast.mongo.client import Client
from holdfast.mongo.errors import translate
from holdfast.mongo.wire import RAW, batch_of
from holdfast.ports import ClusterTime
from holdfast.repository.oplog_entry import time_of

_OPLOG = "oplog.rs"
_MAJORITY = {"readConcern": {"level": "majority"}}
_BATCH_DOCUMENTS = 5_000
_WAIT_MS = 1_000
_FEW = 1_000
_GATHER_SECONDS = 0.5
# CappedPositionLost, CursorNotFound is not one of them: the server may only have been restarted.
_ROLLED_OVER = 136


class MongoOplog:
    """Implements :class:`holdfast.ports.Oplog`. The client must stay with one member (``OneMember``)."""

    def __init__(self, client: Client, *, origin: str, pause: Callable[[float], object] = time.sleep) -> None:
        self._client, self._origin, self._pause = client, origin, pause
        self._local = client.get_database("local")
        self._preference = client.read_preference

    @property
    def replica_set(self) -> str:
        with self._translated("Asking the server what it is"):
            hello = self._client.admin.command("hello", read_preference=self._preference)
        if hello.get("msg") == "isdbgrid":
            raise InvalidSpec(
                "This is a sharded cluster: its shards have an oplog each, and several are not followed as one.",
                hint="Recovery to any second works with replica sets.",
            )
        if not hello.get("setName"):
            raise InvalidSpec(
                "The server is a standalone: it has no oplog, so there is nothing to replay.",
                hint="Make it a replica set, of one member if need be; or do without recovery to any second.",
            )
        return str(hello["setName"])

    def head(self) -> tuple[ClusterTime, int]:
        command = {"find": _OPLOG, "sort": {"$natural": -1}, "limit": 1, "singleBatch": True, **_MAJORITY}
        with self._translated("Reading the oplog"):
            reply = self._local.command(command, codec_options=RAW, read_preference=self._preference)
        _, found = batch_of(reply)
        if not found:
            raise SourceUnavailable("The oplog is empty.", hint="Try again when the replica set has a primary.")
        return time_of(found[0])

    def written(self) -> ClusterTime:
        with self._translated("Asking for the newest entry of the oplog"):
            hello = self._client.admin.command("hello", read_preference=self._preference)
        time = hello["lastWrite"]["opTime"]["ts"]
        return ClusterTime(time.time, time.inc)

    def follow(self, after: ClusterTime, term: int) -> Iterator[Sequence[bytes]]:
        command: dict[str, Any] = {
            "find": _OPLOG,
            "filter": {"ts": {"$gte": Timestamp(after.seconds, after.increment)}},
            "tailable": True,
            "awaitData": True,
            "batchSize": _BATCH_DOCUMENTS,
            **_MAJORITY,
        }
        with self._translated("Reading the oplog"), self._client.start_session(causal_consistency=False) as session:
            try:
                yield from self._batches(command, session, after, term)
            except OperationFailure as error:
                if error.code != _ROLLED_OVER:
                    raise
                raise OplogGap(
                    "The oplog rolled over while it was read: it is too small for what is written."
                ) from error

    def _batches(
        self, command: dict[str, Any], session: Any, after: ClusterTime, term: int
    ) -> Iterator[Sequence[bytes]]:
        options: dict[str, Any] = {"codec_options": RAW, "session": session, "read_preference": self._preference}
        cursor, found = batch_of(self._local.command(command, **options))
        if not found or time_of(found[0]) != (after, term):
            raise OplogGap(
                f"The oplog no longer holds the entry of {after} up to which it was archived: it has rolled over, or "
                "another history took its place."
            )
        found = found[1:]
        while True:
            yield found
            if len(found) < _FEW:
                # Each answer costs as much as a thousand entries in it: let some gather.
                self._pause(_GATHER_SECONDS)
            if not cursor:
                raise SourceUnavailable("The server ended the reading of its oplog.")
            more = {
                "getMore": Int64(cursor), "collection": _OPLOG, "batchSize": _BATCH_DOCUMENTS, "maxTimeMS": _WAIT_MS
            }  # fmt: skip
            cursor, found = batch_of(self._local.command(more, **options))

    def close(self) -> None:
        self._client.close()

    def _translated(self, action: str) -> Any:
        return _with_hint(self._origin, action)


class _with_hint:  # noqa: N801
    def __init__(self, origin: str, action: str) -> None:
        self._inner = translate(origin, SourceUnavailable, action)

    def __enter__(self) -> None:
        self._inner.__enter__()

    def __exit__(self, *error: Any) -> bool | None:
        try:
            return self._inner.__exit__(*error)
        except NotAuthorized as refused:
            raise NotAuthorized(refused.message, hint="Give the user the role `backup` on admin.") from refused
