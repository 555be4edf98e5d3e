"""What a restore would do."""

from dataclasses import dataclass
from typing import Literal

from holdfast.domain.restoring import Existing, Strategy


@dataclass(frozen=True)
class RestoreRequest:
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    existing: Existing = Existing.FAIL
    strategy: Strategy = Strategy.AUTO
    confirm: str | None = None
    token: str = ""
    bytes_per_second: float | None = None


@dataclass(frozen=True)
class PlannedCollection:
    name: str
    target: str
    type: str
    documents: int
    bytes: int
    indexes: int
    action: Literal["create", "replace", "merge", "skip"]
    existing_documents: int | None = None
    problem: str | None = None


@dataclass(frozen=True)
class RestorePlan:
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
