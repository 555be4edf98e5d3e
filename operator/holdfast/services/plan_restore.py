"""What a restore would do."""

from dataclasses import dataclass
from typing import Literal

from holdfast.domain.restoring import Existing, Strategy
from holdfast.domain.selection import matches
from holdfast.errors import InvalidSpec
from holdfast.ports import Target
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository


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


def plan_restore(request: RestoreRequest, manifest: Manifest, repository: Repository, target: Target) -> RestorePlan:  # noqa: ARG001
    there = target.existing()
    wanted = [
        c
        for c in manifest.collections
        if (not request.include or matches(c.name, request.include)) and not matches(c.name, request.exclude)
    ]
    if request.existing is Existing.DROP and request.confirm not in (None, target.database):
        raise InvalidSpec(f"{request.confirm!r} was confirmed, and the target is database {target.database!r}.")
    planned = tuple(
        PlannedCollection(
            c.name,
            c.name,
            c.type,
            c.documents,
            c.logical_bytes,
            len(c.indexes),
            "skip" if c.error else "replace" if c.name in there else "create",
            problem=c.error,
        )
        for c in wanted
    )
    in_the_way = [c.name for c in planned if c.action == "replace"]
    conflicts: tuple[str, ...] = ()
    if in_the_way and request.existing is Existing.FAIL:
        conflicts = (f"Database {target.database!r} has {', '.join(in_the_way)} already.",)
    size = sum(c.bytes for c in planned)
    return RestorePlan(
        manifest.backup_id,
        target.database,
        Strategy.DIRECT,
        "interim",
        planned,
        conflicts,
        (),
        sum(c.documents for c in planned),
        size,
        sum(c.indexes for c in planned),
        size / request.bytes_per_second if request.bytes_per_second else None,
    )
