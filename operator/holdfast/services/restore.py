"""Restore a backup as planned, into a database that nobody else restores into, and prove that it is what was backed up.

Order: nothing is in the way, and every chunk is known to be there → what is swapped is made ready aside and proven →
the server has taken the others on trial → what is replaced is backed up → what cannot be swapped is replaced → the rest
is renamed into place → views → the catalogue is compared. Up to that backup, nobody sees a change.

May be killed anywhere. The notes in the target tell the next attempt what is its own: it starts anew before the first
change that anybody sees, and goes on after it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Event

from holdfast.domain.restoring import Strategy
from holdfast.errors import CollectionFailed, DamagedBackup, HoldfastError, Interrupted, TargetBusy, TargetNotEmpty
from holdfast.ports import Clock, Progress, Target
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.catch_up import CatchUp
from holdfast.services.load import Loader, compare_catalogue
from holdfast.services.merge import Merged, merge
from holdfast.services.plan_restore import decide
from holdfast.services.restore_board import Board, forget_boards
from holdfast.services.restore_notes import Notes, token_of
from holdfast.services.restore_outcome import RestoreOutcome, outcome_of
from holdfast.services.restore_plan import Chosen, Decision, RestorePlan
from holdfast.services.restore_request import RestoreRequest
from holdfast.services.restore_share import Team
from holdfast.services.restore_work import RestoreCrew
from holdfast.services.target_lease import Lease, leased
from holdfast.services.try_out import try_out, untouched
from holdfast.services.verify import verify

BeforeReplacing = Callable[[RestorePlan], None]


def restore(
    request: RestoreRequest,
    manifest: Manifest,
    repository: Repository,
    target: Target,
    progress: Progress,
    clock: Clock,
    stop: Event,
    *,
    before_replacing: BeforeReplacing | None = None,
    crew: RestoreCrew | None = None,
    team: Team | None = None,
    when_equal: Callable[[], object] | None = None,
) -> RestoreOutcome:
    """Given a committed backup and what is wanted of it, do it and compare.

    ``before_replacing`` is called before anything that is seen is dropped or replaced. ``crew`` does the work on all
    but a small backup; it works on the same repository and target. ``team``: others do their share of that
    (:mod:`holdfast.services.restore_together`). ``when_equal`` is called when all is proven, before
    the notes of this restore go: a kill there has it called again.

    Raises before anything is written: BackupNotFound, InvalidSpec, TargetNotEmpty, NotAuthorized, StoreFull,
    DamagedBackup if a chunk is missing. Later: DamagedBackup if one proves damaged, TargetNotEmpty if a collection
    appeared meanwhile, CollectionFailed for any refused write and for what was made ready and proved different,
    TargetBusy while another restore is at work there, Unavailable, Interrupted.
    """
    token = token_of(request.token, manifest.backup_id, target.database)
    if not Notes(target, token).done:
        decide(request, manifest, target).require_possible()
    board = Board(target, token)
    with leased(target, f"the restore of backup {manifest.backup_id}", stop, restore=board.identity) as lease:
        notes, decision = Notes(target, token), decide(request, manifest, target)
        if notes.done:
            if when_equal:
                when_equal()
            if not team:
                notes.clear()
            return replace(outcome_of(decision), repeated=_catch_up(decision, manifest, repository, stop).count)
        decision.require_possible()
        _require_chunks(decision, manifest, repository, stop)
        for warning in decision.plan.warnings:
            progress.warn(warning)
        work = _Restore(decision, manifest, repository, target, progress, stop, crew, lease, notes, board, team)
        return work.run(clock, before_replacing, when_equal or (lambda: None))


def _require_chunks(decision: Decision, manifest: Manifest, repository: Repository, stop: Event) -> None:
    def part(chosen: Iterable[Chosen]) -> Manifest:
        names = {one.plan.name for one in chosen}
        return manifest.model_copy(update={"collections": tuple(c for c in manifest.collections if c.name in names)})

    problems = verify(repository, part(decision.chosen), stop=stop).problems
    if not problems:
        # What is made ready aside is proven there. What is dropped first has to be proven before.
        direct = (one for one in decision.chosen if one.plan.way is Strategy.DIRECT and one.plan.action == "replace")
        problems = verify(repository, part(direct), read_data=True, stop=stop).problems
    if problems:
        raise DamagedBackup(
            f"Backup {manifest.backup_id} cannot be restored: {' '.join(problems[:3])}",
            hint="Nothing was written. Restore another backup.",
        )


def _catch_up(decision: Decision, manifest: Manifest, repository: Repository, stop: Event) -> CatchUp:
    """What was merged is not among it: it is added to documents that others write."""
    names = frozenset(one.plan.name for one in decision.chosen if one.plan.action != "merge")
    return CatchUp(manifest, names, repository, stop.is_set)


class _Restore:
    """One attempt, under the target's lease."""

    def __init__(
        self,
        decision: Decision,
        manifest: Manifest,
        repository: Repository,
        target: Target,
        progress: Progress,
        stop: Event,
        crew: RestoreCrew | None,
        lease: Lease,
        notes: Notes,
        board: Board,
        team: Team | None,
    ) -> None:
        self._decision = decision
        self._plan, self._manifest, self._target, self._progress = decision.plan, manifest, target, progress
        self._repository, self._stop, self._lease, self._notes = repository, stop, lease, notes
        self._ordered = manifest.imported is None
        self._name_in_backup = {one.plan.target: one.plan.name for one in decision.chosen}
        self._catch_up = _catch_up(decision, manifest, repository, stop)
        self._board, self._team = board, team
        together = (board, team) if team and self._can_share() else None
        self._loader = Loader(
            *(repository, target, progress, stop, crew),
            created=self._note_created,
            check=lease.check,
            catch_up=self._make_one_moment if self._catch_up.count else None,
            together=together,
        )
        fresh = [one for one in decision.chosen if one.plan.action != "merge"]
        self._chosen = decision.chosen
        self._fresh = [one.record for one in fresh]
        self._merges = [one for one in decision.chosen if one.plan.action == "merge"]
        self._views = [one.record for one in fresh if one.plan.type == "view"]
        self._swaps = [one for one in fresh if one.plan.way is Strategy.SWAP]
        self._directs = [one.record for one in fresh if one.plan.way is Strategy.DIRECT and one.plan.type != "view"]
        self._title_of_place: dict[str, str] = {}

    def _make_one_moment(self, records: Sequence[CollectionRecord]) -> None:
        places = {self._name_in_backup[self._title_of_place.get(one.name, one.name)]: one.name for one in records}
        self._catch_up.repeat(self._target, places, self._lease.check)

    def run(
        self, clock: Clock, before_replacing: BeforeReplacing | None, when_equal: Callable[[], object]
    ) -> RestoreOutcome:
        notes, plan = self._notes, self._plan
        if self._team and self._merges:
            names = ", ".join(repr(one.plan.target) for one in self._merges[:10])
            self._progress.warn(f"One pod merges into what is there, whatever parallelism says: {names}.")
        notes.drop_dead()
        forget_boards(self._target, keep=self._board.identity)
        notes.begin(self._manifest.backup_id, plan.strategy.value, clock())
        self._progress.phase("Running")
        if self._catch_up.count:
            self._target.repeat(())  # before anything is written: it takes a right of its own
        if self._swaps and not notes.replacing:
            self._prepare()
        try:
            if not notes.replacing:
                try_out(self._decision, self._target, notes)
            if before_replacing and plan.replaced:
                before_replacing(plan)
            self._lease.check()
            if self._team and self._team.ended():
                raise Interrupted("It was told meanwhile that the restore has ended.", hint="It goes no further.")
            if self._swaps and not notes.replacing:
                self._require_nothing_new()
        except HoldfastError as error:
            if not notes.replacing:
                self._forget(error)
            raise
        notes.begin_replacing()
        problems = self._load_directly()
        merged = {one.plan.target: self._merge(one) for one in self._merges}
        self._rename_into_place()
        self._create_views()
        self._target.settle()
        titles = {record.name: record.name for record in self._fresh}
        problems += compare_catalogue(self._fresh, self._target, titles, ordered=self._ordered)
        problems += [problem for one in merged.values() for problem in one.problems]
        if not problems:
            when_equal()
            notes.finish(keep=self._team is not None)
        done = outcome_of(self._decision, merged)
        return replace(
            done,
            problems=tuple(problems),
            repeated=self._catch_up.count,
            proof_seconds=self._loader.proof_seconds,
        )

    # --- aside -------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Make ready, in scratch collections, what will be renamed into place."""
        notes = self._notes
        records, titles = [], {}
        for one in self._swaps:
            name, scratch = one.plan.target, notes.scratch(one.plan.target)
            records.append(one.record.model_copy(update={"name": scratch}))
            titles[scratch] = name
        kept = self._kept(records, titles)
        notes.drop_scratch(keep=kept)
        for scratch, name in titles.items():
            if scratch not in kept:
                notes.make(name, scratch, None)
        self._title_of_place = titles
        try:
            problems = self._loader.load(records, titles, kept)
            problems += compare_catalogue(records, self._target, titles, ordered=self._ordered)
            if problems:
                raise CollectionFailed(" ".join(problems[:10]), hint="Try again, or restore another backup.")
        except HoldfastError as error:
            self._forget(error)
            raise untouched(error, titles) from error

    def _kept(self, records: Sequence[CollectionRecord], titles: Mapping[str, str]) -> frozenset[str]:
        """What an earlier attempt has made and this one goes on with: others may be at work on it."""
        if not self._loader.shares(records):
            return frozenset()
        there = self._target.identities()
        ours = (one for one in records if self._notes.is_made(titles[one.name], there.get(one.name)))
        return frozenset(one.name for one in ours if not one.capped)

    def _can_share(self) -> bool:
        if self._catch_up.count:
            self._progress.warn("Writes that were done during the backup are repeated in the end: one pod restores it.")
            return False
        if self._target.writes_by_uuid():
            return True
        self._progress.warn(
            "The target's server is older than MongoDB 6.0, which several pods need to write together: one pod does it."
        )
        return False

    def _require_nothing_new(self) -> None:
        there = self._target.identities()
        new = {one.plan.target for one in self._swaps if one.plan.action == "create"}
        appeared = sorted(name for name in new & set(there) if not self._notes.is_made(name, there[name]))
        if appeared:
            raise TargetNotEmpty(
                f"{', '.join(map(repr, appeared[:10]))} appeared in database {self._target.database!r} during the "
                "restore. The target is as it was.",
                hint="Find out who made it, and stop them meanwhile.",
            )

    def _forget(self, error: HoldfastError) -> None:
        """Nobody has seen anything yet: leave nothing behind."""
        if isinstance(error, TargetBusy):
            return  # what is there may be another attempt's by now
        if self._team and error.retryable and not self._team.ended():
            return  # others are at work on it, and another pod leads them on
        with suppress(HoldfastError):  # the next attempt, or the next restore, does it
            self._board.close()
            self._notes.drop_scratch()
            self._notes.clear()

    # --- in place ----------------------------------------------------------------------------------------------------

    def _load_directly(self) -> list[str]:
        if not self._directs:
            return []
        titles = {record.name: record.name for record in self._directs}
        kept = self._kept(self._directs, titles)
        self._drop_what_is_replaced([record for record in self._directs if record.name not in kept])
        try:
            return self._loader.load(self._directs, titles, kept)
        except TargetNotEmpty:
            self._notes.withdraw(record.name for record in self._directs)
            raise

    def _merge(self, one: Chosen) -> Merged:
        merged = merge(one.record, self._repository, self._target, self._progress, self._stop, self._lease.check)
        for warning in merged.warnings:
            self._progress.warn(warning)
        return merged

    def _rename_into_place(self) -> None:
        if not self._swaps:
            return
        there = self._target.identities()
        plain = {c.name for c in self._target.catalogue() if c.type == "collection"}
        replaced = set(self._plan.replaced)
        for one in self._swaps:
            name, scratch = one.plan.target, self._notes.scratch(one.plan.target)
            self._lease.check()
            if self._notes.is_made(name, there.get(name)):
                continue  # an earlier attempt was here
            if not self._notes.is_made(name, there.get(scratch)):
                raise CollectionFailed(
                    f"What was made ready for {name!r} is gone from database {self._target.database!r}.",
                    hint="Somebody dropped it. Restore once more.",
                )
            if name in replaced and name in there and name not in plain:
                self._target.drop(name)  # a view or a time-series collection cannot be renamed over
            self._target.rename(scratch, name, replace=name in replaced and name in plain)

    def _create_views(self) -> None:
        # A view may be created before the view that it looks at: the server resolves it when it is read.
        if self._views:
            self._drop_what_is_replaced(self._views)
        for index, view in enumerate(self._views):
            try:
                self._target.create(view.name, view.options, "view")
            except TargetNotEmpty:
                self._notes.withdraw(one.name for one in self._views[index:])
                raise

    def _drop_what_is_replaced(self, records: Sequence[CollectionRecord]) -> None:
        """And what an earlier attempt made. Anything else came meanwhile, and creating it fails."""
        droppable = set(self._plan.replaced) | self._notes.ours(self._target.catalogue())
        for record in records:
            if record.name in droppable:
                self._target.drop(record.name)
            self._notes.make(record.name, record.name, None)

    def _note_created(self, record: CollectionRecord) -> None:
        title = self._title_of_place.get(record.name, record.name)
        self._notes.make(title, record.name, self._target.identities().get(record.name))
