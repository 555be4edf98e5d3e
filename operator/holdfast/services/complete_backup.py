"""What a backup does once all is read: look whether the collections are still those that it began with, and say in a
manifest what it holds."""

from collections.abc import Sequence
from datetime import datetime

from holdfast.errors import CatalogueChanged, CollectionFailed
from holdfast.ports import CollectionInfo, ServerInfo, Source
from holdfast.repository.manifest import CollectionRecord, Manifest, ServerRecord
from holdfast.services.backup_request import BackupRequest
from holdfast.services.capture_changes import Captured
from holdfast.services.choose_view import View, consistency_of
from holdfast.version import VERSION


def check_identities(
    source: Source, collections: Sequence[CollectionInfo], records: Sequence[CollectionRecord], *, final: bool
) -> list[CollectionRecord]:
    """The records, with an error in those whose collection is another one by now.

    A collection dropped or renamed after the cluster time reads as empty, without an error: so it is asked for its
    UUID. CatalogueChanged unless this attempt is the ``final`` one.
    """
    now = {c.name: c for c in source.catalogue()}
    checked = []
    for collection, record in zip(collections, records, strict=True):
        current = now.get(collection.name)
        same = current is not None and (current.uuid, current.data_uuid) == (collection.uuid, collection.data_uuid)
        if same or record.error or collection.type == "view":
            checked.append(record)
            continue
        message = f"Collection {collection.name!r} was dropped, renamed or made anew during the backup."
        if not final:
            raise CatalogueChanged(message)
        checked.append(
            CollectionRecord(
                name=record.name, type=record.type, options=record.options, indexes=record.indexes, error=message
            )
        )
    return checked


def manifest_of(
    request: BackupRequest,
    database: str,
    server: ServerInfo,
    view: View,
    records: Sequence[CollectionRecord],
    warnings: Sequence[str],
    now: datetime,
    captured: Captured | None = None,
) -> Manifest:
    """What the backup holds. CollectionFailed if that is nothing. ``captured``: what was written meanwhile."""
    good = [c for c in records if not c.error]
    if not good:
        told = " ".join(f"{c.name}: {c.error}" for c in records[:3])
        raise CollectionFailed(f"Not one collection could be backed up. {told}")
    consistency, loose = consistency_of(view.at, good, captured)
    stored = [*good, captured.changes] if captured else good
    return Manifest(
        holdfast_version=VERSION,
        backup_id=request.backup_id,
        policy=request.policy,
        reason=request.reason,
        database=database,
        server=ServerRecord(**vars(server)),
        start_time=request.started,
        completion_time=now,
        consistency=consistency,
        documents=sum(c.documents for c in good),
        logical_bytes=sum(c.logical_bytes for c in good),
        stored_bytes=sum(c.stored_bytes for c in stored),
        new_bytes=sum(c.new_bytes for c in stored),
        collections=tuple(records),
        changes=captured.changes if captured else None,
        warnings=(*warnings, *loose),
    )


def warnings_of(view: View, database: str) -> list[str]:
    """What was asked for and is not there."""
    return [f"Collection {name!r} is not in database {database!r}." for name in view.missing]
