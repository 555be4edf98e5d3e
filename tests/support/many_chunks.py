"""A repository that has the chunks of a huge backup, without the data: all that knows chunks only by name can work on
it. Chunk number ``n`` has the SHA-256 of ``n`` for an id."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from hashlib import sha256
from threading import Event

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.locks import Lock, LockKind, locked
from holdfast.repository.manifest import CollectionRecord, ConsistencyRecord, Manifest, ServerRecord
from holdfast.repository.repository import Repository
from holdfast.repository.segment_writer import StoredChunk
from holdfast.services.collection_records import filled
from holdfast.stores.memory import MemoryStore

CHUNK = 4 * 2**20
"""Raw bytes of each."""
_MOMENT = datetime(2026, 11, 23, 2, tzinfo=UTC)
_SEGMENT = 2_500


def empty_repository() -> tuple[Repository, MemoryStore]:
    store = MemoryStore()
    repository = Repository(store)
    repository.open(create=True)
    return repository, store


def put_chunks(store: MemoryStore, numbers: range) -> None:
    """Say that these chunks are there."""
    for number in numbers:
        name = _id(number).hex()
        store.objects[f"chunks/{name[:2]}/{name}"] = b""


def commit_chunks(repository: Repository, numbers: range, backup_id: str) -> Manifest:
    """Commit a backup of one collection that has these chunks."""
    writer = CollectionWriter(repository, namespace="db.c", counted=set())
    for first in range(numbers.start, numbers.stop, _SEGMENT):
        writer.take(tuple(_chunks(range(first, min(numbers.stop, first + _SEGMENT)))))
    written = writer.finish()
    manifest = Manifest(
        holdfast_version="0",
        backup_id=backup_id,
        database="db",
        server=ServerRecord(version="6.0.5", topology="standalone"),
        start_time=_MOMENT,
        completion_time=_MOMENT,
        consistency=ConsistencyRecord(level=ConsistencyLevel.NONE),
        documents=written.documents,
        logical_bytes=written.logical_bytes,
        stored_bytes=written.stored_bytes,
        new_bytes=written.new_bytes,
        collections=(filled(CollectionRecord(name="c", type="collection"), written),),
    )
    with alone_in(repository) as lock:
        return repository.commit(manifest, lock)


def alone_in(repository: Repository) -> AbstractContextManager[Lock]:
    return locked(repository.store, lambda: datetime.now(UTC), LockKind.EXCLUSIVE, "many chunks", Event())


def _chunks(numbers: range) -> Iterator[StoredChunk]:
    for number in numbers:
        digest = int.from_bytes(sha256(b"%d of all" % number).digest(), "big")
        yield StoredChunk(ChunkRef(_id(number), 1_000, CHUNK, CHUNK // 5, digest), CHUNK // 5)


def _id(number: int) -> bytes:
    return sha256(b"%d" % number).digest()
