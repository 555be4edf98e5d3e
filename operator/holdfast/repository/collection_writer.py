"""Put the segments of one collection together: sums, and the lists that name its chunks."""

from dataclasses import dataclass, replace

from holdfast.repository.chunks import HASH_MODULUS, ChunkRef, write_lists
from holdfast.repository.repository import Repository
from holdfast.repository.segment_writer import WrittenSegment


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


class CollectionWriter:
    """``take`` the segments in the order of their documents, then ``finish``."""

    def __init__(self, repository: Repository, *, namespace: str, counted: set[bytes]) -> None:
        """``counted``: ids whose stored bytes this backup has counted already; added to."""
        self._repository, self._namespace, self._counted = repository, namespace, counted
        self._refs: list[ChunkRef] = []
        self._stored_bytes = self._new_bytes = 0

    def take(self, segment: WrittenSegment, start: bytes | None = None) -> None:
        """Append a segment. ``start``: where it begins (see ``ChunkRef.start``); None for the first one."""
        for chunk in segment:
            self._refs.append(replace(chunk.ref, start=start))
            self._count(chunk.ref.id, chunk.ref.stored_bytes, chunk.new_bytes)
            start = None

    def finish(self) -> WrittenCollection:
        """Store the lists of chunks."""
        refs = self._refs
        lists = tuple(self._store_list(text) for text in write_lists(refs))
        return WrittenCollection(
            documents=sum(ref.documents for ref in refs),
            logical_bytes=sum(ref.logical_bytes for ref in refs),
            stored_bytes=self._stored_bytes,
            new_bytes=self._new_bytes,
            document_hash=sum(ref.document_hash for ref in refs) % HASH_MODULUS,
            chunks=len(refs),
            chunk_lists=lists,
        )

    def _count(self, chunk_id: bytes, stored_bytes: int, new_bytes: int) -> None:
        if chunk_id not in self._counted:
            self._counted.add(chunk_id)
            self._stored_bytes += stored_bytes
        self._new_bytes += new_bytes

    def _store_list(self, text: bytes) -> bytes:
        list_id = self._repository.identity(text)
        self._count(list_id, *self._repository.put_chunk(list_id, text, namespace=self._namespace, documents=0))
        return list_id
