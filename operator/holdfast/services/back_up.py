"""Take one backup: read every chosen collection at one cluster time, store its chunks, commit the manifest.

An attempt that meets an outage, or whose snapshot the server has dropped, is made again at a new cluster time; the
chunks it stored are found and used. Two cluster times are never mixed in one backup.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Event

from holdfast.domain.consistency import Consistency
from holdfast.domain.selection import select
from holdfast.domain.snapshot_window import measured_rate, seconds_needed
from holdfast.errors import (
    CatalogueChanged,
    CollectionFailed,
    Interrupted,
    InvalidSpec,
    SnapshotLost,
    StoreFull,
    Unavailable,
)
from holdfast.ports import Clock, Estimate, Progress, ServerInfo, Source
from holdfast.repository.locks import Lock, LockKind, locked
from holdfast.repository.manifest import (
    CollectionRecord,
    Manifest,
    PolicyIdentity,
    ServerRecord,
)
from holdfast.repository.repository import Repository
from holdfast.services.choose_view import View, choose_view, consistency_of
from holdfast.services.crew import Alone
from holdfast.services.hold_window import window_of
from holdfast.services.read_collections import CollectionsReader
from holdfast.services.read_segment import SegmentCrew, SegmentReader
from holdfast.version import VERSION

ATTEMPTS = 3
WORTH_A_CREW = 32 * 1024 * 1024
"""Raw bytes. Less is read before other processes have connected."""


@dataclass(frozen=True)
class BackupRequest:
    """What to back up, under which id. ``include`` and ``exclude`` are names or globs; no ``include`` means all."""

    backup_id: str
    policy: PolicyIdentity | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    consistency: Consistency
    started: datetime
    max_bytes_per_second: int | None = None
    """Raw bytes read from the source, on average over an attempt; None for as fast as it goes."""
    reason: str | None = None
    """Goes into the manifest."""


@dataclass(frozen=True)
class BackupOutcome:
    manifest: Manifest
    new_bytes: int
    warnings: tuple[str, ...]


def back_up(
    request: BackupRequest,
    source: Source,
    repository: Repository,
    progress: Progress,
    clock: Clock,
    stop: Event,
    crew: SegmentCrew | None = None,
) -> BackupOutcome:
    """Given a source and a repository, commit one backup and return its manifest.

    ``crew`` does the reading and storing of all but a small database; it works on the same source and repository.

    A collection that cannot be read is recorded with its error and does not stop the others: the manifest is then
    ``partial``. A backup that is committed already under this id is returned as it is, so a run may be repeated.

    Raises: InvalidInput for what no retry can mend, Unavailable when an outage outlasts the attempts, Interrupted when
    ``stop`` is set, ConsistencyUnavailable, StoreFull, and CollectionFailed if not one collection could be read.
    """
    repository.open(create=True)
    if committed := repository.find(request.backup_id):
        return BackupOutcome(committed, committed.new_bytes, committed.warnings)
    repository.store.check_writable()
    lost = _Lost()
    for attempt in range(1, ATTEMPTS + 1):
        one = _Attempt(request, source, repository, progress, clock, stop, crew, number=attempt, lost=lost)
        try:
            last = attempt == ATTEMPTS
            purpose = f"backup {request.backup_id}"
            with locked(repository.store, clock, LockKind.SHARED, purpose, stop, witness=repository.witness) as lock:
                return one.run(lock)
        except Interrupted:
            raise
        except Unavailable as error:
            if isinstance(error, SnapshotLost):
                if last:
                    raise _too_slow(error) from error
                lost = _Lost(lost.snapshots + 1, one.rate() or lost.rate)
            if last:
                raise
            progress.warn(f"{error} Attempt {attempt} of {ATTEMPTS} has failed; trying again.")
            if stop.wait(random.uniform(1, 3) * 2**attempt):  # noqa: S311 (jitter, not a secret)
                raise Interrupted("The backup was asked to stop.") from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def _too_slow(error: SnapshotLost) -> SnapshotLost:
    """What ends the last attempt, with advice."""
    return SnapshotLost(
        f"{error.message} {ATTEMPTS} attempts were made.",
        hint="Let the server keep snapshots for longer: give the user the role hostManager on admin, or set "
        "minSnapshotHistoryWindowInSeconds there; or read faster, with a higher limit or from a member with less load.",
    )


@dataclass(frozen=True)
class _Lost:
    """What attempts teach that had too little time: how many there were, and how fast the last one read."""

    snapshots: int = 0
    rate: float | None = None


class _Attempt:
    """One try at one cluster time."""

    def __init__(
        self,
        request: BackupRequest,
        source: Source,
        repository: Repository,
        progress: Progress,
        clock: Clock,
        stop: Event,
        crew: SegmentCrew | None,
        *,
        number: int,
        lost: _Lost,
    ) -> None:
        self._request, self._source, self._repository = request, source, repository
        self._progress, self._clock, self._stop = progress, clock, stop
        self._number, self._lost = number, lost
        self._crew = crew
        self._begin: datetime | None = None
        self._reader: CollectionsReader | None = None
        self._done: list[CollectionRecord] = []
        self._estimates: dict[str, Estimate] = {}

    def run(self, lock: Lock) -> BackupOutcome:
        self._progress.phase("Running")
        server = self._source.server()
        if server.topology == "sharded":
            raise InvalidSpec(
                "The source is a sharded cluster (a mongos answered); Holdfast backs up replica sets and standalones.",
                hint="Point the URI at a replica set.",
            )
        previous = self._previous()
        # Before the time is chosen: a longer window does not bring back what is gone.
        with window_of(self._source, self._seconds_needed(previous), self._progress):
            return self._at_one_time(lock, server, previous)

    def _seconds_needed(self, previous: Manifest | None) -> int:
        request = self._request
        if request.consistency is Consistency.NONE:
            return 0
        catalogue = {c.name: c for c in self._source.catalogue()}
        chosen = select(list(catalogue), request.include, request.exclude).chosen
        size = sum(self._source.estimate(catalogue[name]).logical_bytes for name in chosen)
        rate = self._lost.rate
        if rate is None and previous:
            took = previous.completion_time - previous.start_time
            rate = measured_rate(previous.logical_bytes, took.total_seconds())
        return seconds_needed(size, rate=rate, limit=request.max_bytes_per_second, lost=self._lost.snapshots)

    def rate(self) -> float | None:
        """Raw bytes a second that were read so far; None if that was too little to tell."""
        if self._begin is None or self._reader is None:
            return None
        return measured_rate(self._reader.bytes_read, (self._clock() - self._begin).total_seconds())

    def _at_one_time(self, lock: Lock, server: ServerInfo, previous: Manifest | None) -> BackupOutcome:
        request = self._request
        view = choose_view(self._source, request.consistency, request.include, request.exclude)
        warnings = [f"Collection {name!r} is not in database {self._source.database!r}." for name in view.missing]
        for warning in warnings:
            self._progress.warn(warning)
        self._estimates = {c.name: self._source.estimate(c) for c in view.collections}
        self._check_room(first=previous is None)
        self._done = self._read(view, previous)
        self._check_identities(view)
        manifest = self._manifest(server, view, warnings)
        committed = self._repository.commit(manifest, lock)
        return BackupOutcome(committed, committed.new_bytes, committed.warnings)

    def _read(self, view: View, previous: Manifest | None) -> list[CollectionRecord]:
        small = sum(estimate.logical_bytes for estimate in self._estimates.values()) < WORTH_A_CREW
        # Whoever sets a limit wants the database to feel little: one reader, not several in turn.
        alone = small or self._request.max_bytes_per_second is not None
        with SegmentReader(self._source, self._repository, self._clock) as reader:
            self._begin = self._clock()
            self._reader = CollectionsReader(
                self._source,
                self._repository,
                self._progress,
                self._stop,
                Alone(reader.outcome) if alone or not self._crew else self._crew,
                self._estimates,
                previous,
                consistency=self._request.consistency,
                max_bytes_per_second=self._request.max_bytes_per_second,
                final=self._number == ATTEMPTS,
            )
            return self._reader.read(view)

    def _previous(self) -> Manifest | None:
        """The newest backup of the same database: its chunks are known to be in the store."""
        for manifest in self._repository.manifests(lambda damage: self._progress.warn(str(damage))):
            if manifest.database == self._source.database:
                return manifest
        return None

    def _check_room(self, *, first: bool) -> None:
        free = self._repository.store.free_bytes()
        if free is None:
            return
        on_disk = sum(estimate.storage_bytes for estimate in self._estimates.values())
        # The server compresses less than we do, so its size on disk is an upper bound for a first backup.
        needed = on_disk if first else on_disk // 10
        if free < needed:
            raise StoreFull(
                f"The store at {self._repository.store.address} has {free // 2**20} MiB free; this backup needs about "
                f"{needed // 2**20} MiB.",
                hint="Give it more room, or remove old backups.",
            )

    def _check_identities(self, view: View) -> None:
        """A collection dropped or renamed after the cluster time reads as empty, without an error: ask for its UUID."""
        now = {c.name: c for c in self._source.catalogue()}
        for index, (collection, record) in enumerate(zip(view.collections, self._done, strict=True)):
            current = now.get(collection.name)
            same = current is not None and (current.uuid, current.data_uuid) == (
                collection.uuid,
                collection.data_uuid,
            )
            if same or record.error or collection.type == "view":
                continue
            message = f"Collection {collection.name!r} was dropped, renamed or made anew during the backup."
            if not (self._number == ATTEMPTS):
                raise CatalogueChanged(message)
            self._done[index] = CollectionRecord(
                name=record.name,
                type=record.type,
                options=record.options,
                indexes=record.indexes,
                error=message,
            )

    def _manifest(self, server: ServerInfo, view: View, warnings: Sequence[str]) -> Manifest:
        good = [c for c in self._done if not c.error]
        if not good:
            told = " ".join(f"{c.name}: {c.error}" for c in self._done[:3])
            raise CollectionFailed(f"Not one collection could be backed up. {told}")
        consistency, loose = consistency_of(view.at, good)
        return Manifest(
            holdfast_version=VERSION,
            backup_id=self._request.backup_id,
            policy=self._request.policy,
            reason=self._request.reason,
            database=self._source.database,
            server=ServerRecord(**vars(server)),
            start_time=self._request.started,
            completion_time=self._clock(),
            consistency=consistency,
            documents=sum(c.documents for c in good),
            logical_bytes=sum(c.logical_bytes for c in good),
            stored_bytes=sum(c.stored_bytes for c in good),
            new_bytes=sum(c.new_bytes for c in good),
            collections=tuple(self._done),
            warnings=(*warnings, *loose),
        )
