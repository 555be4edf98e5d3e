"""Take one backup: read every chosen collection at one cluster time, store its chunks, commit the manifest.

An attempt that meets an outage, or whose snapshot the server has dropped, is made again at a new cluster time; the
chunks it stored are found and used. Two cluster times are never mixed in one backup.
"""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from os import cpu_count
from threading import Event

from holdfast.domain.consistency import Consistency, ConsistencyLevel
from holdfast.domain.pace import Pace
from holdfast.errors import (
    CatalogueChanged,
    CollectionFailed,
    ConsistencyUnavailable,
    DamagedBackup,
    HoldfastError,
    Interrupted,
    InvalidSpec,
    NotAuthorized,
    OperationFailed,
    StoreFull,
    Unavailable,
)
from holdfast.ports import Advance, Clock, ClusterTime, CollectionInfo, Estimate, Progress, ServerInfo, Source
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.collection_writer import CollectionWriter, WrittenCollection
from holdfast.repository.locks import Lock, LockKind, locked
from holdfast.repository.manifest import (
    CollectionRecord,
    Manifest,
    PolicyIdentity,
    ServerRecord,
)
from holdfast.repository.repository import Repository
from holdfast.services.choose_view import View, choose_view, consistency_of
from holdfast.version import VERSION

ATTEMPTS = 3


@dataclass(frozen=True)
class BackupRequest:
    """What to back up, under which id. ``include`` and ``exclude`` are names or globs; no ``include`` means all."""

    backup_id: str
    policy: PolicyIdentity | None
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    consistency: Consistency
    started: datetime
    max_bytes_per_second: int | None = None
    """Raw bytes read from the source, on average over an attempt; None for as fast as it goes."""


@dataclass(frozen=True)
class BackupOutcome:
    manifest: Manifest
    new_bytes: int
    warnings: tuple[str, ...]


def back_up(
    request: BackupRequest,
    source: Source,
    repository: Repository,
    progress: Progress,
    clock: Clock,
    stop: Event,
) -> BackupOutcome:
    """Given a source and a repository, commit one backup and return its manifest.

    A collection that cannot be read is recorded with its error and does not stop the others: the manifest is then
    ``partial``. A backup that is committed already under this id is returned as it is, so a run may be repeated.

    Raises: InvalidInput for what no retry can mend, Unavailable when an outage outlasts the attempts, Interrupted when
    ``stop`` is set, ConsistencyUnavailable, StoreFull, and CollectionFailed if not one collection could be read.
    """
    repository.open(create=True)
    if committed := repository.find(request.backup_id):
        return BackupOutcome(committed, committed.new_bytes, committed.warnings)
    repository.store.check_writable()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            last = attempt == ATTEMPTS
            with locked(repository.store, clock, LockKind.SHARED, f"backup {request.backup_id}", stop) as lock:
                return _Attempt(request, source, repository, progress, clock, stop, final=last).run(lock)
        except Interrupted:
            raise
        except Unavailable as error:
            if last:
                raise
            progress.warn(f"{error} Attempt {attempt} of {ATTEMPTS} has failed; trying again.")
            if stop.wait(random.uniform(1, 3) * 2**attempt):  # noqa: S311 (jitter, not a secret)
                raise Interrupted("The backup was asked to stop.") from error
    raise AssertionError("unreachable: the last attempt returns or raises")


