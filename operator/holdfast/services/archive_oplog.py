"""Keep the oplog of a replica set, as far as it concerns one database, in slices.

May be killed anywhere, and run by several at once: each goes on from the newest slice that is stored. Where the oplog
does not reach back to that one, it says so in the first slice of another lineage, and a backup has to be taken from
which a replay can begin.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from secrets import token_hex
from threading import Event

from holdfast.errors import OplogGap
from holdfast.ports import Clock, ClusterTime, Oplog
from holdfast.repository.oplog_entry import time_of
from holdfast.repository.oplog_sieve import sieve_of
from holdfast.repository.repository import Repository
from holdfast.repository.slices import SliceName, Slices

SLICE_BYTES = 3 * 1024 * 1024
"""Raw. A slice is cut here however young it is, so that memory stays small."""


@dataclass(frozen=True)
class ArchiveRequest:
    """``slice_seconds``: what is written is stored so much later at most. ``once``: end at the present head. ``owner``:
    the policy that it is done for, as ``NAMESPACE/NAME``."""

    database: str
    slice_seconds: int = 60
    once: bool = False
    slice_bytes: int = SLICE_BYTES
    owner: str = ""


Stored = Callable[[SliceName, str | None], object]
"""Is told of each slice that is stored, and of the gap in front of it where a lineage begins anew."""


@dataclass(frozen=True)
class Archived:
    """``until``: how far the archive reaches. ``gaps``: where it had to begin anew."""

    until: ClusterTime
    slices: int
    entries: int
    gaps: tuple[str, ...]


def archive_oplog(
    request: ArchiveRequest,
    oplog: Oplog,
    repository: Repository,
    clock: Clock,
    stop: Event,
    warn: Callable[[str], object],
    stored: Stored = lambda _name, _gap: None,
) -> Archived:
    """Follow the oplog until ``stop``, and store what it says. Returns what was done.

    InvalidSpec where there is no oplog; SourceUnavailable, StoreUnavailable, NotAuthorized.
    """
    slices = Slices(repository, oplog.replica_set, request.database, request.owner)
    end = oplog.head()[0] if request.once else None
    newest = slices.newest()
    gaps: list[str] = []
    writer = _Writer(request, slices, clock, stored)
    if newest is None:
        writer.begin(*oplog.head(), None)
    else:
        writer.resume(newest, slices.read(newest).term)
    while True:
        try:
            for batch in oplog.follow(writer.until, writer.term):
                writer.add(batch)
                if stop.is_set() or (end and writer.until >= end):
                    writer.store()
                    return Archived(writer.until, writer.slices, writer.entries, tuple(gaps))
        except OplogGap as error:
            writer.store()
            gap = f"{error.message} What was written after {writer.until} is not archived."
            warn(f"{gap} Recovery to any second needs a new backup to begin from.")
            gaps.append(gap)
            writer.begin(*oplog.head(), gap)


class _Writer:
    def __init__(self, request: ArchiveRequest, slices: Slices, clock: Clock, stored: Stored) -> None:
        self._request, self._slices, self._clock, self._tell = request, slices, clock, stored
        self._sieve = sieve_of(request.database)
        self._lineage = ""
        self._entries: list[bytes] = []
        self._bytes = 0
        self._since: datetime | None = None
        self._stored = self.until = ClusterTime(0, 0)
        self.term = -1
        self.slices = self.entries = 0

    def begin(self, time: ClusterTime, term: int, gap: str | None) -> None:
        """A lineage of its own, from here on. Its first slice is empty: it says where it begins."""
        self._lineage = f"{time.seconds:010d}-{token_hex(4)}"
        self._stored = self.until = time
        self.term = term
        name = SliceName(self._lineage, time, time)
        self._slices.write(name, term, (), self._clock(), gap)
        self.slices += 1
        self._tell(name, gap)

    def resume(self, name: SliceName, term: int) -> None:
        self._tell(name, None)
        self._lineage, self._stored, self.until, self.term = name.lineage, name.until, name.until, term

    def add(self, batch: Sequence[bytes]) -> None:
        for raw in batch:
            if (kept := self._sieve(raw)) is not None:
                self._entries.append(kept)
                self._bytes += len(kept)
                if self._bytes >= self._request.slice_bytes:
                    self.until, self.term = time_of(raw)
                    self.store()
        if batch:
            self.until, self.term = time_of(batch[-1])
        if self.until != self._stored:
            now = self._clock()
            self._since = self._since or now
            if now - self._since >= timedelta(seconds=self._request.slice_seconds):
                self.store()

    def store(self) -> None:
        """What was seen and not stored yet. A stretch without any change is stored too: it is known then."""
        if self.until == self._stored:
            return
        name = SliceName(self._lineage, self._stored, self.until)
        self._slices.write(name, self.term, self._entries, self._clock())
        self.slices += 1
        self.entries += len(self._entries)
        self._stored, self._entries, self._bytes, self._since = self.until, [], 0, None
        self._tell(name, None)
