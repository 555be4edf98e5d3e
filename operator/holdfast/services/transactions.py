"""Which operations of an oplog take effect when: those of a transaction do with its last entry, or with its commit."""

from collections.abc import Callable

from holdfast.domain.oplog import Operation
from holdfast.ports import ClusterTime
from holdfast.repository.oplog_entry import Entry


class Transactions:
    """Takes the entries of an oplog in order. ``look_up``: finds an entry from before the first that was taken."""

    def __init__(self, look_up: Callable[[ClusterTime], Entry]) -> None:
        self._look_up = look_up
        self._open: dict[ClusterTime, Entry] = {}

    def take(self, entry: Entry) -> list[Operation]:
        """What takes effect at the time of this entry. What ``look_up`` raises."""
        if entry.part == "Open":
            self._open[entry.time] = entry
            return []
        if not entry.part:
            return list(entry.operations)
        earlier = self._earlier(entry)
        return [] if entry.part == "Abort" else [*earlier, *entry.operations]

    def _earlier(self, last: Entry) -> list[Operation]:
        """What the earlier entries of a transaction say, in order."""
        found: list[Operation] = []
        before = last.before
        while before.seconds:
            entry = self._open.pop(before, None) or self._look_up(before)
            found[:0] = entry.operations
            before = entry.before
        return found