class _Attempt:
    """One try at one cluster time."""

    def __init__(
        self,
        request: BackupRequest,
        source: Source,
        repository: Repository,
        progress: Progress,
        clock: Clock,
        stop: Event,
        *,
        final: bool,
    ) -> None:
        self._request, self._source, self._repository = request, source, repository
        self._progress, self._clock, self._stop = progress, clock, stop
        self._final = final
        self._counted: set[bytes] = set()
        self._done: list[CollectionRecord] = []
        self._estimates: dict[str, Estimate] = {}
        self._pace = Pace(request.max_bytes_per_second, clock())
        self._read_bytes = 0

    def run(self, lock: Lock) -> BackupOutcome:
        self._progress.phase("Running")
        server = self._source.server()
        if server.topology == "sharded":
            raise InvalidSpec(
                "The source is a sharded cluster (a mongos answered); Holdfast backs up replica sets and standalones.",
                hint="Point the URI at a replica set.",
            )
        request = self._request
        view = choose_view(self._source, request.consistency, request.include, request.exclude)
        warnings = [f"Collection {name!r} is not in database {self._source.database!r}." for name in view.missing]
        for warning in warnings:
            self._progress.warn(warning)
        previous = self._previous()
        self._estimates = {c.name: self._source.estimate(c) for c in view.collections}
        self._check_room(first=previous is None)
        with ThreadPoolExecutor(max_workers=cpu_count() or 2, thread_name_prefix="chunk") as pool:
            for collection in view.collections:
                self._done.append(self._collection(pool, collection, view.at, previous))
        self._check_identities(view)
        manifest = self._manifest(server, view, warnings)
        committed = self._repository.commit(manifest, lock)
        return BackupOutcome(committed, committed.new_bytes, committed.warnings)

    def _previous(self) -> Manifest | None:
        """The newest backup of the same database: its chunks are known to be in the store."""
        for manifest in self._repository.manifests(lambda damage: self._progress.warn(str(damage))):
            if manifest.database == self._source.database:
                return manifest
        return None

    def _check_room(self, *, first: bool) -> None:
        free = self._repository.store.free_bytes()
        if free is None:
            return
        on_disk = sum(estimate.storage_bytes for estimate in self._estimates.values())
        # The server compresses less than we do, so its size on disk is an upper bound for a first backup.
        needed = on_disk if first else on_disk // 10
        if free < needed:
            raise StoreFull(
                f"The store at {self._repository.store.address} has {free // 2**20} MiB free; this backup needs about "
                f"{needed // 2**20} MiB.",
                hint="Give it more room, or remove old backups.",
            )

    def _collection(
        self,
        pool: ThreadPoolExecutor,
        collection: CollectionInfo,
        at: ClusterTime | None,
        previous: Manifest | None,
    ) -> CollectionRecord:
        record = CollectionRecord(
            name=collection.name,
            type=collection.type,
            options=collection.options,
            indexes=collection.indexes,
            uuid=collection.uuid.hex() if collection.uuid else None,
            capped=collection.capped,
            consistency=ConsistencyLevel.SNAPSHOT if at else ConsistencyLevel.NONE,
        )
        try:
            if collection.problem:
                raise CollectionFailed(collection.problem)
            if collection.type == "view":
                return record
            if at and not self._source.can_snapshot(collection):
                at = None
                record = record.model_copy(update={"consistency": ConsistencyLevel.NONE})
                if self._request.consistency is Consistency.REQUIRED:
                    raise ConsistencyUnavailable(
                        f"Collection {collection.name!r} is capped; this server cannot read it at a cluster time.",
                        hint="Exclude it, or set consistency to Preferred.",
                    )
            written = self._write(pool, collection, at, previous)
        except CatalogueChanged as error:
            if not self._final:
                raise  # a new attempt sees the new catalogue
            return self._failed(record, error)
        except (StoreFull, ConsistencyUnavailable):
            raise
        except (OperationFailed, NotAuthorized) as error:
            return self._failed(record, error)
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

    def _failed(self, record: CollectionRecord, error: HoldfastError) -> CollectionRecord:
        self._progress.warn(f"Collection {record.name!r} was not backed up: {error}")
        return record.model_copy(update={"error": str(error)})

    def _write(
        self,
        pool: ThreadPoolExecutor,
        collection: CollectionInfo,
        at: ClusterTime | None,
        previous: Manifest | None,
    ) -> WrittenCollection:
        writer = CollectionWriter(
            self._repository,
            pool,
            namespace=f"{self._source.database}.{collection.name}",
            known=self._known(collection.name, previous),
            counted=self._counted,
        )
        try:
            for batch in self._source.read(collection, at):
                if self._stop.is_set():
                    raise Interrupted("The backup was asked to stop.", hint="The next attempt goes on from here.")
                writer.add(batch)
                self._read_bytes += sum(map(len, batch))
                self._stop.wait(self._pace.pause(self._read_bytes, self._clock()))
                self._advance(collection, writer.documents, writer.logical_bytes, writer.new_bytes)
            written = writer.finish()
        except HoldfastError:
            writer.abandon()
            raise
        self._advance(collection, written.documents, written.logical_bytes, written.new_bytes)
        if at is not None and (count := self._source.count(collection, at)) != written.documents:
            raise CollectionFailed(
                f"{written.documents} documents were read, and the server counts {count} at the same cluster time."
            )
        return written

    def _known(self, name: str, previous: Manifest | None) -> dict[bytes, ChunkRef]:
        """The chunks of this collection's last backup; none where its lists are damaged: each is looked for then."""
        for collection in previous.collections if previous else ():
            if collection.name == name:
                try:
                    return {ref.id: ref for ref in self._repository.chunk_refs(collection)}
                except DamagedBackup as error:
                    self._progress.warn(f"The last backup of collection {name!r} is damaged: {error}")
        return {}

    def _check_identities(self, view: View) -> None:
        """A collection dropped or renamed after the cluster time reads as empty, without an error: ask for its UUID."""
        now = {c.name: c for c in self._source.catalogue()}
        for index, (collection, record) in enumerate(zip(view.collections, self._done, strict=True)):
            current = now.get(collection.name)
            same = current is not None and (current.uuid, current.data_uuid) == (
                collection.uuid,
                collection.data_uuid,
            )
            if same or record.error or collection.type == "view":
                continue
            message = f"Collection {collection.name!r} was dropped, renamed or made anew during the backup."
            if not self._final:
                raise CatalogueChanged(message)
            self._done[index] = CollectionRecord(
                name=record.name,
                type=record.type,
                options=record.options,
                indexes=record.indexes,
                error=message,
            )

    def _advance(self, collection: CollectionInfo, documents: int, logical_bytes: int, new_bytes: int) -> None:
        done = self._done
        self._progress.advance(
            Advance(
                collection=collection.name,
                documents=documents + sum(c.documents for c in done),
                logical_bytes=logical_bytes + sum(c.logical_bytes for c in done),
                new_bytes=new_bytes + sum(c.new_bytes for c in done),
                total_documents=sum(e.documents for e in self._estimates.values()),
                total_bytes=sum(e.logical_bytes for e in self._estimates.values()),
                done=[c.name for c in done],
            )
        )

    def _manifest(self, server: ServerInfo, view: View, warnings: Sequence[str]) -> Manifest:
        good = [c for c in self._done if not c.error]
        if not good:
            told = " ".join(f"{c.name}: {c.error}" for c in self._done[:3])
            raise CollectionFailed(f"Not one collection could be backed up. {told}")
        consistency, loose = consistency_of(view.at, good)
        return Manifest(
            holdfast_version=VERSION,
            backup_id=self._request.backup_id,
            policy=self._request.policy,
            database=self._source.database,
            server=ServerRecord(**vars(server)),
            start_time=self._request.started,
            completion_time=self._clock(),
            consistency=consistency,
            documents=sum(c.documents for c in good),
            logical_bytes=sum(c.logical_bytes for c in good),
            stored_bytes=sum(c.stored_bytes for c in good),
            new_bytes=sum(c.new_bytes for c in good),
            collections=tuple(self._done),
            warnings=(*warnings, *loose),
        )
