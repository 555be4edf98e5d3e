"""Repeat in a target what the slices of an oplog say, up to a point in time.

The state that a replay is in is a function of the entries it has passed: who goes on after a kill reads them again from
the backup on, and does what is behind the note in the target. The server does a batch of writes and its note in one.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from threading import Event

from holdfast.domain.oplog import BUCKETS, Names, Operation, UnknownOrigin
from holdfast.domain.restoring import STATE
from holdfast.domain.selection import BACKUP_COLLECTIONS, matches
from holdfast.errors import DamagedBackup, Interrupted, InvalidSpec
from holdfast.ports import ClusterTime, Replayer, Target
from holdfast.repository.manifest import Manifest
from holdfast.repository.oplog_entry import Entry, expiries_of
from holdfast.services.ahead import ahead
from holdfast.services.reach import Reach
from holdfast.services.transactions import Transactions

BATCH_OPERATIONS = 1_000
BATCH_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Selection:
    """As of a RestoreRequest."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)

    def wants(self, name: str) -> bool:
        if name == STATE or name in BACKUP_COLLECTIONS:
            return False
        return (not self.include or matches(name, self.include)) and not matches(name, self.exclude)


class Course:
    """The operations from a backup to a point in time, in the names of the target, with what expires at the end of it.

    Raises DamagedBackup for a slice, OperationFailed for a command that cannot be repeated, InvalidSpec where what is
    wanted cannot be told apart from what is not.
    """

    def __init__(self, reach: Reach, selection: Selection, expiries: Mapping[tuple[str, str], int]) -> None:
        """``expiries``: what expires in the backup, by collection in the target and index."""
        self._reach = reach
        manifest = reach.manifest
        records = [one for one in manifest.collections if selection.wants(one.name)]
        series = [one.name for one in records if one.type == "timeseries"]
        self.names = Names([one.name for one in records], series, selection.wants, selection.rename)
        self.expiries = dict(expiries)
        self._transactions = Transactions(self._looked_up)

    def steps(self) -> Iterator[tuple[ClusterTime, list[Operation]]]:
        reach = self._reach
        for entry in reach.slices.entries(reach.window, reach.since, reach.until):
            followed = [one for one in map(self._follow, self._transactions.take(entry)) if one]
            if followed:
                yield entry.time, followed

    def _follow(self, operation: Operation) -> Operation | None:
        try:
            found = self.names.follow(operation)
        except UnknownOrigin as error:
            origin, name = error.args
            raise InvalidSpec(
                f"{origin!r} was renamed to {name!r}, and what was in {origin!r} is not restored.",
                hint=f"Take {origin!r} along, or leave {name!r} out. Where no backup has it, restore to a later time.",
            ) from error
        if found and not found.is_write:
            self._keep_expiries(found)
        return found

    def _looked_up(self, time: ClusterTime) -> Entry:
        """An entry of a transaction that was open when the backup was taken."""
        window = self._reach.window
        just_before = ClusterTime(time.seconds, time.increment - 1)
        for entry in self._reach.slices.entries(window, just_before, time):
            return entry
        raise DamagedBackup(
            f"A transaction began at {time}, before the oplog was archived.", hint="Begin from a later backup."
        )

    def _keep_expiries(self, one: Operation) -> None:
        name = one.collection.removeprefix(BUCKETS)
        mine = {key: value for key, value in self.expiries.items() if key[0] == name}
        if one.kind in ("drop", "dropView", "rename"):
            for key in mine:
                del self.expiries[key]
        if one.kind == "rename":
            for key in [key for key in self.expiries if key[0] == one.to]:
                del self.expiries[key]
            self.expiries |= {(one.to, index): seconds for (_, index), seconds in mine.items()}
            return
        for index, seconds in expiries_of(one).items():
            if seconds is not None:
                self.expiries[name, index] = seconds
            else:
                self.expiries.pop((name, index), None)


class Replay:
    """One attempt. ``note``: the key under which the target keeps how far it is, with ``content`` beside."""

    def __init__(
        self, course: Course, replayer: Replayer, target: Target, note: str, check: Callable[[], object], stop: Event
    ) -> None:
        self._course, self._replayer, self._target, self._note = course, replayer, target, note
        self._check, self._stop = check, stop
        self._batch: list[Operation] = []
        self._bytes = 0
        self._at = ClusterTime(0, 0)
        self.operations = 0

    def run(self, content: Mapping[str, str]) -> None:
        """Do what is behind ``content["at"]``. Interrupted, TargetBusy, CollectionFailed, Unavailable."""
        self._content = dict(content)
        done = _time(content["at"])
        again = True
        for time, operations in ahead(self._course.steps(), _weight):
            if time <= done:
                continue
            if self._stop.is_set():
                raise Interrupted("Asked to stop during the replay.", hint="Run it again: it goes on from there.")
            for one in operations:
                if one.is_write:
                    self._batch.append(one)
                    self._bytes += len(one.body)
                else:
                    self._flush()
                    self._check()
                    self._replayer.change(one, again=again)
            changed = any(not one.is_write for one in operations)
            self._at = time
            if changed:
                self._flush()
                self._target.write_note(self._note, self._content | {"at": str(time)})
            elif len(self._batch) >= BATCH_OPERATIONS or self._bytes >= BATCH_BYTES:
                self._flush()
            again = False
            self.operations += len(operations)
        self._flush()

    def _flush(self) -> None:
        """An entry larger than a batch is done in several; its time is noted with the last."""
        batch, self._batch, self._bytes = self._batch, [], 0
        while batch:
            size = count = 0
            while count < len(batch) and count < BATCH_OPERATIONS and (not count or size < BATCH_BYTES):
                size += len(batch[count].body)
                count += 1
            part, batch = batch[:count], batch[count:]
            self._check()
            if not batch and self._at.seconds:
                self._content["at"] = str(self._at)
            self._replayer.write(part, self._note, self._content)


def _weight(step: tuple[ClusterTime, list[Operation]]) -> int:
    return sum(len(one.body) for one in step[1])


def expiries_in(manifest: Manifest, rename: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """What expires in a backup, by collection in the target and index."""
    found: dict[tuple[str, str], int] = {}
    for record in manifest.collections:
        name = rename.get(record.name, record.name)
        said = expiries_of(Operation("createIndexes", name, indexes=record.indexes))
        said |= expiries_of(Operation("create", name, record.options))
        found |= {(name, index): seconds for index, seconds in said.items() if seconds is not None}
    return found


def _time(text: str) -> ClusterTime:
    seconds, _, increment = text.partition(".")
    return ClusterTime(int(seconds), int(increment))
