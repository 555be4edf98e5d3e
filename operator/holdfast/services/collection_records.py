"""What a manifest says of one collection: how its record begins, ends, and what keeps it out of the backup."""

from collections.abc import Callable

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.domain.segments import Stretch
from holdfast.errors import (
    CatalogueChanged,
    CollectionFailed,
    ConsistencyUnavailable,
    DamagedBackup,
    HoldfastError,
    NotAuthorized,
    OperationFailed,
    StoreFull,
)
from holdfast.ports import ClusterTime, CollectionInfo, Progress, Source
from holdfast.repository.collection_writer import WrittenCollection
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.portability import notes_on
from holdfast.repository.repository import Repository
from holdfast.services.divide import divided


def begun(
    source: Source, collection: CollectionInfo, at: ClusterTime | None, consistency: Consistency
) -> tuple[CollectionRecord, ClusterTime | None]:
    """The record that a collection begins with, and the time at which it can be read.

    ConsistencyUnavailable where that is not ``at``, and the policy requires it.
    """
    record = CollectionRecord(
        name=collection.name,
        type=collection.type,
        options=collection.options,
        indexes=collection.indexes,
        uuid=collection.uuid.hex() if collection.uuid else None,
        capped=collection.capped,
        notes=notes_on(collection),
        consistency=ConsistencyLevel.SNAPSHOT if at else ConsistencyLevel.NONE,
    )
    if not at or collection.problem or collection.type == "view" or source.can_snapshot(collection):
        return record, at
    if consistency is Consistency.REQUIRED:
        raise ConsistencyUnavailable(
            f"Collection {collection.name!r} is capped; this server cannot read it at a cluster time.",
            hint="Exclude it, or set consistency to Preferred.",
        )
    return record.model_copy(update={"consistency": ConsistencyLevel.NONE}), None


def filled(record: CollectionRecord, written: WrittenCollection) -> CollectionRecord:
    """The record of a collection that is in the repository."""
    return record.model_copy(
        update={
            "documents": written.documents,
            "logical_bytes": written.logical_bytes,
            "stored_bytes": written.stored_bytes,
            "new_bytes": written.new_bytes,
            "document_hash": f"{written.document_hash:064x}",
            "chunks": written.chunks,
            "chunk_lists": tuple(list_id.hex() for list_id in written.chunk_lists),
        }
    )


def failed(
    record: CollectionRecord, error: HoldfastError, warn: Callable[[str], None], *, final: bool
) -> CollectionRecord:
    """The record with what keeps the collection out of the backup; raises what ends the whole attempt.

    ``final``: there is no other attempt that might find the catalogue at rest.
    """
    if not one_collection_only(error, final=final):
        raise error
    if record.error:
        return record
    warn(f"Collection {record.name!r} was not backed up: {error}")
    return record.model_copy(update={"error": str(error)})


def one_collection_only(error: HoldfastError, *, final: bool) -> bool:
    """Whether the others can be backed up all the same."""
    lasting = isinstance(error, (OperationFailed, NotAuthorized)) or (
        isinstance(error, CatalogueChanged) and final  # else a new attempt sees the new catalogue
    )
    return lasting and not isinstance(error, (StoreFull, ConsistencyUnavailable))


def check_count(written: int, counted: int) -> None:
    """CollectionFailed if the server counts other than what was read."""
    if counted != written:
        raise CollectionFailed(
            f"{written} documents were read, and the server counts {counted} at the same cluster time."
        )


def known_of(
    repository: Repository, previous: Manifest | None, name: str, progress: Progress
) -> tuple[tuple[str, ...], tuple[Stretch, ...]]:
    """The lists of this collection's last backup, and how it was divided; none where they are damaged."""
    for collection in previous.collections if previous else ():
        if collection.name == name:
            try:
                return collection.chunk_lists, divided(repository.chunk_refs(collection))
            except DamagedBackup as error:
                progress.warn(f"The last backup of collection {name!r} is damaged: {error}")
    return (), ()
