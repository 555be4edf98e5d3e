"""Take one backup with several pods: one plan, a share for each, one manifest.

They know each other through the repository alone (:mod:`holdfast.repository.shared_work`). Whoever comes first fixes
the cluster time and the ranges; each reads its share, and where others are late, of theirs; whoever brings the last
part commits the manifest. All stay until then: whoever dies, somebody is there who goes on, and what was read stays.
"""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from threading import Event

from holdfast.domain.snapshot_window import measured_rate
from holdfast.domain.teamwork import Patience, Seat, Teamwork
from holdfast.errors import CatalogueChanged, Interrupted, SnapshotLost, Unavailable
from holdfast.ports import Clock, Member, Progress, Source
from holdfast.repository.locks import Lock, LockKind, locked
from holdfast.repository.repository import Repository
from holdfast.repository.shared_plan import SharedPlan
from holdfast.repository.shared_work import SharedWork
from holdfast.services.back_up import ATTEMPTS, too_slow
from holdfast.services.backup_request import BackupOutcome, BackupRequest
from holdfast.services.crew import Alone
from holdfast.services.finish_together import finish
from holdfast.services.hold_window import window_of
from holdfast.services.plan_together import Attempt, Layout, layout_of, make_plan
from holdfast.services.prepare_backup import WORTH_A_CREW, Lost, previous_of, server_of, window_needed
from holdfast.services.read_portions import PortionsReader, check_attempt
from holdfast.services.read_segment import SegmentCrew, SegmentReader
from holdfast.services.shared_progress import SharedProgress

SourceOpener = Callable[[Member | None], AbstractContextManager[tuple[Source, SegmentCrew | None]]]
"""Opens the source, at one member where that is chosen; and who reads it."""


