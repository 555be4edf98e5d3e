"""Read portions of a plan, and say in the repository what each of them holds."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from holdfast.errors import CatalogueChanged, HoldfastError, SnapshotLost
from holdfast.ports import KeyRange, Source
from holdfast.repository.locks import Lock
from holdfast.repository.segment_writer import WrittenSegment
from holdfast.repository.shared_plan import Part, ReadSegment, SharedPlan
from holdfast.repository.shared_work import SharedWork
from holdfast.services.collection_records import one_collection_only
from holdfast.services.plan_together import Layout
from holdfast.services.read_segment import Segment, SegmentCrew, Step


class PortionsReader:
    """One pod at work on one attempt. ``advanced`` is told how far each segment is."""

    def __init__(
        self,
        plan: SharedPlan,
        layout: Layout,
        work: SharedWork,
        lock: Lock,
        source: Source,
        crew: SegmentCrew,
        advanced: Callable[[Segment, Step], None],
        stop: Event,
        *,
        max_bytes_per_second: int | None,
    ) -> None:
        self._plan, self._layout, self._work, self._lock = plan, layout, work, lock
        self._source, self._crew, self._advanced, self._stop = source, crew, advanced, stop
        self._limit = max_bytes_per_second
        self._keys: Sequence[KeyRange] = [keys for collection in plan.collections for keys in collection.ranges]
        self._errors: dict[int, str] = {}
        """Of collections that cannot be in the backup, by their numbers."""

    def read(self, portions: Iterable[int], counts: Iterable[int] = ()) -> None:
        """Read these, and have the server count the documents of these collections meanwhile.

        Raises what ends the attempt for everybody (SnapshotLost, CatalogueChanged), an outage, a full store,
        RepositoryBusy if the lock was lost, Interrupted.
        """
        # Counted while it is read: at one cluster time, it does not matter when.
        counter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="count")
        try:
            counted = [counter.submit(self._count, number) for number in counts]
            self._read(portions)
            for future in counted:
                future.result()
        finally:
            counter.shutdown(wait=False, cancel_futures=True)

    def _read(self, portions: Iterable[int]) -> None:
        waiting: dict[int, dict[int, ReadSegment]] = {}
        of_segment: dict[int, int] = {}
        for segment, written in self._crew.work(
            self._segments(portions, waiting, of_segment), self._advanced, self._stop
        ):
            portion = of_segment[segment.number]
            done = waiting[portion]
            done[segment.number] = self._outcome(segment, written)
            if len(done) == len(self._layout.portions[portion]):
                self._add(portion, waiting.pop(portion))

    def _segments(
        self, portions: Iterable[int], waiting: dict[int, dict[int, ReadSegment]], of_segment: dict[int, int]
    ) -> Iterator[Segment]:
        for portion in portions:
            check_attempt(self._work, self._plan)
            self._lock.check_lease()
            if self._work.has_part(self._plan, portion):
                continue  # somebody has helped out
            waiting[portion] = {}
            for number in self._layout.portions[portion]:
                of_segment[number] = portion
                collection = self._plan.collections[self._layout.collections[number]]
                yield Segment(
                    number=number,
                    collection=collection.info,
                    at=self._plan.at if collection.snapshot else None,
                    keys=self._keys[number],
                    known_lists=collection.known_lists,
                    max_bytes_per_second=self._limit,
                )

    def _outcome(self, segment: Segment, written: WrittenSegment | HoldfastError) -> ReadSegment:
        if not isinstance(written, HoldfastError):
            return ReadSegment(segment.keys, written)
        if not one_collection_only(written, final=self._plan.final):
            raise written
        return ReadSegment(segment.keys, error=str(written))

    def _add(self, portion: int, done: dict[int, ReadSegment]) -> None:
        self._work.add(self._plan, portion, Part({number: done[number] for number in sorted(done)}), self._lock)

    def _count(self, number: int) -> None:
        counted: int | str
        try:
            counted = self._source.count(self._plan.collections[number].info, self._plan.at)
        except HoldfastError as error:
            if not one_collection_only(error, final=self._plan.final):
                raise
            counted = str(error)
        self._work.add_count(self._plan, number, counted)


def check_attempt(work: SharedWork, plan: SharedPlan) -> None:
    """Raise why the attempt is over, where another pod has found that it is."""
    if not work.has_failed(plan):
        return
    reason, message = work.failure(plan) or (SnapshotLost.reason, "")
    kind = CatalogueChanged if reason == CatalogueChanged.reason else SnapshotLost
    raise kind(message)
