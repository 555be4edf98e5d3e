"""The database that is restored into."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from holdfast.domain.oplog import Operation
from holdfast.domain.privileges import Privilege
from holdfast.ports.source import (
    WHOLE,
    ClusterTime,
    CollectionInfo,
    CollectionType,
    Estimate,
    KeyRange,
    ServerInfo,
)


class Target(Protocol):
    """A MongoDB database, for writing. The same errors as Source; CollectionFailed for any refused write."""

    database: str

    def server(self) -> ServerInfo: ...

    def compatibility(self) -> str | None:
        """The server's feature compatibility version, such as ``6.0``; None where the user may not ask for it."""
        ...

    def identities(self) -> dict[str, bytes | None]:
        """All collections and views that are there, by name, with the UUID of what holds the data (views have none).
        A collection keeps its UUID when it is renamed."""
        ...

    def estimate(self, collection: CollectionInfo) -> Estimate: ...

    def free_bytes(self) -> int | None:
        """Room on the server's disk, or None where that cannot be known."""
        ...

    def privileges(self) -> Sequence[Privilege] | None:
        """What the user may do here; None where everybody may do everything, or nobody says."""
        ...

    def create(self, name: str, options: bytes, kind: CollectionType) -> None:
        """Create a collection or a view with its options as they were backed up. TargetNotEmpty if it is there."""
        ...

    def drop(self, name: str) -> None:
        """Drop a collection or a view; no error if there is none."""
        ...

    def drop_database(self) -> None:
        """Drop all of it."""
        ...

    def rename(self, name: str, to: str, *, replace: bool) -> None:
        """Give a collection another name, in one step. ``replace`` drops a collection that has it, in the same step.

        TargetNotEmpty if the name is taken, and not to be replaced or not by a collection."""
        ...

    def insert(
        self,
        collection: CollectionInfo,
        data: bytes,
        *,
        count: int | None = None,
        only_missing: bool = False,
        once_into: bytes | None = None,
    ) -> int:
        """Insert raw documents that follow one another, in order into a capped collection, and return how many. Any
        write error raises; with ``only_missing``, a duplicate key is none.

        ``count``: how many there are, where that is known; CollectionFailed if the server finds another number.
        ``once_into``: the UUID of the collection that is meant. CollectionFailed if another one has the name, or none.
        What is there already counts as inserted by an earlier call that nobody heard the end of. Not for a capped
        collection, and only where ``writes_by_uuid``."""
        ...

    def writes_by_uuid(self) -> bool:
        """Whether the server can be told which collection is meant."""
        ...

    def repeat(self, writes: Sequence[Operation]) -> None:
        """Do writes of an oplog once more, in order, past validators; an update needs its document. None at all:
        only see that the user may. CollectionFailed for any that is refused, NotAuthorized."""
        ...

    def counterparts(self, collection: CollectionInfo, documents: Sequence[bytes]) -> list[bytes]:
        """The documents there that have the ``_id`` of one of these, in any order."""
        ...

    def create_indexes(self, name: str, options: bytes, indexes: Sequence[bytes]) -> None: ...

    def settle(self) -> None:
        """Wait until a majority of the members holds all that was written."""
        ...

    def catalogue(self) -> list[CollectionInfo]: ...

    # Notes that a restore keeps in the target while it works, under a key each. A majority holds them.

    def notes(self, prefix: str = "") -> dict[str, dict[str, str]]:
        """Those whose key begins so."""
        ...

    def note(self, key: str) -> dict[str, str] | None: ...

    def write_note(self, key: str, note: Mapping[str, str]) -> None: ...

    def replace_note(self, key: str, before: Mapping[str, str] | None, note: Mapping[str, str]) -> bool:
        """In one step, put a note in place of ``before`` (None: of nothing). False if something else was there."""
        ...

    def delete_note(self, key: str) -> None: ...

    def delete_notes(self, prefix: str) -> None: ...

    def drop_notes(self) -> None:
        """Remove all, and the place where they are kept."""
        ...

    # For the comparison afterwards; as a Source has them.

    def can_divide(self, collection: CollectionInfo) -> bool: ...

    def key(self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange, skip: int) -> bytes | None: ...

    def read(
        self, collection: CollectionInfo, at: ClusterTime | None, keys: KeyRange = WHOLE
    ) -> Iterator[Sequence[bytes]]: ...

    def sweep(
        self, collection: CollectionInfo, *, backwards: bool = False, most: int | None = None
    ) -> Iterator[Sequence[bytes]]:
        """The documents, or so many of them at most, in batches of one at least, in the order in which the server keeps
        them, or from its other end. Never decoded."""
        ...

    def close(self) -> None: ...
