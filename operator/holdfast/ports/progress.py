"""Where a run says how far it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from holdfast.domain.phases import CollectionPhase


@dataclass(frozen=True)
class CollectionAdvance:
    """How far one collection of a run is."""

    name: str
    phase: CollectionPhase
    documents: int = 0
    logical_bytes: int = 0
    error: str = ""


@dataclass(frozen=True)
class Advance:
    """How far a run is. ``total_*`` are estimates from metadata."""

    collection: str
    documents: int
    logical_bytes: int
    new_bytes: int
    total_documents: int
    total_bytes: int
    collections: Callable[[], Sequence[CollectionAdvance]] = tuple
    """Each of them as it is when this is called; nobody need ask."""


class Progress(Protocol):
    """Where a use case reports. Calls are cheap; an implementation decides how often it shows anything.

    An implementation must not raise: a report that cannot be delivered never fails a backup.
    """

    def phase(self, name: str, message: str = "") -> None: ...

    def advance(self, report: Advance) -> None: ...

    def warn(self, message: str) -> None: ...
