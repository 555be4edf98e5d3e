"""Read one segment of a collection, and store its chunks."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from threading import Event

from holdfast.domain.pace import Pace
from holdfast.errors import DamagedBackup, HoldfastError, Interrupted
from holdfast.ports import Clock, ClusterTime, CollectionInfo, KeyRange, Source
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.repository import Repository
from holdfast.repository.segment_writer import SegmentWriter, WrittenSegment
from holdfast.services.crew import Advanced, Crew, Opener, Work

IN_FLIGHT = 32 * 2**20
"""Bytes that are read and not stored yet, at most."""
IN_FLIGHT_OF_MANY = 12 * 2**20
"""The same for each of several processes: together they hold about what one would alone."""
THREADS = 2
KNOWN = 200_000
"""Chunks of a collection's last backup that a process remembers, at most: about 90 MB, and 800 GB of data. Those behind
them are hashed document by document once more, and found in the store all the same."""


@dataclass(frozen=True)
class Segment:
    """A stretch of a collection that one reader takes. Can be sent to another process."""

    number: int
    collection: CollectionInfo
    at: ClusterTime | None
    keys: KeyRange
    known_lists: tuple[str, ...]
    """Lists of chunks of the collection's last backup."""
    max_bytes_per_second: int | None


@dataclass(frozen=True)
class Step:
    """How far a segment is."""

    documents: int
    logical_bytes: int
    new_bytes: int


SegmentCrew = Crew[Segment, Step, WrittenSegment]


@contextmanager
def segment_work(
    opener: Opener, clock: Clock, *, in_flight: int = IN_FLIGHT_OF_MANY
) -> Iterator[Work[Segment, Step, WrittenSegment]]:
    """Opens a source and a repository, and reads segments from the one into the other."""
    with opener() as (source, repository):
        repository.open()
        with SegmentReader(source, repository, clock, in_flight=in_flight) as reader:
            yield reader.outcome


class SegmentReader:
    """Reads segments of one source into one repository, one after the other. A context manager: it holds threads."""

    def __init__(self, source: Source, repository: Repository, clock: Clock, *, in_flight: int = IN_FLIGHT) -> None:
        self._source, self._repository, self._clock = source, repository, clock
        self._in_flight = in_flight
        self._pool: Executor | None = None
        self._known = lru_cache(maxsize=1)(self._known_chunks)

    def __enter__(self) -> "SegmentReader":
        self._pool = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="chunk")
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool:
            self._pool.shutdown()
            self._pool = None

    def outcome(
        self, segment: Segment, advanced: Advanced[Segment, Step], stop: Event
    ) -> WrittenSegment | HoldfastError:
        """The stored chunks of a segment, or why there are none."""
        try:
            return self._read(segment, advanced, stop)
        except HoldfastError as error:
            return error

    def _read(self, segment: Segment, advanced: Advanced[Segment, Step], stop: Event) -> WrittenSegment:
        assert self._pool is not None, "use it as a context manager"  # noqa: S101
        writer = SegmentWriter(
            self._repository,
            self._pool,
            namespace=f"{self._source.database}.{segment.collection.name}",
            known=self._known(segment.known_lists),
            in_flight=self._in_flight,
        )
        pace = Pace(segment.max_bytes_per_second, self._clock())
        read_bytes = 0
        try:
            for batch in self._source.read(segment.collection, segment.at, segment.keys, batch_bytes=pace.batch_bytes):
                if stop.is_set():
                    raise Interrupted("The backup was asked to stop.", hint="The next attempt goes on from here.")
                writer.add(batch)
                read_bytes += sum(map(len, batch))
                if pause := pace.pause(read_bytes, self._clock()):
                    stop.wait(pause)
                advanced(segment, Step(writer.documents, writer.logical_bytes, writer.new_bytes))
            written = writer.finish()
        except BaseException:
            writer.abandon()
            raise
        advanced(segment, Step(writer.documents, writer.logical_bytes, writer.new_bytes))
        return written

    def _known_chunks(self, lists: tuple[str, ...]) -> dict[bytes, ChunkRef]:
        try:
            return {ref.id: ref for ref in islice(self._repository.refs_in(lists), KNOWN)}
        except DamagedBackup:
            return {}  # each chunk is looked for then
