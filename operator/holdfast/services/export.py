"""Write a backup as other tools read it: mongodump's archive or directory, or one JSON file."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import IO

from holdfast.domain.selection import matches
from holdfast.dump.archive import ArchiveWriter
from holdfast.dump.directory import DirectoryWriter
from holdfast.dump.draft import draft_of_directory, draft_of_file
from holdfast.dump.dump import DumpWriter
from holdfast.dump.files import compressing
from holdfast.dump.json_file import JsonWriter
from holdfast.errors import BackupNotFound, DamagedBackup, Interrupted, InvalidSpec, OperationFailed
from holdfast.ports import Advance, Clock, Progress
from holdfast.repository.locks import kept_for_reading
from holdfast.repository.manifest import CollectionRecord, Manifest, timestamp
from holdfast.repository.repository import Repository
from holdfast.services.verify import verify

_AHEAD = 2
"""Chunks that are read before they are needed: at most 8 MiB each, or one document."""


class ExportFormat(StrEnum):
    ARCHIVE = "archive"
    DIRECTORY = "directory"
    JSON = "json"


@dataclass(frozen=True)
class ExportRequest:
    """What to write, and where to: a path that does not exist yet, or a stream (not for a directory)."""

    format: ExportFormat
    output: Path | IO[bytes]
    gzip: bool = False
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportOutcome:
    """What was written. ``skipped``: collections that the backup itself could not read."""

    collections: tuple[CollectionRecord, ...]
    skipped: tuple[str, ...]
    warnings: tuple[str, ...]

    @property
    def documents(self) -> int:
        return sum(c.documents for c in self.collections)

    @property
    def logical_bytes(self) -> int:
        return sum(c.logical_bytes for c in self.collections)


def export(
    request: ExportRequest, manifest: Manifest, repository: Repository, progress: Progress, stop: Event
) -> ExportOutcome:
    """Given a committed backup, write it to a place where nothing is.

    A path gets its name when all of it is written; a stream is half written when an error is raised. Every chunk is
    proven by its id. A collection that the backup does not hold is left out with a warning.

    Raises: InvalidSpec if the output is there already or cannot be, BackupNotFound if the selection is empty,
    DamagedBackup, OperationFailed if the output cannot be written, Unavailable, Interrupted.
    """
    wanted = [
        c
        for c in manifest.collections
        if (not request.include or matches(c.name, request.include)) and not matches(c.name, request.exclude)
    ]
    chosen, failed = [c for c in wanted if not c.error], [c for c in wanted if c.error]
    if not chosen:
        raise BackupNotFound(
            f"Backup {manifest.backup_id} has no collection to export that was asked for.",
            hint="`holdfast show` lists what it holds.",
        )
    report = verify(repository, manifest.model_copy(update={"collections": tuple(chosen)}), stop=stop)
    if not report.good:
        raise DamagedBackup(
            f"Backup {manifest.backup_id} cannot be exported: {' '.join(report.problems[:3])}",
            hint="Nothing was written. Export another backup.",
        )
    told = _Told(progress)
    for collection in failed:
        told(f"Collection {collection.name!r} is not in the backup, and so not in the export: {collection.error}")
    if manifest.changes and manifest.changes.documents:
        told(
            f"It shows each collection as it was read. The {manifest.changes.documents} writes that were done during "
            "the backup are not in it: a restore repeats them, and only then all shows one moment."
        )
    progress.phase("Running")
    try:
        with _writer(request, manifest, chosen, failed, told) as writer:
            written = _with_a_place(request.format, chosen, told)
            _copy(writer, written, repository, progress, told, stop)
            writer.finish()
    except OSError as error:
        raise OperationFailed(
            f"The export could not be written: {error.strerror or 'the system says no more'}.",
            hint="What is there of it is not whole.",
        ) from error
    return ExportOutcome(tuple(written), tuple(c.name for c in failed), tuple(told.warnings))


def export_kept(
    request: ExportRequest,
    manifest: Manifest,
    repository: Repository,
    progress: Progress,
    stop: Event,
    clock: Clock,
    *,
    patience: timedelta | None = None,
) -> ExportOutcome:
    """The same under a lock: no prune takes away meanwhile what is read. RepositoryBusy if it is not had in time."""
    purpose = f"export of {manifest.backup_id}"
    with kept_for_reading(repository.store, clock, purpose, stop, progress.warn, patience=patience):
        if repository.find(manifest.backup_id) is None:
            raise BackupNotFound(f"Backup {manifest.backup_id} was removed a moment ago.", hint="Take another.")
        return export(request, manifest, repository, progress, stop)


class _Told:
    """Warnings, each given once."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.collection = ""
        self.warnings: dict[str, None] = {}

    def __call__(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings[warning] = None
            self._progress.warn(warning)

    def lost(self, what: str) -> None:
        self(f"A document of {self.collection!r} has what JSON cannot carry: {what}.")

    def lost_metadata(self, what: str) -> None:
        self(f"The options or indexes of a collection have what a dump cannot carry: {what}.")


@contextmanager
def _writer(
    request: ExportRequest,
    manifest: Manifest,
    chosen: list[CollectionRecord],
    failed: list[CollectionRecord],
    told: _Told,
) -> Iterator[DumpWriter]:
    database, version = manifest.database, manifest.server.version
    infos = [c.info for c in chosen]
    if request.format is ExportFormat.DIRECTORY:
        if not isinstance(request.output, Path):
            raise InvalidSpec("A directory cannot be written to a stream.", hint="Name a path, or export an archive.")
        with draft_of_directory(request.output) as root:
            yield DirectoryWriter(root, database, version, infos, told.lost_metadata, gzip=request.gzip)
        return
    with _stream(request) as stream:
        if request.format is ExportFormat.ARCHIVE:
            yield ArchiveWriter(stream, database, version, infos, told.lost_metadata)
            return
        head = {
            "database": database,
            "backupId": manifest.backup_id,
            "timestamp": timestamp(manifest.start_time),
            "format": "Extended JSON v2, canonical",
        }
        writer = JsonWriter(stream, head, told.lost)
        for collection in failed:
            writer.failed(collection.name, collection.error or "")
        yield writer


@contextmanager
def _stream(request: ExportRequest) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        if isinstance(request.output, Path):
            raw: IO[bytes] = stack.enter_context(draft_of_file(request.output))
        else:
            raw = request.output
            stack.callback(raw.flush)
        yield stack.enter_context(compressing(raw)) if request.gzip else raw


def _with_a_place(form: ExportFormat, chosen: list[CollectionRecord], told: _Told) -> list[CollectionRecord]:
    """What has a place in the form. JSON has documents only."""
    if form is not ExportFormat.JSON:
        return chosen
    for view in (c for c in chosen if c.type == "view"):
        told(f"View {view.name!r} is left out: JSON holds documents only.")
    for series in (c for c in chosen if c.type == "timeseries"):
        told(f"Time-series {series.name!r} is written as its buckets, 'system.buckets.{series.name}'.")
    return [c for c in chosen if c.type != "view"]


def _copy(
    writer: DumpWriter,
    collections: list[CollectionRecord],
    repository: Repository,
    progress: Progress,
    told: _Told,
    stop: Event,
) -> None:
    total_documents, total_bytes = (
        sum(c.documents for c in collections),
        sum(c.logical_bytes for c in collections),
    )
    documents = size = 0
    for collection in collections:
        told.collection = collection.name
        writer.begin(collection.info, collection.documents)
        for data, count in _chunks(repository, collection):
            if stop.is_set():
                raise Interrupted("The export was asked to stop.", hint="What is there of it is not whole.")
            writer.write(data)
            documents += count
            size += len(data)
            progress.advance(Advance(collection.name, documents, size, 0, total_documents, total_bytes))
        writer.end()


def _chunks(repository: Repository, collection: CollectionRecord) -> Iterator[tuple[bytes, int]]:
    """The chunks of a collection in order, a few of them read ahead, and how many documents each has."""
    waiting: deque[tuple[Future[bytes], int]] = deque()
    with ThreadPoolExecutor(max_workers=_AHEAD, thread_name_prefix="chunk") as pool:
        try:
            for ref in repository.chunk_refs(collection):
                waiting.append((pool.submit(repository.read_chunk, ref.id), ref.documents))
                if len(waiting) > _AHEAD:
                    future, documents = waiting.popleft()
                    yield future.result(), documents
            while waiting:
                future, documents = waiting.popleft()
                yield future.result(), documents
        finally:
            for future, _ in waiting:
                future.cancel()
