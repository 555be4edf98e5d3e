"""Into which portions the work of several pods on one restore is divided. Each pod works it out by itself."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from holdfast.domain.portions import portions
from holdfast.domain.segments import MOST, SEGMENT
from holdfast.ports import KeyRange
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.restore_board import Kind, OpenCollection, OpenWork


@dataclass(frozen=True)
class ChunkSpan:
    """Chunks that follow one another: which list the first of them is in, how many are before it there."""

    list: int
    skip: int
    count: int


@dataclass(frozen=True)
class Unit:
    """A piece of one collection: chunks to write, or a stretch to read. ``documents`` and ``bytes``: about."""

    collection: int
    documents: int
    bytes: int
    chunks: ChunkSpan | None = None
    keys: KeyRange | None = None


@dataclass(frozen=True)
class Layout:
    """The units of a piece of work, in order, and the portions that they are packed into, by their numbers."""

    units: tuple[Unit, ...]
    portions: tuple[range, ...]

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes of each portion, about."""
        return [sum(self.units[number].bytes for number in portion) for portion in self.portions]

    def of(self, portion: int) -> Sequence[Unit]:
        numbers = self.portions[portion]
        return self.units[numbers.start : numbers.stop]


def layout_of(work: OpenWork, records: Sequence[CollectionRecord], repository: Repository) -> Layout:
    """Given what is open, and its collections as the backup has them. Raises what reading lists of chunks does."""
    units: list[Unit] = []
    for number, (one, record) in enumerate(zip(work.collections, records, strict=True)):
        units += _written(number, record, repository) if work.kind is Kind.WRITE else _read(number, one, record)
    return Layout(tuple(units), portions([unit.bytes for unit in units]))


def _written(number: int, record: CollectionRecord, repository: Repository) -> Iterator[Unit]:
    wanted = max(SEGMENT, record.logical_bytes // MOST)
    begin, count, documents, size = (0, 0), 0, 0, 0
    for position, name in enumerate(record.chunk_lists):
        for skip, ref in enumerate(repository.refs_in((name,))):
            if not count:
                begin = (position, skip)
            count, documents, size = count + 1, documents + ref.documents, size + ref.logical_bytes
            if size >= wanted:
                yield Unit(number, documents, size, chunks=ChunkSpan(*begin, count))
                count = documents = size = 0
    if count:
        yield Unit(number, documents, size, chunks=ChunkSpan(*begin, count))


def _read(number: int, one: OpenCollection, record: CollectionRecord) -> Iterator[Unit]:
    bounds = [None, *one.starts, None]
    count = len(bounds) - 1
    for lower, upper in pairwise(bounds):
        yield Unit(number, record.documents // count, record.logical_bytes // count, keys=KeyRange(lower, upper))
