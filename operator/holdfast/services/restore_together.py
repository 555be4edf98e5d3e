"""Do one restore with several pods: one leads, and all of them write documents and read them again.

They know each other through notes in the target alone (:mod:`holdfast.services.restore_board`). Whoever holds the
target's lease leads: it does all that a restore by one pod does, and hands out the work on documents. The others take
part in that, and wait; where nothing is heard of the leader any more, another one leads on from there.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from threading import Event

from holdfast.errors import HoldfastError, Interrupted, TargetBusy
from holdfast.ports import Target
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.crew import Alone
from holdfast.services.restore_board import Board, OpenWork
from holdfast.services.restore_notes import Notes, token_of
from holdfast.services.restore_outcome import RestoreOutcome
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_share import Share, Team
from holdfast.services.restore_work import RestoreCrew, worker
from holdfast.services.target_lease import leased

Lead = Callable[[], RestoreOutcome]


class _NotOpen(Exception):
    """What a pod was at is not to be done any more."""


def restore_together(
    request: RestoreRequest,
    manifest: Manifest,
    repository: Repository,
    target: Target,
    team: Team,
    crew: RestoreCrew | None,
    stop: Event,
    lead: Lead,
) -> RestoreOutcome | None:
    """Given a seat among several, take part in a restore until it has ended. None: another pod tells what came of it.

    ``lead`` does the whole restore, with this team; the first pod begins with it. Raises what that does, and what makes
    a share of the work impossible and may pass.
    """
    board = _board(request, manifest, target)
    hands: RestoreCrew = crew or Alone(worker(target, repository))
    helper = _Helper(request, manifest, repository, target, board, team, hands, stop)
    leads = team.seat.index == 0
    while not team.ended():
        if leads:
            try:
                return lead()
            except TargetBusy:
                if board.leader() is None:
                    raise  # another restore altogether
        leads = helper.help()
    return None


def forget(request: RestoreRequest, manifest: Manifest, target: Target, stop: Event) -> None:
    """Once it is told how the restore ended: remove what the pods have noted. Until then they know by it that it is
    done, and none of them begins it once more. What stays behind goes with the next restore."""
    board = _board(request, manifest, target)
    notes = Notes(target, board.token)
    if not notes.begun and board.opened() is None:
        return
    with suppress(HoldfastError), leased(target, "what is left of a restore", stop):
        board.close()
        if notes.done:
            notes.clear()


def _board(request: RestoreRequest, manifest: Manifest, target: Target) -> Board:
    return Board(target, token_of(request.token, manifest.backup_id, target.database))


class _Helper:
    """A pod that does not lead."""

    def __init__(
        self,
        request: RestoreRequest,
        manifest: Manifest,
        repository: Repository,
        target: Target,
        board: Board,
        team: Team,
        crew: RestoreCrew,
        stop: Event,
    ) -> None:
        self._repository, self._target, self._board = repository, target, board
        self._team, self._crew, self._stop = team, crew, stop
        self._records = _records_by_title(request, manifest)
        self._done: str | None = None
        """The last piece of work of which there is nothing to do for any more."""
        self._beat: str | None = None
        self._heard: datetime = team.clock()

    def help(self) -> bool:
        """Take part. True: nothing is heard of a leader any more; False: the restore has ended."""
        self._heard = self._team.clock()
        while not self._team.ended():
            name = self._board.opened()
            if name and name != self._done and (work := self._board.work(name)):
                self._take_part(work)
            elif self._leader_is_silent():
                return True
            elif self._stop.wait(self._team.patience.look.total_seconds()):
                raise Interrupted("The restore was asked to stop.", hint="Others go on with it.")
        return False

    def _take_part(self, work: OpenWork) -> None:
        def check() -> None:
            if self._board.opened() != work.name:
                raise _NotOpen

        records = [self._records[one.title] for one in work.collections]
        try:
            Share(
                *(work, records, self._repository, self._target, self._board, self._team, self._crew, self._stop),
                check=check,
            ).run()
        except _NotOpen:
            return
        except HoldfastError as error:
            if error.retryable:
                raise
            if self._board.opened() == work.name:
                self._board.fail(work, error)
        self._done = work.name

    def _leader_is_silent(self) -> bool:
        """The next index waits longer, so that not all begin to lead at once."""
        now, leader = self._team.clock(), self._board.leader()
        beat = leader["beat"] if leader else None
        if beat != self._beat:
            self._beat, self._heard = beat, now
        return now - self._heard >= self._team.patience.finish * (1 + self._team.seat.index)


def _records_by_title(request: RestoreRequest, manifest: Manifest) -> dict[str, CollectionRecord]:
    """The collections of a backup by their names in the target. What is renamed comes before what it is named like."""
    records = {one.name: one for one in manifest.collections}
    return records | {new: records[name] for name, new in request.rename if name in records}
