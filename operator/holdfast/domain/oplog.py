"""What an oplog says, in the terms of a replay, and which of it a restore wants."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

BUCKETS = "system.buckets."
_WRITES = frozenset({"insert", "update", "delete"})

Kind = Literal[
    "insert", "update", "delete", "create", "createView", "changeView", "dropView", "drop", "rename", "collMod",
    "createIndexes", "dropIndexes", "dropDatabase",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One change. ``collection`` has no database in front; for time-series it is that of the buckets."""

    kind: Kind
    collection: str
    body: bytes = b""
    """The BSON document ``o`` as it stood in the oplog."""
    key: bytes | None = None
    """The BSON document ``o2``: which document an update is of."""
    to: str = ""
    """The new name, of a rename."""
    replaces: bool = False
    """A rename that drops what has the new name."""
    indexes: tuple[bytes, ...] = ()
    """What ``createIndexes`` builds."""

    @property
    def is_write(self) -> bool:
        return self.kind in _WRITES


class UnknownOrigin(Exception):
    """A collection that is wanted came from one that is not known: its content cannot be told. The arguments: both."""


class Names:
    """Which collections a replay follows, and how they are called in the target. A collection is followed through its
    renames: what counts is what it was called in the backup, or when it was created."""

    def __init__(
        self, known: Iterable[str], series: Iterable[str], wanted: Callable[[str], bool], rename: Mapping[str, str]
    ) -> None:
        """``known``: what the backup holds of what is wanted; ``series``: which of it are time-series."""
        self._series = set(series)
        self._wanted, self._rename = wanted, dict(rename)
        self._known = {name: self._rename.get(name, name) for name in known}
        self.made: dict[str, str] = {}
        """What came on the way: its name, and that in the target."""
        self.passed_by: set[str] = set()
        """Collections that are wanted and were changed, and of which neither backup nor oplog shows the beginning."""

    @property
    def targets(self) -> tuple[str, ...]:
        return tuple(sorted(self._known.values()))

    def follow(self, operation: Operation) -> Operation | None:
        """The operation in the names of the target, or None if it is none of ours. UnknownOrigin."""
        prefix = BUCKETS if operation.collection.startswith(BUCKETS) else ""
        name = operation.collection.removeprefix(prefix)
        if operation.is_write:
            return self._follow_write(operation, prefix, name)
        if operation.kind in ("create", "createView") and (name in self._known or self._wanted(name)):
            self.made[name] = self._known[name] = self._rename.get(name, name)
            if prefix:
                self._series.add(name)
        if operation.kind == "dropView" and name in self._series:
            return None  # its buckets are dropped next
        if operation.kind == "dropDatabase":
            self._known.clear()
            return None
        target = self._known.get(name)
        if target is None:
            if operation.kind == "rename" and operation.to in self._known:
                raise UnknownOrigin(name, operation.to)
            return None
        to = operation.to
        if operation.kind == "rename":
            del self._known[name]
            self.made[operation.to] = self._known[operation.to] = to = self._rename.get(operation.to, operation.to)
        elif operation.kind in ("drop", "dropView"):
            del self._known[name]
            self._series.discard(name)
        return replace(operation, collection=prefix + target, to=to)

    def _follow_write(self, operation: Operation, prefix: str, name: str) -> Operation | None:
        """Of these there are many: most are as they are to be."""
        target = self._known.get(name)
        if target is None:
            if name not in self.passed_by and self._wanted(name):
                self.passed_by.add(name)
            return None
        return operation if target == name else replace(operation, collection=prefix + target)
