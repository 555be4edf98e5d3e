"""Put together what several pods have read: one manifest, as if one pod had read it all."""

from collections.abc import Iterator, Mapping

from holdfast.errors import CollectionFailed, DamagedBackup, HoldfastError
from holdfast.ports import Clock, Progress, ServerInfo, Source
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.locks import Lock
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.repository.shared_plan import PlannedCollection, ReadSegment, SharedPlan
from holdfast.repository.shared_work import SharedWork
from holdfast.services.backup_request import BackupRequest
from holdfast.services.choose_view import View
from holdfast.services.collection_records import check_count, failed, filled
from holdfast.services.complete_backup import check_identities, manifest_of, warnings_of
from holdfast.services.plan_together import Layout


def finish(
    request: BackupRequest,
    plan: SharedPlan,
    layout: Layout,
    work: SharedWork,
    lock: Lock,
    source: Source,
    repository: Repository,
    progress: Progress,
    clock: Clock,
) -> Manifest:
    """Given that all parts and counts are there, commit the manifest, and return what is committed. May be done again.

    CatalogueChanged if the catalogue is not what the plan found, DamagedBackup if the parts do not make up the whole.
    """
    view = View(plan.at, tuple(collection.info for collection in plan.collections), plan.missing)
    warnings = warnings_of(view, plan.database)
    for warning in warnings:
        progress.warn(warning)
    records = check_identities(
        source, view.collections, _records(plan, layout, work, repository, progress), final=plan.final
    )
    server = ServerInfo(**plan.server.model_dump())
    manifest = manifest_of(request, plan.database, server, view, records, warnings, clock())
    committed = repository.commit(manifest, lock)
    work.forget()
    return committed


def _records(
    plan: SharedPlan, layout: Layout, work: SharedWork, repository: Repository, progress: Progress
) -> list[CollectionRecord]:
    counted: set[bytes] = set()
    read = _segments(plan, layout, work)
    records = []
    for number, collection in enumerate(plan.collections):
        record = collection.record
        if collection.segments:
            writer = CollectionWriter(repository, namespace=f"{plan.database}.{record.name}", counted=counted)
            try:
                record = _record(plan, number, collection, work, writer, read)
            except HoldfastError as error:
                record = failed(record, error, progress.warn, final=plan.final)
        records.append(record)
    return records


def _record(
    plan: SharedPlan,
    number: int,
    collection: PlannedCollection,
    work: SharedWork,
    writer: CollectionWriter,
    read: Iterator[ReadSegment],
) -> CollectionRecord:
    errors = []
    # All of them, also behind one that failed: those that come next are of the next collection.
    for keys in collection.ranges:
        segment = next(read)
        if segment.keys != keys:
            raise _not_whole(plan)
        if segment.error:
            errors.append(segment.error)
        else:
            writer.take(segment.chunks, keys.lower)
    if errors:
        raise CollectionFailed(errors[0])
    written = writer.finish()
    if collection.snapshot:
        count = work.count(plan, number)
        if isinstance(count, str):
            raise CollectionFailed(count)
        check_count(written.documents, count)
    return filled(collection.record, written)


def _segments(plan: SharedPlan, layout: Layout, work: SharedWork) -> Iterator[ReadSegment]:
    """All segments in order, one portion in memory at a time."""
    for number, portion in enumerate(layout.portions):
        segments: Mapping[int, ReadSegment] = work.part(plan, number).segments
        if list(segments) != list(portion):
            raise _not_whole(plan)
        for segment in portion:
            yield segments[segment]


def _not_whole(plan: SharedPlan) -> DamagedBackup:
    return DamagedBackup(
        f"The parts of backup {plan.backup_id} do not make up its plan.", hint="Start another run: it reads all anew."
    )
