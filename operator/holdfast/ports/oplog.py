"""The oplog: every change of a replica set, in order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from holdfast.domain.oplog import Operation
from holdfast.ports.source import ClusterTime


class Oplog(Protocol):
    """The oplog of a replica set, for reading. The errors of Source, and OplogGap."""

    @property
    def replica_set(self) -> str:
        """Its name. InvalidSpec where there is no oplog: a standalone server, or a sharded cluster."""
        ...

    def head(self) -> tuple[ClusterTime, int]:
        """The newest entry that a majority has: its time, and the term of the primary that wrote it."""
        ...

    def written(self) -> ClusterTime:
        """The time of the newest entry that this member has, also where a majority does not have it yet."""
        ...

    def follow(self, after: ClusterTime, term: int) -> Iterator[Sequence[bytes]]:
        """All entries behind one that is known, as they are written, raw. An empty batch where there is none for a
        second. Never ends by itself.

        OplogGap if the known entry is not there: the oplog has rolled over it, or another history took its place."""
        ...

    def close(self) -> None: ...


class Replayer(Protocol):
    """Does operations of an oplog once more, in the database of a Target. CollectionFailed for any that is refused."""

    def write(self, operations: Sequence[Operation], note: str, content: Mapping[str, str]) -> None:
        """Do inserts, updates and deletes in order, and keep a note of the target (as ``Target.write_note``) behind
        them."""
        ...

    def change(self, operation: Operation, *, again: bool) -> None:
        """Do any other. Nothing expires yet: that waits for ``expire``. ``again``: it may have been done before."""
        ...

    def expire(self, collection: str, index: str, seconds: int) -> None:
        """Let documents expire by this index from now on; by the option of the collection where ``index`` is empty."""
        ...
