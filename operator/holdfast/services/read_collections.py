"""Read the collections of one attempt, segment by segment, and record what became of each."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.errors import (
    CatalogueChanged,
    CollectionFailed,
    ConsistencyUnavailable,
    DamagedBackup,
    HoldfastError,
    NotAuthorized,
    OperationFailed,
    StoreFull,
)
from holdfast.ports import Advance, ClusterTime, CollectionInfo, Estimate, KeyRange, Progress, Source
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.portability import notes_on
from holdfast.repository.repository import Repository
from holdfast.repository.segment_writer import WrittenSegment
from holdfast.services.choose_view import View
from holdfast.services.divide import divide
from holdfast.services.read_segment import Segment, SegmentCrew, Step


@dataclass
class _Reading:
    """A collection that is being read."""

    collection: CollectionInfo
    record: CollectionRecord
    at: ClusterTime | None
    last_lists: tuple[str, ...] = ()
    last_chunks: tuple[ChunkRef, ...] = ()
    ranges: dict[int, KeyRange] = field(default_factory=dict)
    """Its segments, in order, by their numbers."""
    divided: bool = False
    """Whether all of its segments are known."""
    written: dict[int, WrittenSegment] = field(default_factory=dict)
    count: Future[int] | None = None
    """The server's own count at the cluster time."""

    @property
    def complete(self) -> bool:
        return not self.record.error and self.divided and len(self.written) == len(self.ranges)


