"""Restore a backup into a database that has nothing in its way, and prove that it is what was backed up.

Order: every chunk is known to be there → collections → documents → indexes → TTL indexes, so that nothing expires
before it was compared → views.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

from holdfast.domain.selection import matches
from holdfast.errors import BackupNotFound, CollectionFailed, DamagedBackup, HoldfastError, TargetNotEmpty
from holdfast.ports import Advance, CollectionInfo, Estimate, Progress, Target
from holdfast.repository.chunks import HASH_MODULUS
from holdfast.repository.documents import elements, unordered
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.crew import Alone
from holdfast.services.divide import divide
from holdfast.services.restore_work import Insertion, Reading, RestoreCrew, RestoreTask, Sum, worker
from holdfast.services.verify import verify

WORTH_A_CREW = 32 * 1024 * 1024
"""Raw bytes. Less is written before other processes have connected."""
_CHUNKS_AT_ONCE = 4


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
    crew: RestoreCrew | None = None,
) -> RestoreOutcome:
    """Given a committed backup and a target without collections of the same names, write and compare them.

    ``crew`` does the work on all but a small backup; it works on the same repository and target.

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
    # The largest first: its indexes take longest to build, and that goes on beside all the rest.
    stored = sorted((c for c in chosen if c.type != "view"), key=lambda c: -c.logical_bytes)
    for collection in stored:
        target.create(collection.name, collection.options, collection.type)
    small = sum(c.logical_bytes for c in stored) < WORTH_A_CREW
    loader = _Loader(
        repository, target, progress, stop, Alone(worker(target, repository)) if small or not crew else crew
    )
    problems = loader.load(stored)
    for collection in stored:
        target.create_indexes(collection.name, collection.options, [i for i in collection.indexes if _expires(i)])
    # A view may be created before the view that it looks at: the server resolves it when it is read.
    for view in (c for c in chosen if c.type == "view"):
        target.create(view.name, view.options, "view")
    target.settle()
    problems += _compare_catalogue(chosen, target, ordered=manifest.imported is None)
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


class _Loader:
    """Loads collections and reads them again, and builds their indexes meanwhile."""

    def __init__(
        self, repository: Repository, target: Target, progress: Progress, stop: Event, crew: RestoreCrew
    ) -> None:
        self._repository, self._target, self._progress, self._stop = repository, target, progress, stop
        self._crew = crew

    def load(self, stored: Sequence[CollectionRecord]) -> list[str]:
        """Insert all documents, build all indexes but those that let documents expire, and return how the collections
        in the target differ from the backup."""
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="indexes") as builder:
            builds = self._insert(stored, builder)
            self._progress.phase("Verifying")
            problems = list(self._compare(stored))
            for build in builds:
                build.result()
        return problems

    def _insert(self, stored: Sequence[CollectionRecord], builder: Executor) -> list[Future[None]]:
        records = {c.name: c for c in stored}
        missing = {c.name: c.chunks for c in stored}
        steps: dict[RestoreTask, Sum] = {}
        total_documents, total_bytes = sum(c.documents for c in stored), sum(c.logical_bytes for c in stored)

        def advanced(task: RestoreTask, step: Sum) -> None:
            steps[task] = step
            documents, size = sum(s.documents for s in steps.values()), sum(s.bytes for s in steps.values())
            self._progress.advance(Advance(task.collection.name, documents, size, 0, total_documents, total_bytes))

        builds = [builder.submit(self._build, c) for c in stored if not c.chunks]
        tasks = (task for collection in stored for task in self._insertions(collection))
        for task, result in self._crew.work(tasks, advanced, self._stop):
            if isinstance(result, HoldfastError):
                raise result
            if isinstance(task, Insertion):
                name = task.collection.name
                missing[name] -= len(task.chunks)
                if not missing[name]:
                    builds.append(builder.submit(self._build, records[name]))
        return builds

    def _compare(self, stored: Sequence[CollectionRecord]) -> Iterator[str]:
        """How the collections in the target differ from the backup."""
        catalogue = {c.name: c for c in self._target.catalogue()}
        sums = {c.name: [0, 0] for c in stored}
        for task, result in self._crew.work(self._readings(stored, catalogue), lambda *_: None, self._stop):
            if isinstance(result, HoldfastError):
                raise result
            sums[task.collection.name][0] += result.documents
            sums[task.collection.name][1] += result.document_hash
        for collection in stored:
            count, total = sums[collection.name]
            if collection.name not in catalogue:
                yield f"Collection {collection.name!r} is not in the target after the restore."
            elif count != collection.documents:
                yield f"Collection {collection.name!r} has {count} documents; the backup has {collection.documents}."
            elif f"{total % HASH_MODULUS:064x}" != collection.document_hash:
                yield f"Collection {collection.name!r} has other documents than the backup."

    def _insertions(self, collection: CollectionRecord) -> Iterator[Insertion]:
        refs = list(self._repository.chunk_refs(collection))
        # The order of a capped collection is part of it.
        step = len(refs) if collection.capped else _CHUNKS_AT_ONCE
        for first in range(0, len(refs), step or 1):
            part = refs[first : first + step]
            yield Insertion(collection.info, tuple(ref.id for ref in part), sum(ref.documents for ref in part))

    def _readings(
        self, stored: Sequence[CollectionRecord], catalogue: Mapping[str, CollectionInfo]
    ) -> Iterator[RestoreTask]:
        for collection in stored:
            if info := catalogue.get(collection.name):
                estimate = Estimate(collection.documents, collection.logical_bytes)
                last = self._repository.chunk_refs(collection)
                for keys in divide(self._target, info, None, last, estimate, further=self._crew.size > 1):
                    yield Reading(info, keys)

    def _build(self, collection: CollectionRecord) -> None:
        indexes = [index for index in collection.indexes if not _expires(index)]
        self._target.create_indexes(collection.name, collection.options, indexes)


def _expires(index: bytes) -> bool:
    return any(name == b"expireAfterSeconds" for _, name, _, _ in elements(index))


def _compare_catalogue(chosen: Sequence[CollectionRecord], target: Target, *, ordered: bool) -> Iterator[str]:
    """``ordered``: whether the backup has the fields of options in the order that the server gave them. A dump may not:
    mongodump 100.6 shuffles them, and the server puts them back into its own order.
    """
    catalogue = {c.name: c for c in target.catalogue()}
    for collection in chosen:
        info = catalogue.get(collection.name)
        if info is None:
            yield f"{collection.type.capitalize()} {collection.name!r} is not in the target after the restore."
            continue
        if info.options != collection.options and (ordered or unordered(info.options) != unordered(collection.options)):
            yield f"{collection.type.capitalize()} {collection.name!r} has other options than in the backup."
        if sorted(info.indexes) != sorted(collection.indexes):
            yield f"Collection {collection.name!r} has other indexes than in the backup."


def require_equal(outcome: RestoreOutcome) -> None:
    """CollectionFailed, with every difference, unless the restored data was proven equal to the backup."""
    if outcome.problems:
        raise CollectionFailed(" ".join(outcome.problems[:10]), hint="Do not use what was restored.")