def back_up_together(
    request: BackupRequest,
    seat: Seat,
    open_source: SourceOpener,
    repository: Repository,
    progress: Progress,
    clock: Clock,
    stop: Event,
    patience: Patience | None = None,
) -> BackupOutcome | None:
    """Given a seat among several, do a share of one backup, and commit it if that was the last one. None: another one
    commits it, and tells what came of it.

    A backup that is committed already is returned as it is. Raises what :func:`holdfast.services.back_up.back_up` does.
    """
    repository.open(create=True)
    if committed := repository.find(request.backup_id):
        SharedWork(repository, request.backup_id).forget()
        return BackupOutcome(committed, committed.new_bytes, committed.warnings)
    repository.store.check_writable()
    pod = _Pod(request, seat, open_source, repository, progress, clock, stop, patience or Patience())
    purpose = f"backup {request.backup_id}, part {seat.index + 1} of {seat.of}"
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with locked(repository.store, clock, LockKind.SHARED, purpose, stop, witness=repository.witness) as lock:
                return pod.attempt(lock)
        except Interrupted:
            raise
        except Unavailable as error:
            if attempt == ATTEMPTS:
                raise too_slow(error) if isinstance(error, SnapshotLost) else error from error
            progress.warn(f"{error} Attempt {attempt} of {ATTEMPTS} has failed; trying again.")
            if stop.wait(random.uniform(1, 3) * 2**attempt):  # noqa: S311 (jitter, not a secret)
                raise Interrupted("The backup was asked to stop.") from error
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Pod:
    def __init__(
        self,
        request: BackupRequest,
        seat: Seat,
        open_source: SourceOpener,
        repository: Repository,
        progress: Progress,
        clock: Clock,
        stop: Event,
        patience: Patience,
    ) -> None:
        self._request, self._seat, self._open, self._repository = request, seat, open_source, repository
        self._progress, self._clock, self._stop = progress, clock, stop
        self._patience = patience
        self._work = SharedWork(repository, request.backup_id)

    def attempt(self, lock: Lock) -> BackupOutcome | None:
        """Follow the newest plan, or make one. An attempt that failed for everybody is marked as such."""
        if self._seat.index == 0:
            self._progress.phase("Running")
        with ExitStack() as stack:
            plan = self._plan(stack)
            if plan is None:
                return None
            source, crew = stack.enter_context(self._open(plan.member))
            try:
                return self._follow(plan, lock, source, crew)
            except (SnapshotLost, CatalogueChanged) as error:
                self._work.fail(plan, error.reason, error.message)
                raise

    # --- the plan -------------------------------------------------------------------------------------------------

    def _plan(self, stack: ExitStack) -> SharedPlan | None:
        """The plan to follow. None: the backup is committed meanwhile."""
        deadline = self._clock() + self._seat.index * self._patience.plan
        while True:
            newest = self._work.newest_plan()
            if newest is not None and not self._work.has_failed(newest):
                return newest
            if self._work.committed():
                return None
            if self._clock() >= deadline:
                return self._make_plan(newest, stack)
            self._pause()

    def _make_plan(self, last: SharedPlan | None, stack: ExitStack) -> SharedPlan:
        source, _ = stack.enter_context(self._open(None))
        server = server_of(source)
        previous = previous_of(self._repository, source.database, self._progress)
        lost = self._lost(last)
        needed = window_needed(self._request, source, previous, lost)
        # Before the time is chosen: a longer window does not bring back what is gone.
        stack.enter_context(window_of(source, needed, self._progress))
        number = last.number + 1 if last else 1
        attempt = Attempt(number, lost.snapshots, final=number >= ATTEMPTS)
        return self._work.propose(
            make_plan(self._request, attempt, source, server, self._repository, previous, self._progress, self._clock)
        )

    def _lost(self, last: SharedPlan | None) -> Lost:
        """What the attempt before teaches."""
        if last is None:
            return Lost()
        reason, _ = self._work.failure(last) or ("", "")
        if reason != SnapshotLost.reason:
            return Lost(last.lost)
        sizes = layout_of(last).sizes
        size = sum(sizes[number] for number in self._work.standing(last).parts)
        return Lost(last.lost + 1, measured_rate(size, (self._clock() - last.created).total_seconds()))

    # --- the work -------------------------------------------------------------------------------------------------

    def _follow(self, plan: SharedPlan, lock: Lock, source: Source, crew: SegmentCrew | None) -> BackupOutcome | None:
        layout, limit = layout_of(plan), self._request.max_bytes_per_second
        few = limit is not None or crew is None or sum(layout.bytes) < WORTH_A_CREW
        progress = SharedProgress(self._progress if self._seat.index == 0 else None, plan, layout)
        with SegmentReader(source, self._repository, self._clock) as alone:
            reader = PortionsReader(
                plan,
                layout,
                self._work,
                lock,
                source,
                Alone(alone.outcome) if few or crew is None else crew,
                progress.advanced,
                self._stop,
                max_bytes_per_second=max(1, limit // self._seat.of) if limit else None,
            )
            if not self._read(plan, layout, reader, progress):
                return None
        manifest = finish(
            self._request, plan, layout, self._work, lock, source, self._repository, self._progress, self._clock
        )
        return BackupOutcome(manifest, manifest.new_bytes, manifest.warnings)

    def _read(self, plan: SharedPlan, layout: Layout, reader: PortionsReader, progress: SharedProgress) -> bool:
        """Read until all is there. True: it is this pod that finishes; False: another one has."""
        team = Teamwork(layout.sizes, layout.counts, self._seat.index, self._seat.of, self._patience)
        worked = True
        while True:
            standing = self._work.standing(plan)
            # In this order: parts are removed once the manifest is there.
            if self._work.committed():
                return False
            if standing.failed:
                check_attempt(self._work, plan)
            progress.stands(standing.parts)
            turn = team.next(standing.parts, standing.counts, self._clock(), after_work=worked)
            if turn.finish:
                return True
            worked = turn.work
            if worked:
                reader.read(turn.portions, turn.counts)
            else:
                self._pause()

    def _pause(self) -> None:
        if self._stop.wait(self._patience.look.total_seconds()):
            raise Interrupted("The backup was asked to stop.", hint="The next attempt goes on from here.")
