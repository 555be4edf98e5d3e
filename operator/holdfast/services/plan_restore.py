"""What a restore would do, to the last collection, before anything is changed."""

from dataclasses import dataclass
from typing import Literal

from holdfast.domain.restoring import Existing, Strategy
from holdfast.domain.selection import matches
from holdfast.errors import BackupNotFound, InvalidSpec
from holdfast.ports import Target
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository


@dataclass(frozen=True)
class RestoreRequest:
    """What is wanted. ``include`` and ``exclude`` are names or globs of the backup; no ``include`` means all."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    rename: tuple[tuple[str, str], ...] = ()
    existing: Existing = Existing.FAIL
    strategy: Strategy = Strategy.AUTO
    confirm: str | None = None
    token: str = ""
    """The same for every attempt at one restore: what an earlier one left is known by it."""
    bytes_per_second: float | None = None
    """How fast past restores were."""


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
    """``conflicts``: why nothing would be done at all."""

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


def plan_restore(
    request: RestoreRequest,
    manifest: Manifest,
    repository: Repository,  # noqa: ARG001 (a plan may have to look at chunks)
    target: Target,
) -> RestorePlan:
    """Given a request and a backup, say what would happen to the target. Changes nothing.

    Raises: InvalidSpec for what cannot be wanted, BackupNotFound if the selection is empty.
    """
    _check(request, target)
    there = target.existing()
    wanted = [
        c
        for c in manifest.collections
        if (not request.include or matches(c.name, request.include)) and not matches(c.name, request.exclude)
    ]
    if not any(not c.error for c in wanted):
        raise BackupNotFound(
            f"Backup {manifest.backup_id} has no collection to restore that was asked for.",
            hint="`holdfast show` lists what it holds.",
        )
    planned = tuple(_planned(c, there) for c in wanted)
    kept = [one for one in planned if one.action != "skip"]
    in_the_way = [one.target for one in kept if one.action == "replace"]
    conflicts: tuple[str, ...] = ()
    if in_the_way and request.existing is Existing.FAIL:
        told = ", ".join(repr(name) for name in in_the_way[:10])
        conflicts = (f"Database {target.database!r} has {told} already.",)
    size = sum(one.bytes for one in kept)
    return RestorePlan(
        backup_id=manifest.backup_id,
        database=target.database,
        strategy=Strategy.DIRECT,
        reason_for_strategy="Collections are restored one by one.",
        collections=planned,
        conflicts=conflicts,
        warnings=tuple(
            f"Collection {one.name!r} is not in the backup: {one.problem}" for one in planned if one.problem
        ),
        documents=sum(one.documents for one in kept),
        bytes=size,
        indexes=sum(one.indexes for one in kept),
        estimated_seconds=size / request.bytes_per_second if request.bytes_per_second else None,
    )


def _check(request: RestoreRequest, target: Target) -> None:
    if request.existing is Existing.MERGE:
        raise InvalidSpec("Merging into what is there is not supported yet.", hint="Choose Fail or Drop.")
    if request.strategy is Strategy.SWAP:
        raise InvalidSpec("The strategy Swap is not supported yet.", hint="Choose Auto or Direct.")
    if request.rename:
        raise InvalidSpec("Other names for collections are not supported yet.", hint="Restore into another database.")
    if request.confirm not in (None, target.database):
        raise InvalidSpec(
            f"{request.confirm!r} is confirmed, and the target is database {target.database!r}.",
            hint="Confirm the name of the database whose collections are to be replaced.",
        )


def _planned(collection: CollectionRecord, there: set[str]) -> PlannedCollection:
    return PlannedCollection(
        name=collection.name,
        target=collection.name,
        type=collection.type,
        documents=collection.documents,
        bytes=collection.logical_bytes,
        indexes=len(collection.indexes),
        action="skip" if collection.error else "replace" if collection.name in there else "create",
        problem=collection.error,
    )
