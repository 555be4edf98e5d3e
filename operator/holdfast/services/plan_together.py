"""Plan a backup that several pods take: when all of them read, and what there is to read."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from secrets import token_hex

from holdfast.domain.portions import portions
from holdfast.errors import CollectionFailed, HoldfastError
from holdfast.ports import Clock, CollectionInfo, Estimate, Progress, ServerInfo, Source
from holdfast.repository.manifest import Manifest, ServerRecord
from holdfast.repository.repository import Repository
from holdfast.repository.shared_plan import PlannedCollection, SharedPlan
from holdfast.services.backup_request import BackupRequest
from holdfast.services.choose_view import View, choose_view
from holdfast.services.collection_records import begun, failed, known_of
from holdfast.services.divide import divide
from holdfast.services.prepare_backup import check_room, small


@dataclass(frozen=True)
class Attempt:
    """Which attempt a plan is for. ``lost``: how many before it had too little time."""

    number: int
    lost: int
    final: bool


def make_plan(
    request: BackupRequest,
    attempt: Attempt,
    source: Source,
    server: ServerInfo,
    repository: Repository,
    previous: Manifest | None,
    progress: Progress,
    clock: Clock,
) -> SharedPlan:
    """Given a source and its last backup, fix a cluster time and what is read at it. Raises what ``choose_view`` does,
    StoreFull, ConsistencyUnavailable, and an outage of the source."""
    view = choose_view(source, request.consistency, request.include, request.exclude)
    estimates = {c.name: source.estimate(c) for c in view.collections}
    check_room(repository, estimates, first=previous is None)
    planner = _Planner(request, attempt, source, repository, previous, progress, further=not small(estimates))
    return SharedPlan(
        number=attempt.number,
        token=token_hex(8),
        backup_id=request.backup_id,
        created=clock(),
        database=source.database,
        server=ServerRecord(**vars(server)),
        cluster_time=(view.at.seconds, view.at.increment) if view.at else None,
        member=source.member,
        lost=attempt.lost,
        final=attempt.final,
        missing=view.missing,
        collections=tuple(
            planner.plan(view, collection, estimates[collection.name]) for collection in view.collections
        ),
    )


class _Planner:
    def __init__(
        self,
        request: BackupRequest,
        attempt: Attempt,
        source: Source,
        repository: Repository,
        previous: Manifest | None,
        progress: Progress,
        *,
        further: bool,
    ) -> None:
        self._request, self._attempt, self._source = request, attempt, source
        self._repository, self._previous, self._progress = repository, previous, progress
        self._further = further

    def plan(self, view: View, collection: CollectionInfo, estimate: Estimate) -> PlannedCollection:
        record, at = begun(self._source, collection, view.at, self._request.consistency)
        lists, last = known_of(self._repository, self._previous, collection.name, self._progress)
        starts: list[bytes] = []
        segments = 0 if collection.type == "view" or collection.problem else 1
        try:
            if collection.problem:
                raise CollectionFailed(collection.problem)
            if segments:
                ranges = divide(self._source, collection, at, last, estimate, further=self._further)
                starts = [keys.lower for keys in ranges if keys.lower is not None]
                segments += len(starts)
        except HoldfastError as error:
            record = failed(record, error, self._progress.warn, final=self._attempt.final)
            segments, starts = 0, []
        return PlannedCollection(
            record=record,
            data_uuid=collection.data_uuid.hex() if collection.data_uuid else None,
            snapshot=at is not None,
            known_lists=lists,
            documents=estimate.documents,
            logical_bytes=estimate.logical_bytes,
            segments=segments,
            starts=tuple(starts),
        )


@dataclass(frozen=True)
class Layout:
    """The segments of a plan by their numbers, and the portions that they are packed into."""

    collections: tuple[int, ...]
    """Of each segment: the number of its collection."""
    bytes: tuple[int, ...]
    """Of each segment, about."""
    documents: tuple[int, ...]
    portions: tuple[range, ...]
    counts: Mapping[int, int]
    """The collections whose documents the server counts, and in which portion each begins."""

    @property
    def sizes(self) -> Sequence[int]:
        """Bytes of each portion, about."""
        return [sum(self.bytes[number] for number in portion) for portion in self.portions]


def layout_of(plan: SharedPlan) -> Layout:
    numbered = [(number, c) for number, c in enumerate(plan.collections) for _ in range(c.segments)]
    sizes = tuple(c.logical_bytes // c.segments for _, c in numbered)
    packed = portions(sizes)
    counts: dict[int, int] = {}
    for portion, segments in enumerate(packed):
        for segment in segments:
            number, collection = numbered[segment]
            if collection.snapshot:
                counts.setdefault(number, portion)
    return Layout(
        tuple(number for number, _ in numbered),
        sizes,
        tuple(c.documents // c.segments for _, c in numbered),
        packed,
        counts,
    )
