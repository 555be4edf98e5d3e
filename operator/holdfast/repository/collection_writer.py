"""Turn the documents of one collection into stored chunks: cut, hash, compress and store, in a bounded pipeline.

The reader stays ahead of the store by at most :data:`IN_FLIGHT` bytes, so memory does not grow with the data. Hashing
and compressing run in threads; both release the interpreter's lock.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass

from holdfast.repository.chunker import Chunker, RawChunk
from holdfast.repository.chunks import HASH_MODULUS, ChunkRef, document_hash, write_lists
from holdfast.repository.repository import Repository

IN_FLIGHT = 32 * 1024 * 1024


@dataclass(frozen=True)
class WrittenCollection:
    """What became of one collection's documents."""

    documents: int
    logical_bytes: int
    stored_bytes: int
    new_bytes: int
    document_hash: int
    chunks: int
    chunk_lists: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class _Stored:
    ref: ChunkRef
    new_bytes: int


class CollectionWriter:
    """``add`` batches in order, then ``finish``. Not thread-safe; the work behind it is spread over ``pool``."""

    def __init__(
        self,
        repository: Repository,
        pool: Executor,
        *,
        namespace: str,
        known: Mapping[bytes, ChunkRef],
        counted: set[bytes],
    ) -> None:
        """``known``: chunks of an earlier backup, which need not be hashed document by document and compressed again.
        One that the store has lost is stored anew, so that damage heals where the data is still there.

        ``counted``: ids whose stored bytes this backup has counted already; added to.
        """
        self._repository, self._pool, self._namespace = repository, pool, namespace
        self._known, self._counted = known, counted
        self._chunker = Chunker()
        self._waiting: deque[tuple[int, Future[_Stored]]] = deque()
        self._waiting_bytes = 0
        self._refs: list[ChunkRef] = []
        self.documents = self.logical_bytes = self.stored_bytes = self.new_bytes = 0
        self._hash = 0

    def add(self, documents: Sequence[bytes]) -> None:
        """Take more documents. Raises what the store raised for an earlier chunk."""
        self._submit(self._chunker.feed(documents))

    def finish(self) -> WrittenCollection:
        """Wait until all is stored, and store the lists of chunks."""
        self._submit(self._chunker.finish())
        while self._waiting:
            self._collect()
        lists = tuple(self._store_list(text) for text in write_lists(self._refs))
        return WrittenCollection(
            documents=self.documents,
            logical_bytes=self.logical_bytes,
            stored_bytes=self.stored_bytes,
            new_bytes=self.new_bytes,
            document_hash=self._hash % HASH_MODULUS,
            chunks=len(self._refs),
            chunk_lists=lists,
        )

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
            while self._waiting and self._waiting_bytes + size > IN_FLIGHT:
                self._collect()
            self._waiting.append((size, self._pool.submit(self._store, chunk)))
            self._waiting_bytes += size

    def _collect(self) -> None:
        size, future = self._waiting.popleft()
        self._waiting_bytes -= size
        stored = future.result()
        ref = stored.ref
        self._refs.append(ref)
        self.documents += ref.documents
        self.logical_bytes += ref.logical_bytes
        self._hash += ref.document_hash
        self._count(ref.id, ref.stored_bytes, stored.new_bytes)

    def _count(self, chunk_id: bytes, stored_bytes: int, new_bytes: int) -> None:
        if chunk_id not in self._counted:
            self._counted.add(chunk_id)
            self.stored_bytes += stored_bytes
        self.new_bytes += new_bytes

    def _store(self, chunk: RawChunk) -> _Stored:
        chunk_id = self._repository.identity(chunk.data)
        known = self._known.get(chunk_id)
        if known and self._repository.chunk_size(chunk_id) is not None:
            return _Stored(known, 0)
        hashed, _ = document_hash(chunk.data)
        size, new = self._store_bytes(chunk_id, chunk.data, chunk.documents)
        return _Stored(ChunkRef(chunk_id, chunk.documents, len(chunk.data), size, hashed), new)

    def _store_list(self, text: bytes) -> bytes:
        list_id = self._repository.identity(text)
        self._count(list_id, *self._store_bytes(list_id, text, 0))
        return list_id

    def _store_bytes(self, chunk_id: bytes, data: bytes, documents: int) -> tuple[int, int]:
        """Stored size, and how much of it is new: a chunk of an interrupted attempt is found and used."""
        if (size := self._repository.chunk_size(chunk_id)) is not None:
            return size, 0
        size, new = self._repository.write_chunk(chunk_id, data, namespace=self._namespace, documents=documents)
        return size, size if new else 0