class CollectionsReader:
    """One attempt at all collections. A collection that fails for a reason of its own does not stop the others."""

    def __init__(
        self,
        source: Source,
        repository: Repository,
        progress: Progress,
        stop: Event,
        crew: SegmentCrew,
        estimates: Mapping[str, Estimate],
        previous: Manifest | None,
        *,
        consistency: Consistency,
        max_bytes_per_second: int | None,
        final: bool,
    ) -> None:
        """``previous``: the last backup of the database, whose chunks are known. ``final``: there is no other attempt
        that might find the catalogue at rest."""
        self._source, self._repository, self._progress, self._stop = source, repository, progress, stop
        self._crew, self._estimates, self._previous = crew, estimates, previous
        self._consistency, self._limit, self._final = consistency, max_bytes_per_second, final
        self._counted: set[bytes] = set()
        self._steps: dict[int, Step] = {}
        self._finished: list[str] = []

    def read(self, view: View) -> list[CollectionRecord]:
        """The records of the view's collections. Raises what ends the attempt: an outage, a full store, Interrupted."""
        readings = [self._reading(collection, view.at) for collection in view.collections]
        by_number: dict[int, _Reading] = {}
        # Counted while it is read: at one cluster time, it does not matter when.
        self._counter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="count")
        try:
            for segment, written in self._crew.work(self._segments(readings, by_number), self._advanced, self._stop):
                reading = by_number[segment.number]
                if isinstance(written, HoldfastError):
                    self._fail(reading, written)
                else:
                    reading.written[segment.number] = written
                if reading.complete:
                    self._finish(reading)
        finally:
            self._counter.shutdown(wait=False, cancel_futures=True)
        return [reading.record for reading in readings]

    @property
    def bytes_read(self) -> int:
        """Raw bytes of all segments, so far."""
        return sum(step.logical_bytes for step in self._steps.values())

    def _reading(self, collection: CollectionInfo, at: ClusterTime | None) -> _Reading:
        """A collection with the record that it begins with."""
        reading = _Reading(
            collection,
            CollectionRecord(
                name=collection.name,
                type=collection.type,
                options=collection.options,
                indexes=collection.indexes,
                uuid=collection.uuid.hex() if collection.uuid else None,
                capped=collection.capped,
                notes=notes_on(collection),
                consistency=ConsistencyLevel.SNAPSHOT if at else ConsistencyLevel.NONE,
            ),
            at,
        )
        if collection.problem:
            self._fail(reading, CollectionFailed(collection.problem))
        elif at and collection.type != "view" and not self._source.can_snapshot(collection):
            if self._consistency is Consistency.REQUIRED:
                raise ConsistencyUnavailable(
                    f"Collection {collection.name!r} is capped; this server cannot read it at a cluster time.",
                    hint="Exclude it, or set consistency to Preferred.",
                )
            reading.at = None
            reading.record = reading.record.model_copy(update={"consistency": ConsistencyLevel.NONE})
        reading.last_lists, reading.last_chunks = self._known(collection.name)
        return reading

    def _segments(self, readings: Sequence[_Reading], by_number: dict[int, _Reading]) -> Iterator[Segment]:
        for reading in readings:
            if reading.record.error or reading.collection.type == "view":
                continue
            if reading.at is not None:
                reading.count = self._counter.submit(self._source.count, reading.collection, reading.at)
            try:
                for keys in self._ranges(reading):
                    number = len(by_number)
                    by_number[number] = reading
                    reading.ranges[number] = keys
                    reading.divided = keys.upper is None
                    yield Segment(
                        number=number,
                        collection=reading.collection,
                        at=reading.at,
                        keys=keys,
                        known_lists=reading.last_lists,
                        max_bytes_per_second=self._limit,
                    )
                    if reading.record.error:
                        break  # a segment of it has failed meanwhile
            except HoldfastError as error:
                self._fail(reading, error)

    def _ranges(self, reading: _Reading) -> Iterator[KeyRange]:
        estimate = self._estimates[reading.collection.name]
        return divide(
            self._source, reading.collection, reading.at, reading.last_chunks, estimate, further=self._crew.size > 1
        )

    def _finish(self, reading: _Reading) -> None:
        writer = CollectionWriter(
            self._repository, namespace=f"{self._source.database}.{reading.collection.name}", counted=self._counted
        )
        for number, keys in reading.ranges.items():
            writer.take(reading.written.pop(number), keys.lower)
        try:
            written = writer.finish()
            if reading.count and (count := reading.count.result()) != written.documents:
                raise CollectionFailed(
                    f"{written.documents} documents were read, and the server counts {count} at the same cluster time."
                )
        except HoldfastError as error:
            self._fail(reading, error)
            return
        self._finished.append(reading.record.name)
        reading.record = reading.record.model_copy(
            update={
                "documents": written.documents,
                "logical_bytes": written.logical_bytes,
                "stored_bytes": written.stored_bytes,
                "new_bytes": written.new_bytes,
                "document_hash": f"{written.document_hash:064x}",
                "chunks": written.chunks,
                "chunk_lists": tuple(list_id.hex() for list_id in written.chunk_lists),
            }
        )

    def _fail(self, reading: _Reading, error: HoldfastError) -> None:
        """Record what keeps one collection out of the backup; raise what ends the whole attempt."""
        lasting = isinstance(error, (OperationFailed, NotAuthorized)) or (
            isinstance(error, CatalogueChanged) and self._final  # else a new attempt sees the new catalogue
        )
        if not lasting or isinstance(error, (StoreFull, ConsistencyUnavailable)):
            raise error
        if reading.record.error:
            return
        self._progress.warn(f"Collection {reading.record.name!r} was not backed up: {error}")
        reading.record = reading.record.model_copy(update={"error": str(error)})

    def _known(self, name: str) -> tuple[tuple[str, ...], tuple[ChunkRef, ...]]:
        """The lists of this collection's last backup, and what they name; none where they are damaged."""
        for collection in self._previous.collections if self._previous else ():
            if collection.name == name:
                try:
                    return collection.chunk_lists, tuple(self._repository.chunk_refs(collection))
                except DamagedBackup as error:
                    self._progress.warn(f"The last backup of collection {name!r} is damaged: {error}")
        return (), ()

    def _advanced(self, segment: Segment, step: Step) -> None:
        self._steps[segment.number] = step
        self._progress.advance(
            Advance(
                collection=segment.collection.name,
                documents=sum(s.documents for s in self._steps.values()),
                logical_bytes=self.bytes_read,
                new_bytes=sum(s.new_bytes for s in self._steps.values()),
                total_documents=sum(e.documents for e in self._estimates.values()),
                total_bytes=sum(e.logical_bytes for e in self._estimates.values()),
                done=tuple(self._finished),
            )
        )
