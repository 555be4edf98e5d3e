"""Repeat, in what was restored, what was written while the backup read: then it shows the moment that it stands for.

What was read may already show any part of that. Each write puts its document into the state that it was in then, so
the last one counts. Where a document was deleted, all that was written to it before counts no more, and is left out: an
update would miss it. Indexes come later: of two documents, one may have been there only before the other. A capped
collection begins with the oldest document that was read: what was inserted before that one had gone by then.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from holdfast.domain.oplog import BUCKETS, Operation
from holdfast.errors import Interrupted
from holdfast.ports import ClusterTime, Target
from holdfast.repository.changes import write_of
from holdfast.repository.documents import id_bytes, split
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.reach import point_of
from holdfast.services.replay import BATCH_BYTES, BATCH_OPERATIONS

_Key = tuple[str, bytes]


class CatchUp:
    """``names``: the collections that are restored, as the backup calls them. ``stopped``: whether to go on."""

    def __init__(
        self, manifest: Manifest, names: frozenset[str], repository: Repository, stopped: Callable[[], bool]
    ) -> None:
        self._manifest, self._repository, self._stopped = manifest, repository, stopped
        self._read_after = {
            one.name: point_of(one.read_after) for one in manifest.collections if one.name in names and one.read_after
        }
        self._oldest = {one.name: key for one in manifest.collections if one.capped and (key := self._first_of(one))}

    @cached_property
    def count(self) -> int:
        """How many writes are to be repeated. DamagedBackup, StoreUnavailable."""
        return sum(1 for _ in self._wanted())

    def repeat(self, target: Target, places: Mapping[str, str], check: Callable[[], object]) -> None:
        """``places``: how the collections are called in the target for now. Those that are in it have all that was
        read, no index, and nothing was written to them since. What ``Target.repeat`` raises, and Interrupted."""
        batch: list[Operation] = []
        size = 0
        for one in self._wanted():
            name = one.collection.removeprefix(BUCKETS)
            if name not in places:
                continue
            prefix = one.collection.removesuffix(name)
            batch.append(Operation(one.kind, prefix + places[name], one.body, one.key))
            size += len(one.body)
            if len(batch) >= BATCH_OPERATIONS or size >= BATCH_BYTES:
                check()
                target.repeat(batch)
                batch, size = [], 0
        if batch:
            check()
            target.repeat(batch)

    def _wanted(self) -> Iterator[Operation]:
        begins = self._begins
        for number, one in self._writes():
            if number >= max(begins.get(_key(one), 0), begins.get((one.collection, b""), 0)):
                yield one

    @cached_property
    def _begins(self) -> dict[_Key, int]:
        """With which write those to each document begin to count; without a key, those to a capped collection."""
        begins: dict[_Key, int] = {}
        for number, one in self._writes():
            key = _key(one)
            if one.kind == "delete":
                begins[key] = number
            elif one.kind == "insert" and self._oldest.get(one.collection) == key[1]:
                begins[one.collection, b""] = number
        return begins

    def _first_of(self, record: CollectionRecord) -> bytes | None:
        ref = next(self._repository.chunk_refs(record), None) if record.name in self._read_after else None
        return id_bytes(next(split(self._repository.read_chunk(ref.id)))) if ref else None

    def _writes(self) -> Iterator[tuple[int, Operation]]:
        changes = self._manifest.changes
        number = 0
        for ref in self._repository.chunk_refs(changes) if changes else ():
            if self._stopped():
                raise Interrupted("The restore was stopped.", hint="It is not complete.")
            for raw in split(self._repository.read_chunk(ref.id)):
                time, one = write_of(raw)
                if self._is_behind(time, one):
                    number += 1
                    yield number, one

    def _is_behind(self, time: ClusterTime, one: Operation) -> bool:
        since = self._read_after.get(one.collection.removeprefix(BUCKETS))
        return since is not None and time > since


def _key(one: Operation) -> _Key:
    return one.collection, id_bytes(one.key if one.kind == "update" and one.key else one.body)
