"""Documents on their way into a server, as the bytes that a chunk holds: one after the other, none of them an object.

An object for each document, and a call for each to encode it, take longer than all else that a restore does itself.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from bson.raw_bson import RawBSONDocument

from holdfast.repository.documents import bounds, elements

_MOST_DOCUMENTS = 20_000
"""A server takes up to 100,000 (``maxWriteBatchSize``)."""
_MOST_BYTES = 4 * 1024 * 1024
"""A server takes 48 MB. The driver copies what it sends three times."""
_EMPTY = b"\x05\0\0\0\0"
_TIMESTAMP = 0x11
_PERHAPS_ZERO = re.compile(rb"\x11[^\0]*\0{9}")
"""The type, a name, and eight zeros. A match begins in the document that holds it, for a document ends with a zero."""


class Series(RawBSONDocument):
    """What the driver takes for one document, and sends as it is: a series of them.

    The documents of an insert follow one another in the message (OP_MSG, a section of kind 1), as they do here.
    """

    def __init__(self, data: bytes) -> None:
        super().__init__(_EMPTY)
        self._series = data

    @property
    def raw(self) -> bytes:
        return self._series


@dataclass(frozen=True)
class Batch:
    """As many documents as go into one command."""

    data: bytes
    count: int

    def zero_timestamps(self) -> Iterator[tuple[int, RawBSONDocument]]:
        """The documents with a Timestamp(0, 0) at the top, in whose place the server puts its own time; with their
        positions."""
        hits = list(_PERHAPS_ZERO.finditer(self.data))
        found = bounds(self.data) if hits else []
        perhaps = set()
        for hit in hits:
            index = bisect_right(found, hit.start()) - 1
            # After such a field comes the type of another, or the zero that ends the document.
            last = found[index + 1] - 1
            if hit.end() == last or (hit.end() < last and self.data[hit.end()]):
                perhaps.add(index)
        # Looked at closely only where it may be so: that is a hundred times the work.
        for index in sorted(perhaps):
            document = self.data[found[index] : found[index + 1]]
            if _has_zero_timestamp(document):
                yield index, RawBSONDocument(document)


def batches(data: bytes, count: int | None = None) -> Iterator[Batch]:
    """The documents of a chunk, in batches that a server takes. DamagedBackup if they are none.

    ``count``: how many there should be. Where that is known, nobody but the server looks at the last of them, as many
    as go into one command.
    """
    walked = len(data) if count is None or count > _MOST_DOCUMENTS else max(0, len(data) - _MOST_BYTES)
    found = bounds(data, walked)
    first, cut = 0, len(found) - 1
    while first < cut:
        begin = found[first]
        fitting = bisect_right(found, begin + _MOST_BYTES) - 1
        last = max(first + 1, min(fitting, first + _MOST_DOCUMENTS))  # one that is larger by itself goes alone
        yield Batch(data[begin : found[last]], last - first)
        first = last
    if count is not None and found[-1] < len(data):
        yield Batch(data[found[-1] :], count - cut)


def _has_zero_timestamp(document: bytes) -> bool:
    return any(
        kind == _TIMESTAMP and name != b"_id" and document[start:end] == bytes(8)
        for kind, name, start, end in elements(document)
    )
