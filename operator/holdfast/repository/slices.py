"""Slices of an oplog: what changed in one database, stretch by stretch, immutable.

A slice holds every change behind its ``after``, up to and with its ``until``. Slices of one lineage are of one history
of one replica set; where the oplog was lost, another lineage begins. Its key says all of that, so which times can be
reached is known from a list of keys. Two who write the same lineage at once only write some stretches twice.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from struct import Struct

from holdfast.errors import DamagedBackup
from holdfast.ports import ClusterTime, Store
from holdfast.repository.manifest import timestamp
from holdfast.repository.oplog_entry import Entry
from holdfast.repository.oplog_sieve import entry_of
from holdfast.repository.repository import Repository

SLICES = "oplog/"
_FORMAT = 1
_INT32 = Struct("<i")


@dataclass(frozen=True, order=True, slots=True)
class SliceName:
    lineage: str
    after: ClusterTime
    until: ClusterTime


@dataclass(frozen=True)
class Slice:
    """``gap``: why a lineage began here although there was one before; only in its first slice."""

    name: SliceName
    term: int
    entries: tuple[bytes, ...]
    created: str
    gap: str | None = None


@dataclass(frozen=True)
class Window:
    """A stretch of time without a gap: any moment from ``after`` to ``until`` can be replayed to."""

    lineage: str
    after: ClusterTime
    until: ClusterTime
    slices: tuple[SliceName, ...]


class Slices:
    """The slices of one database of one replica set. StoreUnavailable and its kin; DamagedBackup.

    ``owner``: the policy that they are archived for, if any. Names of replica sets are no names in the world: two
    policies may share a repository, and have sources that are called the same.
    """

    def __init__(self, repository: Repository, replica_set: str, database: str, owner: str = "") -> None:
        self._repository = repository
        self.replica_set, self._database = replica_set, database
        of = "/".join(filter(None, (replica_set, database, owner)))
        self.prefix = f"{SLICES}{sha256(of.encode()).hexdigest()[:16]}/"

    def names(self) -> list[SliceName]:
        """All, in order."""
        found = (_name_of(key.removeprefix(self.prefix)) for key in self._repository.store.keys(self.prefix))
        return sorted(name for name in found if name)

    def newest(self) -> SliceName | None:
        """The one that reaches furthest."""
        return max(self.names(), key=lambda name: (name.until, name.lineage), default=None)

    def write(
        self, name: SliceName, term: int, entries: Iterable[bytes], now: datetime, gap: str | None = None
    ) -> bool:
        """Store a slice. False if it is there already, which is as good. ``term``: of the entry at ``until``."""
        header = {
            "format": _FORMAT, "database": self._database, "replicaSet": self.replica_set, "lineage": name.lineage,
            "after": str(name.after), "until": str(name.until), "term": term, "created": timestamp(now),
        } | ({"gap": gap} if gap else {})  # fmt: skip
        data = b"".join((json.dumps(header).encode(), b"\n", *entries))
        return self._repository.put_object(self._key(name), data)

    def read(self, name: SliceName) -> Slice:
        """One slice, proven to be what its name says."""
        data = self._repository.read_object(self._key(name))
        head, _, body = data.partition(b"\n")
        try:
            header = json.loads(head)
            said = (header["format"], header["lineage"], header["after"], header["until"], header["database"])
            if said != (_FORMAT, name.lineage, str(name.after), str(name.until), self._database):
                raise ValueError
            term, created, gap = int(header["term"]), str(header["created"]), header.get("gap")
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedBackup(f"{self._key(name)} holds another slice of an oplog than its name says.") from error
        return Slice(name, term, tuple(_documents(body, self._key(name))), created, gap)

    def windows(self) -> list[Window]:
        """What is there without a gap, the oldest first."""
        groups: list[list[SliceName]] = []
        reached = ClusterTime(0, 0)
        for name in self.names():
            if groups and groups[-1][0].lineage == name.lineage and name.after <= reached:
                groups[-1].append(name)
                reached = max(reached, name.until)
            else:
                groups.append([name])
                reached = name.until
        found = [
            Window(group[0].lineage, group[0].after, max(name.until for name in group), tuple(group))
            for group in groups
        ]
        return sorted(found, key=lambda window: (window.after, window.until))

    def entries(self, window: Window, after: ClusterTime, until: ClusterTime) -> Iterator[Entry]:
        """All behind ``after`` up to and with ``until``, each once, in order. OperationFailed for an unknown one."""
        reached = after
        for name in window.slices:
            if name.until <= reached or name.after >= until:
                continue
            for raw in self.read(name).entries:
                entry = entry_of(raw, self._database)
                if reached < entry.time <= until:
                    yield entry
            reached = name.until

    def remove(self, name: SliceName) -> None:
        self._repository.store.delete(self._key(name))

    def _key(self, name: SliceName) -> str:
        return f"{self.prefix}{name.lineage}/{_padded(name.after)}_{_padded(name.until)}"


def drop_old(slices: Slices, oldest: ClusterTime) -> int:
    """Remove the slices that end before the oldest backup from which a replay is to begin. How many went."""
    old = [name for name in slices.names() if name.until <= oldest]
    newest = slices.newest()
    removable = [name for name in old if name != newest]  # an archiver goes on from the newest
    for name in removable:
        slices.remove(name)
    return len(removable)


def any_slices(store: Store) -> bool:
    return next(iter(store.keys(SLICES)), None) is not None


def _padded(time: ClusterTime) -> str:
    return f"{time.seconds:010d}.{time.increment:010d}"


def _name_of(text: str) -> SliceName | None:
    lineage, _, span = text.partition("/")
    try:
        after, until = (ClusterTime(*map(int, part.split("."))) for part in span.split("_"))
    except (ValueError, TypeError):
        return None  # not ours
    return SliceName(lineage, after, until)


def _documents(body: bytes, what: str) -> Iterator[bytes]:
    position = 0
    while position < len(body):
        size = _INT32.unpack_from(body, position)[0] if position + 4 <= len(body) else 0
        if size < 5 or position + size > len(body):
            raise DamagedBackup(f"{what} is damaged: an entry is cut off.")
        yield body[position : position + size]
        position += size
