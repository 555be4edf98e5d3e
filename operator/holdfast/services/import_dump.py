"""Make a backup of what mongodump wrote: an archive or a directory becomes a backup like any other.

A dump does not prove that its collections show one moment, so its consistency is None.
"""

from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from threading import Event

from holdfast.domain.consistency import ConsistencyLevel
from holdfast.domain.database_name import check_database_name
from holdfast.dump.dump import Dumped, DumpReader, Prelude
from holdfast.errors import DamagedDump, Interrupted, InvalidSpec
from holdfast.ports import Advance, Clock, Progress
from holdfast.repository.collection_writer import CollectionWriter
from holdfast.repository.locks import Lock, LockKind, locked
from holdfast.repository.manifest import (
    CollectionRecord,
    ConsistencyRecord,
    ImportRecord,
    Manifest,
    ServerRecord,
)
from holdfast.repository.portability import notes_on
from holdfast.repository.repository import Repository, new_backup_id
from holdfast.repository.segment_writer import IN_FLIGHT, SegmentWriter
from holdfast.services.collection_records import filled
from holdfast.version import VERSION

_THREADS = 2


@dataclass(frozen=True)
class ImportRequest:
    """``database``: which one of the dump; None for the only one. ``written``: the time of the dump's files, which
    becomes the time of the backup. ``format``: ``archive`` or ``directory``."""

    format: str
    written: datetime
    database: str | None = None


def import_dump(
    request: ImportRequest, dump: DumpReader, repository: Repository, progress: Progress, clock: Clock, stop: Event
) -> Manifest:
    """Given a dump, commit one backup and return its manifest. The same dump gives the same backup, once.

    Raises: InvalidSpec if the dump holds several databases and none is named, or not the one that is; DamagedDump, and
    then nothing is committed; StoreFull, Unavailable, Interrupted.
    """
    database = _database(dump.prelude, request.database)
    warnings = _warnings(dump.prelude, database)
    for warning in warnings:
        progress.warn(warning)
    repository.open(create=True)
    repository.store.check_writable()
    with locked(repository.store, clock, LockKind.SHARED, f"import of a dump of {database!r}", stop) as lock:
        progress.phase("Running")
        collections = _Import(dump, database, repository, progress, stop).run()
        return _commit(request, dump.prelude, database, collections, warnings, repository, clock, lock)


def _database(prelude: Prelude, wanted: str | None) -> str:
    there = sorted({c.database for c in prelude.collections if c.database})
    if wanted is None and len(there) == 1:
        return check_database_name(there[0])
    names = ", ".join(map(repr, there[:10])) or "none"
    if wanted is None:
        raise InvalidSpec(
            f"The dump holds {len(there)} databases: {names}.", hint="Say which one with --database; import one by one."
        )
    if wanted not in there:
        raise InvalidSpec(f"The dump does not hold database {wanted!r}; it holds {names}.")
    return check_database_name(wanted)


def _warnings(prelude: Prelude, database: str) -> tuple[str, ...]:
    told = []
    others = sorted({c.database for c in prelude.collections} - {database, ""})
    if others:
        told.append(f"Only database {database!r} is imported; the dump also holds {', '.join(map(repr, others))}.")
    if prelude.has_oplog:
        told.append(
            "The dump has an oplog, which is not applied: what was written while it was taken may be there in part."
        )
    return tuple(told)


