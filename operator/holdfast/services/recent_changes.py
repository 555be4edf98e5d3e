"""What changed lately, in a few words each, for whoever follows: one short list for all of them.

Who follows keeps a position in it and nothing else, so a slow one costs no memory: once the list has gone on without
it, it is told so, and reads everything anew.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from secrets import token_hex

from holdfast.ports import BACKUP_POLICY, Change, Kind, KubeObject

LIMIT = 1000


@dataclass(frozen=True)
class Note:
    """A change as a list would show it; ``policy``: which one it is about, where the object says so itself."""

    number: int
    kind: Kind
    namespace: str
    name: str
    gone: bool
    policy: str | None = None
    phase: str | None = None
    progress: str | None = None


class RecentChanges:
    """The last ``limit`` changes. A position in them is a word for clients to keep, of this process alone."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._lock = threading.Lock()
        self._notes: deque[Note] = deque(maxlen=limit)
        self._number = 0
        self._process = token_hex(4)
        self._listeners: list[Callable[[], None]] = []

    def add(self, change: Change) -> None:
        with self._lock:
            self._number += 1
            self._notes.append(_note(self._number, change))
        for listener in self._listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call it after each change, from whatever thread it comes; it must be quick, and never raise."""
        self._listeners.append(listener)

    def position(self) -> str:
        """Behind all that changed so far."""
        return self.position_after(self._number)

    def position_after(self, number: int) -> str:
        return f"{self._process}-{number}"

    def after(self, position: str) -> Sequence[Note] | None:
        """What changed since, of each object the last change only. None if that is not known any more, or never was."""
        process, _, digits = position.partition("-")
        if process != self._process or not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
            return None
        seen = int(digits)
        newest: dict[tuple[Kind, str, str], Note] = {}
        with self._lock:
            if not self._number - len(self._notes) <= seen <= self._number:
                return None
            for note in takewhile(lambda note: note.number > seen, reversed(self._notes)):
                newest.setdefault((note.kind, note.namespace, note.name), note)
        return list(reversed(newest.values()))


def _note(number: int, change: Change) -> Note:
    metadata, status = change.body["metadata"], change.body.get("status") or {}
    return Note(
        number=number,
        kind=change.kind,
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        gone=change.gone,
        policy=_policy_of(change.kind, change.body),
        phase=status.get("phase"),
        progress=status.get("progress"),
    )


def _policy_of(kind: Kind, body: KubeObject) -> str | None:
    if kind == BACKUP_POLICY:
        return str(body["metadata"]["name"])
    spec = body.get("spec") or {}
    found = (spec.get("policyRef") or (spec.get("source") or {}).get("policyRef") or {}).get("name")
    return str(found) if found else None
