"""Take one backup: read every chosen collection at one cluster time, store its chunks, commit the manifest.

An attempt that meets an outage, or whose snapshot the server has dropped, is made again at a new cluster time; the
chunks it stored are found and used. Two cluster times are never mixed in one backup.
"""

import random
from datetime import datetime
from threading import Event

from holdfast.domain.consistency import Consistency
from holdfast.domain.snapshot_window import measured_rate
from holdfast.errors import Interrupted, SnapshotLost, Unavailable
from holdfast.ports import Clock, Estimate, Progress, ServerInfo, Source
from holdfast.repository.locks import Lock, LockKind, locked
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.backup_request import BackupOutcome, BackupRequest
from holdfast.services.choose_view import View, choose_view
from holdfast.services.complete_backup import check_identities, manifest_of, warnings_of
from holdfast.services.crew import Alone
from holdfast.services.hold_window import window_of
from holdfast.services.one_moment import OneMoment
from holdfast.services.prepare_backup import Lost, check_room, previous_of, server_of, small, window_needed
from holdfast.services.read_collections import CollectionsReader
from holdfast.services.read_segment import SegmentCrew, SegmentReader

ATTEMPTS = 3


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
    lost = Lost()
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
                    raise too_slow(error) from error
                lost = Lost(lost.snapshots + 1, one.rate() or lost.rate)
            if last:
                raise
            progress.warn(f"{error} Attempt {attempt} of {ATTEMPTS} has failed; trying again.")
            if stop.wait(random.uniform(1, 3) * 2**attempt):  # noqa: S311 (jitter, not a secret)
                raise Interrupted("The backup was asked to stop.") from error
    raise AssertionError("unreachable: the last attempt returns or raises")


def too_slow(error: SnapshotLost) -> SnapshotLost:
    """What ends the last attempt, with advice."""
    return SnapshotLost(
        f"{error.message} {ATTEMPTS} attempts were made.",
        hint="Let the server keep snapshots for longer: give the user the role hostManager on admin, or set "
        "minSnapshotHistoryWindowInSeconds there; or read faster, with a higher limit or from a member with less load.",
    )


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
        lost: Lost,
    ) -> None:
        self._request, self._source, self._repository = request, source, repository
        self._progress, self._clock, self._stop = progress, clock, stop
        self._final, self._lost = number == ATTEMPTS, lost
        self._crew = crew
        self._begin: datetime | None = None
        self._reader: CollectionsReader | None = None
        self._estimates: dict[str, Estimate] = {}

    def run(self, lock: Lock) -> BackupOutcome:
        self._progress.phase("Running")
        server = server_of(self._source)
        previous = previous_of(self._repository, self._source.database, self._progress)
        one_moment = OneMoment(
            *(self._request, self._source, server, self._repository, self._stop),
            snapshots_lost=self._final and self._lost.snapshots > 0,
        )
        loose = one_moment.consistency is Consistency.NONE
        needed = 0 if loose else window_needed(self._request, self._source, previous, self._lost)
        # Before the time is chosen: a longer window does not bring back what is gone.
        with window_of(self._source, needed, self._progress):
            return self._at_one_time(lock, server, previous, one_moment)

    def rate(self) -> float | None:
        """Raw bytes a second that were read so far; None if that was too little to tell."""
        if self._begin is None or self._reader is None:
            return None
        return measured_rate(self._reader.bytes_read, (self._clock() - self._begin).total_seconds())

    def _at_one_time(
        self, lock: Lock, server: ServerInfo, previous: Manifest | None, one_moment: OneMoment
    ) -> BackupOutcome:
        request, database = self._request, self._source.database
        view = choose_view(self._source, one_moment.consistency, request.include, request.exclude)
        warnings = warnings_of(view, database)
        for warning in warnings:
            self._progress.warn(warning)
        self._estimates = {c.name: self._source.estimate(c) for c in view.collections}
        check_room(self._repository, self._estimates, first=previous is None)
        records = self._read(view, previous, one_moment)
        records = check_identities(self._source, view.collections, records, final=self._final)
        captured, more = one_moment.finish(records, final=self._final)
        warnings += more
        manifest = manifest_of(request, database, server, view, records, warnings, self._clock(), captured)
        committed = self._repository.commit(manifest, lock)
        return BackupOutcome(committed, committed.new_bytes, committed.warnings)

    def _read(self, view: View, previous: Manifest | None, one_moment: OneMoment) -> list[CollectionRecord]:
        # Whoever sets a limit wants the database to feel little: one reader, not several in turn.
        alone = small(self._estimates) or self._request.max_bytes_per_second is not None
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
                consistency=one_moment.consistency,
                max_bytes_per_second=self._request.max_bytes_per_second,
                final=self._final,
                moment=one_moment.moment,
            )
            return self._reader.read(view)
