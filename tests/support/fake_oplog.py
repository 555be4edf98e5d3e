"""An oplog in memory. It keeps the contract of :class:`holdfast.ports.Oplog`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bson import Int64, encode
from bson.timestamp import Timestamp

from holdfast.errors import HoldfastError, OplogGap
from holdfast.ports import ClusterTime
from holdfast.repository.oplog_entry import time_of
from holdfast.repository.repository import Repository
from holdfast.resources.policy import BackupPolicy

TERM = 1


def entry(seconds: int, increment: int = 1, **fields: Any) -> bytes:
    """An insert into ``shop.a``, or whatever ``fields`` say."""
    body = {"op": "i", "ns": "shop.a", "o": {"_id": seconds}, "ts": Timestamp(seconds, increment), "t": Int64(TERM)}
    return encode(body | fields)


class FakeOplog:
    """``entries``: what is in it. ``then`` is called whenever all of it was read, and may add some, or end it all by an
    error."""

    def __init__(self, *entries: bytes) -> None:
        self.entries = list(entries)
        self.then: Callable[[], object] = lambda: None
        self.opening: HoldfastError | None = None

    @property
    def replica_set(self) -> str:
        return "rs0"

    def head(self) -> tuple[ClusterTime, int]:
        return time_of(self.entries[-1])

    def written(self) -> ClusterTime:
        return self.head()[0]

    def follow(self, after: ClusterTime, term: int) -> Iterator[Sequence[bytes]]:
        if (after, term) not in map(time_of, self.entries):
            raise OplogGap(f"The oplog no longer holds the entry of {after}.")
        while True:
            new = [one for one in self.entries if time_of(one)[0] > after]
            yield new
            after = time_of(new[-1])[0] if new else after
            if not new:
                self.then()

    def close(self) -> None:
        pass

    def doors(self, repository: Repository, database: str = "shop") -> Any:
        """What an archiver opens."""

        @contextmanager
        def door(policy: BackupPolicy) -> Iterator[tuple["FakeOplog", Repository, str]]:
            del policy
            if self.opening:
                raise self.opening
            yield self, repository, database

        return door
