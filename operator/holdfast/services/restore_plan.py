"""A plan of a restore, as people read it, and as a restore acts on it."""

from dataclasses import dataclass
from typing import Literal

from holdfast.domain.restoring import Strategy
from holdfast.errors import HoldfastError
from holdfast.repository.manifest import CollectionRecord


@dataclass(frozen=True)
class PlannedCollection:
    """``way``: Swap if it is made ready aside and renamed into place, Direct if it is written where it belongs."""

    name: str
    target: str
    type: str
    documents: int
    bytes: int
    indexes: int
    action: Literal["create", "replace", "merge", "skip"]
    existing_documents: int | None = None
    problem: str | None = None
    way: Strategy = Strategy.DIRECT


@dataclass(frozen=True)
class RestorePlan:
    """``conflicts``: why nothing would be done at all. ``kept``: collections of the target that stay as they are."""

    backup_id: str
    database: str
    strategy: Strategy
    reason_for_strategy: str
    collections: tuple[PlannedCollection, ...]
    conflicts: tuple[str, ...]
    warnings: tuple[str, ...]
    documents: int
    bytes: int
    indexes: int
    estimated_seconds: float | None = None
    kept: tuple[str, ...] = ()

    @property
    def replaced(self) -> tuple[str, ...]:
        return tuple(one.target for one in self.collections if one.action == "replace")


@dataclass(frozen=True)
class Chosen:
    """A collection to restore: as it is to be in the target, and its plan."""

    record: CollectionRecord
    plan: PlannedCollection


@dataclass(frozen=True)
class Decision:
    """A plan with what a restore needs to act on it. ``refusals``: the conflicts, as errors."""

    plan: RestorePlan
    chosen: tuple[Chosen, ...]
    refusals: tuple[HoldfastError, ...]

    def require_possible(self) -> None:
        """Raises the first refusal, with the words of all."""
        if self.refusals:
            text = " ".join(error.message for error in self.refusals)
            raise type(self.refusals[0])(f"{text} Nothing was written.", hint=self.refusals[0].hint)
