"""Restore a backup into a database that has nothing in its way, and prove that it is what was backed up.

Order: every chunk is known to be there → collections → documents → indexes → TTL indexes, so that nothing expires
before it was compared → views.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from threading import Event

from holdfast.domain.selection import matches
from holdfast.errors import BackupNotFound, CollectionFailed, DamagedBackup, Interrupted, TargetNotEmpty
from holdfast.ports import Advance, Progress, Target
from holdfast.repository.chunks import HASH_MODULUS
from holdfast.repository.documents import elements, split
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.verify import verify


@dataclass(frozen=True)
class RestoreRequest:
    """Which collections of a backup, as names or globs; no ``include`` means all."""

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class RestoredCollection:
    name: str
    documents: int
    bytes: int
    indexes: int


@dataclass(frozen=True)
class RestoreOutcome:
    """``problems`` is empty when every collection was compared and found equal to the backup."""

    collections: tuple[RestoredCollection, ...]
    skipped: tuple[str, ...]
    """Collections that the backup itself could not read, and so cannot give back."""
    problems: tuple[str, ...]


def restore(
    request: RestoreRequest,
    manifest: Manifest,
    repository: Repository,
    target: Target,
    progress: Progress,
    stop: Event,
) -> RestoreOutcome:
    """Given a committed backup and a target without collections of the same names, write and compare them.

    Raises: BackupNotFound if the selection is empty, TargetNotEmpty before anything is written, DamagedBackup if a
    chunk is missing (before anything is written) or proves damaged, CollectionFailed for any refused write,
    Unavailable, Interrupted.
    """
    wanted = [
        c
        for c in manifest.collections
        if (not request.include or matches(c.name, request.include)) and not matches(c.name, request.exclude)
    ]
    chosen = [c for c in wanted if not c.error]
    if not chosen:
        raise BackupNotFound(
            f"Backup {manifest.backup_id} has no collection to restore that was asked for.",
            hint="`holdfast show` lists what it holds.",
        )
    _require_room_for(chosen, target)
    report = verify(repository, manifest.model_copy(update={"collections": tuple(chosen)}), stop=stop)
    if report.problems:
        raise DamagedBackup(
            f"Backup {manifest.backup_id} cannot be restored: {' '.join(report.problems[:3])}",
            hint="Nothing was written. Restore another backup.",
        )
    progress.phase("Running")
    stored = [c for c in chosen if c.type != "view"]
    for collection in stored:
        target.create(collection.name, collection.options, collection.type)
    total = Advance("", 0, 0, 0, sum(c.documents for c in stored), sum(c.logical_bytes for c in stored))
    done = 0
    for collection in stored:
        ordered = collection.capped
        documents = _documents(repository, collection, progress, total, done, stop)
        target.insert(collection.name, collection.type, documents, ordered=ordered)
        done += collection.logical_bytes
    for collection in stored:
        target.create_indexes(collection.name, collection.options, [i for i in collection.indexes if not _expires(i)])
    progress.phase("Verifying")
    problems = list(_compare(stored, target, stop))
    for collection in stored:
        target.create_indexes(collection.name, collection.options, [i for i in collection.indexes if _expires(i)])
    # A view may be created before the view that it looks at: the server resolves it when it is read.
    for view in (c for c in chosen if c.type == "view"):
        target.create(view.name, view.options, "view")
    target.settle()
    problems += _compare_catalogue(chosen, target)
    return RestoreOutcome(
        collections=tuple(RestoredCollection(c.name, c.documents, c.logical_bytes, len(c.indexes)) for c in chosen),
        skipped=tuple(c.name for c in wanted if c.error),
        problems=tuple(problems),
    )


def _require_room_for(chosen: Sequence[CollectionRecord], target: Target) -> None:
    in_the_way = sorted(target.existing() & {c.name for c in chosen})
    if in_the_way:
        raise TargetNotEmpty(
            f"Database {target.database!r} has {', '.join(repr(name) for name in in_the_way[:10])} already. "
            "Nothing was written.",
            hint="Restore into another database with --database, or remove these first.",
        )


def _documents(
    repository: Repository,
    collection: CollectionRecord,
    progress: Progress,
    total: Advance,
    before: int,
    stop: Event,
) -> Iterator[bytes]:
    documents = size = 0
    for ref in repository.chunk_refs(collection):
        if stop.is_set():
            raise Interrupted(f"The restore was stopped in collection {collection.name!r}.", hint="It is not complete.")
        data = repository.read_chunk(ref.id)
        yield from split(data)
        documents += ref.documents
        size += len(data)
        progress.advance(
            Advance(collection.name, documents, before + size, 0, total.total_documents, total.total_bytes)
        )


def _expires(index: bytes) -> bool:
    return any(name == b"expireAfterSeconds" for _, name, _, _ in elements(index))


def _compare(stored: Sequence[CollectionRecord], target: Target, stop: Event) -> Iterator[str]:
    catalogue = {c.name: c for c in target.catalogue()}
    for collection in stored:
        count = total = 0
        info = catalogue.get(collection.name)
        if info is None:
            yield f"Collection {collection.name!r} is not in the target after the restore."
            continue
        for batch in target.read(info, None):
            if stop.is_set():
                raise Interrupted("The comparison after the restore was asked to stop.")
            count += len(batch)
            total += sum(int.from_bytes(sha256(document).digest(), "big") for document in batch)
        if count != collection.documents:
            yield f"Collection {collection.name!r} has {count} documents; the backup has {collection.documents}."
        elif f"{total % HASH_MODULUS:064x}" != collection.document_hash:
            yield f"Collection {collection.name!r} has other documents than the backup."


def _compare_catalogue(chosen: Sequence[CollectionRecord], target: Target) -> Iterator[str]:
    catalogue = {c.name: c for c in target.catalogue()}
    for collection in chosen:
        info = catalogue.get(collection.name)
        if info is None:
            yield f"{collection.type.capitalize()} {collection.name!r} is not in the target after the restore."
            continue
        if info.options != collection.options:
            yield f"{collection.type.capitalize()} {collection.name!r} has other options than in the backup."
        if sorted(info.indexes) != sorted(collection.indexes):
            yield f"Collection {collection.name!r} has other indexes than in the backup."


def require_equal(outcome: RestoreOutcome) -> None:
    """CollectionFailed, with every difference, unless the restored data was proven equal to the backup."""
    if outcome.problems:
        raise CollectionFailed(" ".join(outcome.problems[:10]), hint="Do not use what was restored.")
