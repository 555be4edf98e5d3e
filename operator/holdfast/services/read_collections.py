"""Read the collections of one attempt, segment by segment, and record what became of each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event

from holdfast.domain.consistency import Consistency
from holdfast.domain.phases import CollectionPhase
from holdfast.domain.segments import Stretch
from holdfast.errors import CollectionFailed, HoldfastError
from holdfast.ports import Advance, ClusterTime, CollectionAdvance, CollectionInfo, Estimate, KeyRange, Progress, Source
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.repository.segment_writer import WrittenSegment
from holdfast.services.choose_view import View
from holdfast.services.collection_records import begun, check_count, failed, filled, known_of
from holdfast.services.divide import divide
from holdfast.services.prepare_backup import small
from holdfast.services.read_segment import Segment, SegmentCrew, Step


@dataclass
class _Reading:
    """A collection that is being read."""

    collection: CollectionInfo
    record: CollectionRecord
    at: ClusterTime | None
    writer: CollectionWriter
    last_lists: tuple[str, ...] = ()
    last: tuple[Stretch, ...] = ()
    ranges: dict[int, KeyRange] = field(default_factory=dict)
    """Its segments that are not in the writer, in order, by their numbers."""
    divided: bool = False
    """Whether all of its segments are known."""
    written: dict[int, WrittenSegment] = field(default_factory=dict)
    """Those that are read, and wait for one before them."""
    numbers: list[int] = field(default_factory=list)
    """All of its segments so far."""
    finished: bool = False
    count: Future[int] | None = None
    """The server's own count at the cluster time."""

    @property
    def complete(self) -> bool:
        return not self.record.error and self.divided and not self.ranges

    def take(self) -> None:
        """Give the writer what is its turn: what is read of a huge collection is not held until all of it is."""
        for number in list(self.ranges):
            if number not in self.written:
                break
            self.writer.take(self.written.pop(number), self.ranges.pop(number).lower)


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
        moment: Callable[[], ClusterTime] | None = None,
    ) -> None:
        """``previous``: the last backup of the database, whose chunks are known. ``final``: there is no other attempt
        that might find the catalogue at rest. ``moment``: where what is written meanwhile is captured, up to when all
        is in what is read from now on."""
        self._source, self._repository, self._progress, self._stop = source, repository, progress, stop
        self._crew, self._estimates, self._previous = crew, estimates, previous
        self._consistency, self._limit, self._final = consistency, max_bytes_per_second, final
        self._moment = moment
        # By the data alone: whoever reads it, and however many do, the chunks are the same.
        self._further = not small(estimates)
        self._counted: set[bytes] = set()
        self._steps: dict[int, Step] = {}
        self._readings: list[_Reading] = []

    def read(self, view: View) -> list[CollectionRecord]:
        """The records of the view's collections. Raises what ends the attempt: an outage, a full store, Interrupted."""
        readings = self._readings = [self._reading(collection, view.at) for collection in view.collections]
        by_number: dict[int, _Reading] = {}
        # Counted while it is read: at one cluster time, it does not matter when.
        self._counter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="count")
        try:
            for segment, written in self._crew.work(self._segments(readings, by_number), self._advanced, self._stop):
                self._take(by_number[segment.number], segment.number, written)
        finally:
            self._counter.shutdown(wait=False, cancel_futures=True)
        return [reading.record for reading in readings]

    @property
    def bytes_read(self) -> int:
        """Raw bytes of all segments, so far."""
        return sum(step.logical_bytes for step in self._steps.values())

    def _reading(self, collection: CollectionInfo, at: ClusterTime | None) -> _Reading:
        """A collection with the record that it begins with."""
        record, at = begun(self._source, collection, at, self._consistency)
        namespace = f"{self._source.database}.{collection.name}"
        writer = CollectionWriter(self._repository, namespace=namespace, counted=self._counted)
        reading = _Reading(collection, record, at, writer)
        if collection.problem:
            self._fail(reading, CollectionFailed(collection.problem))
        reading.last_lists, reading.last = known_of(self._repository, self._previous, collection.name, self._progress)
        return reading

    def _segments(self, readings: Sequence[_Reading], by_number: dict[int, _Reading]) -> Iterator[Segment]:
        for reading in readings:
            if reading.record.error or reading.collection.type == "view":
                continue
            if reading.at is not None:
                reading.count = self._counter.submit(self._source.count, reading.collection, reading.at)
            if self._moment:
                after = {"read_after": str(reading.at or self._moment())}
                reading.record = reading.record.model_copy(update=after)
            try:
                for keys in self._ranges(reading):
                    number = len(by_number)
                    by_number[number] = reading
                    reading.ranges[number] = keys
                    reading.numbers.append(number)
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
        return divide(self._source, reading.collection, reading.at, reading.last, estimate, further=self._further)

    def _take(self, reading: _Reading, number: int, written: WrittenSegment | HoldfastError) -> None:
        try:
            if isinstance(written, HoldfastError):
                raise written
            if not reading.record.error:
                reading.written[number] = written
                reading.take()
            if reading.complete:
                self._finish(reading)
        except HoldfastError as error:
            self._fail(reading, error)

    def _finish(self, reading: _Reading) -> None:
        written = reading.writer.finish()
        if reading.count:
            check_count(written.documents, reading.count.result())
        reading.finished = True
        reading.record = filled(reading.record, written)

    def _fail(self, reading: _Reading, error: HoldfastError) -> None:
        """Record what keeps one collection out of the backup; raise what ends the whole attempt."""
        reading.record = failed(reading.record, error, self._progress.warn, final=self._final)

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
                collections=lambda: [self._so_far(reading) for reading in self._readings],
            )
        )

    def _so_far(self, reading: _Reading) -> CollectionAdvance:
        record = reading.record
        if record.error:
            return CollectionAdvance(record.name, CollectionPhase.FAILED, error=record.error)
        if reading.finished or record.type == "view":
            return CollectionAdvance(record.name, CollectionPhase.SUCCEEDED, record.documents, record.logical_bytes)
        steps = [self._steps[number] for number in reading.numbers if number in self._steps]
        phase = CollectionPhase.RUNNING if reading.numbers else CollectionPhase.PENDING
        documents, size = sum(step.documents for step in steps), sum(step.logical_bytes for step in steps)
        return CollectionAdvance(record.name, phase, documents, size)
