"""Keep what is written while a backup reads without a snapshot, so that it shows one moment once that is repeated.

Only writes can be: where the catalogue changed meanwhile, the backup is taken anew.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from holdfast.domain.oplog import BUCKETS, Operation
from holdfast.errors import CatalogueChanged, Interrupted, OperationFailed, OplogGap, SourceUnavailable
from holdfast.ports import ClusterTime, Oplog
from holdfast.repository.changes import change_of
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.oplog_entry import Entry, time_of
from holdfast.repository.oplog_sieve import entry_of, sieve_of
from holdfast.repository.repository import Repository
from holdfast.repository.segment_writer import SegmentWriter
from holdfast.services.collection_records import filled
from holdfast.services.transactions import Transactions

NAME = "$changes"
"""No collection can be called so."""
_PATIENCE = 60
"""Answers without anything new, of a second each, until a majority has what was read."""


@dataclass(frozen=True)
class Captured:
    """``at``: the moment that the backup shows with these changes."""

    at: ClusterTime
    changes: CollectionRecord


class Capture:
    """The oplog from the moment when this is made, which is before anything is read. What ``Oplog`` raises."""

    def __init__(self, oplog: Oplog, database: str, repository: Repository, stop: Event) -> None:
        self._oplog, self._database, self._repository, self._stop = oplog, database, repository, stop
        self._since, self._term = oplog.head()

    def moment(self) -> ClusterTime:
        """All that is read from now on has what was written up to here."""
        return self._oplog.head()[0]

    def finish(self, kept: Iterable[str], concerns: Callable[[str], bool]) -> Captured:
        """Store the writes up to now to the collections that are kept, once all of them are read.

        ``concerns``: whether the backup would hold a collection of this name. CatalogueChanged if one of these was
        made, dropped, renamed or changed meanwhile; OplogGap if there is no telling; SourceUnavailable.
        """
        until = self._oplog.written()
        writes = self._writes(until, frozenset(kept), concerns)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="changes") as pool:
            namespace = f"{self._database}.{NAME}"
            writer = SegmentWriter(self._repository, pool, namespace=namespace, known={})
            try:
                for batch in writes:
                    writer.add(batch)
                segment = writer.finish()
            except BaseException:
                writer.abandon()
                raise
        collection = CollectionWriter(self._repository, namespace=namespace, counted=set())
        collection.take(segment)
        return Captured(until, filled(CollectionRecord(name=NAME, type="collection"), collection.finish()))

    def _writes(
        self, until: ClusterTime, kept: frozenset[str], concerns: Callable[[str], bool]
    ) -> Iterator[Sequence[bytes]]:
        transactions = Transactions(_not_there)
        for entries in self._entries(until):
            found = []
            for entry in entries:
                for one in transactions.take(entry):
                    if one.is_write:
                        if one.collection.removeprefix(BUCKETS) in kept:
                            found.append(change_of(entry.time, one))
                    elif change := _changed(one, concerns):
                        raise CatalogueChanged(f"{change} during the backup.")
            yield found

    def _entries(self, until: ClusterTime) -> Iterator[list[Entry]]:
        """What concerns the database, up to and with ``until``, once a majority has it."""
        sieve, reached, patience = sieve_of(self._database), self._since, _PATIENCE
        if reached >= until:
            return
        for batch in self._oplog.follow(self._since, self._term):
            if self._stop.is_set():
                raise Interrupted("The backup was asked to stop.", hint="The next attempt goes on from here.")
            patience = patience if batch else patience - 1
            if not patience:
                raise SourceUnavailable("A majority of the replica set's members does not have what was read.")
            found = []
            for raw in batch:
                reached, term = time_of(raw)
                if reached > until:
                    break
                if term != self._term:
                    # What was read before it may have been rolled back.
                    raise SourceUnavailable("The replica set had an election while the backup read.")
                if (ours := sieve(raw)) is not None:
                    found.append(self._entry(ours))
            yield found
            if reached >= until:
                return

    def _entry(self, raw: bytes) -> Entry:
        try:
            return entry_of(raw, self._database)
        except OperationFailed as error:
            raise CatalogueChanged(error.message) from error


def _changed(one: Operation, concerns: Callable[[str], bool]) -> str:
    """What happened to the catalogue, if it happened to anything that the backup holds."""
    if one.kind == "dropDatabase":
        return "The database was dropped"
    name = next((name for name in (one.collection.removeprefix(BUCKETS), one.to) if name and concerns(name)), None)
    return f"{name!r} was changed ({one.kind})" if name else ""


def _not_there(time: ClusterTime) -> Entry:
    raise OplogGap(f"A transaction of several entries began at {time}, before the backup did.")
