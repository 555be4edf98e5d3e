"""Put the segments of one collection together: sums, and the lists that name its chunks."""

from dataclasses import dataclass, replace

from holdfast.repository.chunks import HASH_MODULUS, ListCutter
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
        self._cutter = ListCutter()
        self._lists: list[bytes] = []
        self._documents = self._logical_bytes = self._stored_bytes = self._new_bytes = 0
        self._document_hash = self._chunks = 0

    def take(self, segment: WrittenSegment, start: bytes | None = None) -> None:
        """Append a segment. ``start``: where it begins (see ``ChunkRef.start``); None for the first one."""
        for chunk in segment:
            ref = chunk.ref
            self._documents += ref.documents
            self._logical_bytes += ref.logical_bytes
            self._document_hash += ref.document_hash
            self._chunks += 1
            self._count(ref.id, ref.stored_bytes, chunk.new_bytes)
            self._store_list(self._cutter.add(replace(ref, start=start)))
            start = None

    def finish(self) -> WrittenCollection:
        """Store the last list of chunks. The others are there already."""
        self._store_list(self._cutter.finish())
        return WrittenCollection(
            documents=self._documents,
            logical_bytes=self._logical_bytes,
            stored_bytes=self._stored_bytes,
            new_bytes=self._new_bytes,
            document_hash=self._document_hash % HASH_MODULUS,
            chunks=self._chunks,
            chunk_lists=tuple(self._lists),
        )

    def _count(self, chunk_id: bytes, stored_bytes: int, new_bytes: int) -> None:
        if chunk_id not in self._counted:
            self._counted.add(chunk_id)
            self._stored_bytes += stored_bytes
        self._new_bytes += new_bytes

    def _store_list(self, text: bytes | None) -> None:
        if text is None:
            return
        list_id = self._repository.identity(text)
        self._count(list_id, *self._repository.put_chunk(list_id, text, namespace=self._namespace, documents=0))
        self._lists.append(list_id)