class _Import:
    """Stores the documents of one database."""

    def __init__(
        self, dump: DumpReader, database: str, repository: Repository, progress: Progress, stop: Event
    ) -> None:
        self._dump, self._database, self._repository = dump, database, repository
        self._progress, self._stop = progress, stop
        self._counted: set[bytes] = set()
        self._writers: dict[str, SegmentWriter] = {}
        self._done: dict[str, CollectionRecord] = {}
        # Collections that come side by side share the room that one alone would have.
        self._in_flight = IN_FLIGHT // max(1, min(dump.prelude.side_by_side, 8))

    def run(self) -> tuple[CollectionRecord, ...]:
        """The records, sorted by name."""
        with ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="chunk") as pool:
            try:
                self._read(pool)
            except BaseException:
                for writer in self._writers.values():
                    writer.abandon()
                raise
        return tuple(record for _, record in sorted(self._done.items()))

    def _read(self, pool: Executor) -> None:
        for batch in self._dump.batches():
            if self._stop.is_set():
                raise Interrupted("The import was asked to stop.", hint="Nothing was committed.")
            if batch.collection.database != self._database:
                continue
            if batch.documents:
                self._writer(batch.collection, pool).add(batch.documents)
                self._advance(batch.collection)
            if batch.last:
                self._done[batch.collection.info.name] = self._finish(batch.collection)

    def _writer(self, collection: Dumped, pool: Executor) -> SegmentWriter:
        name = collection.info.name
        if name not in self._writers:
            if collection.info.type == "view":
                raise DamagedDump(
                    f"The dump has documents of the view {name!r}.", hint="Dump without --viewsAsCollections."
                )
            self._writers[name] = SegmentWriter(
                self._repository, pool, namespace=self._namespace(name), known={}, in_flight=self._in_flight
            )
        return self._writers[name]

    def _namespace(self, name: str) -> str:
        return f"{self._database}.{name}"

    def _advance(self, collection: Dumped) -> None:
        open_now, done = self._writers.values(), self._done.values()
        documents = sum(w.documents for w in open_now) + sum(c.documents for c in done)
        size = sum(w.logical_bytes for w in open_now) + sum(c.logical_bytes for c in done)
        new = sum(w.new_bytes for w in open_now) + sum(c.new_bytes for c in done)
        self._progress.advance(Advance(collection.info.name, documents, size, new, documents, size))

    def _finish(self, collection: Dumped) -> CollectionRecord:
        info = collection.info
        record = CollectionRecord(
            name=info.name,
            type=info.type,
            options=info.options,
            indexes=info.indexes,
            uuid=info.uuid.hex() if info.uuid else None,
            capped=info.capped,
            notes=notes_on(info),
        )
        if info.type == "view":
            return record
        writer = CollectionWriter(self._repository, namespace=self._namespace(info.name), counted=self._counted)
        segment = self._writers.pop(info.name, None)
        if segment:
            writer.take(segment.finish())
        return filled(record, writer.finish())


def _commit(
    request: ImportRequest,
    prelude: Prelude,
    database: str,
    collections: Sequence[CollectionRecord],
    warnings: tuple[str, ...],
    repository: Repository,
    clock: Clock,
    lock: Lock,
) -> Manifest:
    backup_id = new_backup_id(request.written, _content(database, collections))
    if committed := repository.find(backup_id):
        return committed
    return repository.commit(
        Manifest(
            holdfast_version=VERSION,
            backup_id=backup_id,
            imported=ImportRecord(format=request.format, tool_version=prelude.tool_version, time=clock()),
            database=database,
            server=ServerRecord(version=prelude.server_version or "unknown", topology="unknown"),
            start_time=request.written,
            completion_time=request.written,
            consistency=ConsistencyRecord(level=ConsistencyLevel.NONE),
            documents=sum(c.documents for c in collections),
            logical_bytes=sum(c.logical_bytes for c in collections),
            stored_bytes=sum(c.stored_bytes for c in collections),
            new_bytes=sum(c.new_bytes for c in collections),
            collections=tuple(collections),
            warnings=warnings,
        ),
        lock,
    )


def _content(database: str, collections: Sequence[CollectionRecord]) -> str:
    """The same for the same dump, whether as archive or as directory."""
    digest = sha256(database.encode())
    for c in collections:
        for part in (c.name.encode(), c.options, *c.indexes, (c.uuid or "").encode(), c.document_hash.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()
