"""Turn the documents of one segment into stored chunks: cut, hash, compress and store, in a bounded pipeline.

The reader stays ahead of the store by a number of bytes, so memory does not grow with the data. Hashing and
compressing run in threads; both release the interpreter's lock.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from holdfast.repository.chunker import Chunker, RawChunk
from holdfast.repository.chunks import ChunkRef, document_hash
from holdfast.repository.repository import Repository

IN_FLIGHT = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """A chunk of this backup, and how many of its stored bytes were not there before."""

    ref: ChunkRef
    new_bytes: int


WrittenSegment = tuple[StoredChunk, ...]
"""What became of one segment's documents, in order."""


class SegmentWriter:
    """``add`` batches in order, then ``finish``. Not thread-safe; the work behind it is spread over ``pool``."""

    def __init__(
        self,
        repository: Repository,
        pool: Executor,
        *,
        namespace: str,
        known: Mapping[bytes, ChunkRef],
        in_flight: int = IN_FLIGHT,
        chunker: Chunker | None = None,
    ) -> None:
        """``known``: chunks of an earlier backup, which need not be hashed document by document and compressed again.
        One that the store has lost is stored anew, so that damage heals where the data is still there.
        """
        self._repository, self._pool, self._namespace = repository, pool, namespace
        self._known, self._in_flight = known, in_flight
        self._chunker = chunker or Chunker()
        self._waiting: deque[tuple[int, Future[StoredChunk]]] = deque()
        self._waiting_bytes = 0
        self._stored: list[StoredChunk] = []
        self.documents = self.logical_bytes = self.new_bytes = 0

    def add(self, documents: Sequence[bytes]) -> None:
        """Take more documents. Raises what the store raised for an earlier chunk."""
        self._submit(self._chunker.feed(documents))

    def finish(self) -> WrittenSegment:
        """Wait until all is stored."""
        self._submit(self._chunker.finish())
        while self._waiting:
            self._collect()
        return tuple(self._stored)

    def abandon(self) -> None:
        """Let what is under way end and forget it; its chunks stay for the next attempt."""
        for _, future in self._waiting:
            future.cancel()
        for _, future in self._waiting:
            if not future.cancelled():
                future.exception()
        self._waiting.clear()

    def _submit(self, chunks: Iterable[RawChunk]) -> None:
        for chunk in chunks:
            size = len(chunk.data)
            while self._waiting and self._waiting_bytes + size > self._in_flight:
                self._collect()
            self._waiting.append((size, self._pool.submit(self._store, chunk)))
            self._waiting_bytes += size

    def _collect(self) -> None:
        size, future = self._waiting.popleft()
        self._waiting_bytes -= size
        stored = future.result()
        self._stored.append(stored)
        self.documents += stored.ref.documents
        self.logical_bytes += stored.ref.logical_bytes
        self.new_bytes += stored.new_bytes

    def _store(self, chunk: RawChunk) -> StoredChunk:
        chunk_id = self._repository.identity(chunk.data)
        known = self._known.get(chunk_id)
        if known and self._repository.chunk_size(chunk_id) is not None:
            return StoredChunk(known, 0)
        hashed, _ = document_hash(chunk.data)
        size, new = self._repository.put_chunk(
            chunk_id, chunk.data, namespace=self._namespace, documents=chunk.documents
        )
        return StoredChunk(ChunkRef(chunk_id, chunk.documents, len(chunk.data), size, hashed), new)
