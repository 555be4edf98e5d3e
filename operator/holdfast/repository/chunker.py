"""Cut a stream of documents into chunks, at the same places day after day.

A cut falls behind a document whose ``_id`` hashes low enough, so an insert or a delete moves only the cuts next to
it. How low is low enough grows with the document's own length: whatever the size of documents, a cut comes on
average every :data:`SPACING` bytes once a chunk has its minimum. The cut depends on nothing but the documents since
the last cut. Readers need not know any of this: a chunk's boundaries stand in the list of chunks.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from holdfast.repository.documents import id_bytes

MIB = 1024 * 1024
MINIMUM = 2 * MIB
MAXIMUM = 8 * MIB
SPACING = 2 * MIB

_WORD = 2**32
_MIX = 0x9E3779B1  # 2**32 divided by the golden ratio: spreads the regular steps that CRC-32 makes of counters


@dataclass(frozen=True, slots=True)
class RawChunk:
    """Whole documents, one behind the other. ``data`` is at most MAXIMUM bytes, or a single larger document."""

    data: bytes
    documents: int


class Chunker:
    """Feed batches in ``_id`` order, take chunks; ``finish`` gives the last one."""

    def __init__(self, minimum: int = MINIMUM, maximum: int = MAXIMUM, spacing: int = SPACING) -> None:
        self._minimum, self._maximum = minimum, maximum
        self._threshold = _WORD / spacing
        self._pending: list[bytes] = []
        self._size = 0

    def feed(self, documents: Sequence[bytes]) -> Iterator[RawChunk]:
        """Add documents; yields each chunk that they complete."""
        pending, size = self._pending, self._size
        for document in documents:
            length = len(document)
            if pending and size + length > self._maximum:
                yield self._cut(pending)
                pending, size = self._pending, 0
            pending.append(document)
            size += length
            if size >= self._minimum and (crc32(id_bytes(document)) * _MIX) % _WORD < length * self._threshold:
                yield self._cut(pending)
                pending, size = self._pending, 0
        self._size = size

    def finish(self) -> Iterator[RawChunk]:
        """The chunk that was not yet full, if any."""
        if self._pending:
            yield self._cut(self._pending)
        self._size = 0

    def _cut(self, pending: list[bytes]) -> RawChunk:
        self._pending = []
        return RawChunk(b"".join(pending), len(pending))
