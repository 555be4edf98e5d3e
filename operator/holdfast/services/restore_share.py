"""One pod's part in what is open to all pods of a restore: to write portions of it, or to read them again."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Event

from holdfast.domain.teamwork import Patience, Seat, Teamwork
from holdfast.errors import HoldfastError, Interrupted
from holdfast.ports import Clock, CollectionInfo, Target
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.restore_board import Board, Done, Kind, OpenWork, Standing
from holdfast.services.restore_layout import ChunkSpan, Layout, Unit, layout_of
from holdfast.services.restore_work import Reading, RestoreCrew, RestoreTask, Sum, insertions, total

NOTHING = Sum(0, 0)


@dataclass(frozen=True)
class Team:
    """Several pods that do one restore, and which of them this is.

    ``ended``: whether somebody has told how the restore ended."""

    seat: Seat
    clock: Clock
    ended: Callable[[], bool]
    patience: Patience = field(default_factory=lambda: Patience(stall=timedelta(minutes=2)))


Told = Callable[[Standing, Sum], object]
"""Told what is done, and what this pod has done beside that."""


class Share:
    """One pod at one piece of work. ``records``: the collections of it, as the backup has them.

    ``check`` raises where the work must not go on.
    """

    def __init__(
        self,
        work: OpenWork,
        records: Sequence[CollectionRecord],
        repository: Repository,
        target: Target,
        board: Board,
        team: Team,
        crew: RestoreCrew,
        stop: Event,
        *,
        check: Callable[[], object] = lambda: None,
    ) -> None:
        self._work, self._records = work, records
        self._board, self._team, self._crew, self._stop = board, team, crew, stop
        self._told: Told = lambda *_: None
        self._check = check
        self.layout: Layout = layout_of(work, records, repository)
        self._lists = _Lists(repository)
        self._infos = _infos(work, records, target)
        self._standing = Standing({})
        self._looked: datetime | None = None
        self._own: dict[int, Sum] = {}
        """What this pod has done of portions that are not known to be done."""
        self._steps: dict[RestoreTask, tuple[int, Sum]] = {}
        """What it is doing, and of which portion."""

    def run(self, told: Told = lambda *_: None) -> Standing:
        """Work until all portions are done, by whomever. Raises why it cannot be done, where a pod has found that."""
        self._told = told
        seat, patience = self._team.seat, self._team.patience
        team = Teamwork(self.layout.sizes, {}, seat.index, seat.of, patience)
        worked = True
        while True:
            self._look()
            standing = self._standing
            if len(standing.done) == len(self.layout.portions):
                return standing
            turn = team.next(frozenset(standing.done), frozenset(), self._team.clock(), after_work=worked)
            worked = turn.work
            if worked:
                self._do(turn.portions)
            elif self._stop.wait(patience.look.total_seconds()):
                raise Interrupted("The restore was asked to stop.", hint="The next attempt goes on from here.")

    def _look(self) -> None:
        """See how all are."""
        self._check()
        self._standing, self._looked = self._board.standing(self._work), self._team.clock()
        if self._standing.failure:
            raise self._standing.failure
        self._tell()

    def _tell(self) -> None:
        done = self._standing.done
        sums = [one for portion, one in self._own.items() if portion not in done]
        sums += [step for portion, step in self._steps.values() if portion not in done]
        self._told(self._standing, total(sums))

    def _do(self, portions: Iterable[int]) -> None:
        left: dict[int, int] = {}
        sums: dict[int, dict[int, Sum]] = {}
        owner: dict[RestoreTask, tuple[int, int]] = {}

        def tasks() -> Iterator[RestoreTask]:
            for portion in portions:
                if self._board.is_done(self._work, portion):
                    continue  # somebody has helped out
                found = [(task, unit.collection) for unit in self.layout.of(portion) for task in self._tasks(unit)]
                left[portion], sums[portion] = len(found), {}
                owner.update((task, (portion, collection)) for task, collection in found)
                yield from (task for task, _ in found)

        def advanced(task: RestoreTask, step: Sum) -> None:
            self._steps[task] = (owner[task][0], step)
            self._glance()

        for task, result in self._crew.work(tasks(), advanced, self._stop):
            if isinstance(result, HoldfastError):
                raise result
            self._steps.pop(task, None)
            portion, collection = owner.pop(task)
            left[portion] -= 1
            done = sums[portion]
            done[collection] = total([done.get(collection, NOTHING), result])
            if not left[portion]:
                self._board.add(self._work, portion, sums.pop(portion))
            self._own[portion] = total(done.values())
            self._glance()

    def _glance(self) -> None:
        """Look where the last look was a while ago."""
        if self._looked is None or self._team.clock() >= self._looked + self._team.patience.look:
            self._look()
        else:
            self._check()
            self._tell()

    def _tasks(self, unit: Unit) -> Iterator[RestoreTask]:
        info = self._infos[unit.collection]
        if unit.chunks:
            refs = self._lists.refs(self._records[unit.collection], unit.chunks)
            yield from insertions(info, refs, once_into=self._work.collections[unit.collection].uuid)
        elif unit.keys:
            yield Reading(info, unit.keys)


def _infos(work: OpenWork, records: Sequence[CollectionRecord], target: Target) -> Sequence[CollectionInfo]:
    """What is written to is as it was backed up, what is read is as it is."""
    if work.kind is Kind.WRITE:
        return [replace(record.info, name=one.place) for one, record in zip(work.collections, records, strict=True)]
    there = {one.name: one for one in target.catalogue()}
    return [
        there.get(one.place) or replace(record.info, name=one.place)
        for one, record in zip(work.collections, records, strict=True)
    ]


class _Lists:
    """Reads what a unit names. Keeps the last list: the next unit is in it, as a rule."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._name, self._refs = "", tuple[ChunkRef, ...]()

    def refs(self, record: CollectionRecord, span: ChunkSpan) -> Iterator[ChunkRef]:
        position, skip, count = span.list, span.skip, span.count
        while count:
            found = self._list(record.chunk_lists[position])[skip : skip + count]
            yield from found
            position, skip, count = position + 1, 0, count - len(found)

    def _list(self, name: str) -> Sequence[ChunkRef]:
        if name != self._name:
            self._name, self._refs = name, tuple(self._repository.refs_in((name,)))
        return self._refs


def finished(layout: Layout, done: Mapping[int, Done]) -> set[int]:
    """The numbers of the collections of which every portion is done."""
    missing = {
        unit.collection for portion in range(len(layout.portions)) if portion not in done for unit in layout.of(portion)
    }
    return {unit.collection for unit in layout.units} - missing
