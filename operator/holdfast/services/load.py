"""Load collections of a backup into a target, and prove that they are what was backed up.

Order: collections → documents → indexes, while other collections are loaded and compared → TTL indexes, so that nothing
expires before it was compared.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from itertools import islice
from threading import Event
from time import monotonic

from holdfast.errors import HoldfastError
from holdfast.ports import Advance, CollectionInfo, Progress, Target
from holdfast.repository.documents import elements, unordered
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.crew import Alone
from holdfast.services.read_back import ReadBack
from holdfast.services.restore_work import Insertion, RestoreCrew, RestoreTask, Sum, worker

WORTH_A_CREW = 32 * 1024 * 1024
"""Raw bytes. Less is written before other processes have connected."""
_CHUNKS_AT_ONCE = 4


class Loader:
    """Loads collections and reads them again, and builds their indexes meanwhile.

    ``created`` is called when a collection has been made, before anything is in it. ``check`` is called between steps,
    and raises where the work must not go on. ``catch_up`` is called, if given, with collections that were compared and
    have no index yet; they are what the backup shows only then.
    """

    def __init__(
        self,
        repository: Repository,
        target: Target,
        progress: Progress,
        stop: Event,
        crew: RestoreCrew | None,
        *,
        created: Callable[[CollectionRecord], object] = lambda _: None,
        check: Callable[[], object] = lambda: None,
        catch_up: Callable[[Sequence[CollectionRecord]], object] | None = None,
    ) -> None:
        self._repository, self._target, self._progress, self._stop = repository, target, progress, stop
        self._alone = Alone(worker(target, repository))
        self._helpers, self._crew = crew, crew or self._alone
        self._created, self._check, self._catch_up = created, check, catch_up
        self.proof_seconds = 0.0
        """What it took to read and compare all documents."""

    def load(self, records: Sequence[CollectionRecord], titles: Mapping[str, str]) -> list[str]:
        """Given collections that are not there, none of them a view, make them, and return how they differ from the
        backup: nothing, if all is well. ``titles``: how a record's collection is called to people.

        Raises DamagedBackup if a chunk proves damaged, CollectionFailed for any refused write, TargetNotEmpty if a
        collection is there after all, Unavailable, Interrupted.
        """
        small = sum(c.logical_bytes for c in records) < WORTH_A_CREW
        self._crew = self._alone if small or not self._helpers else self._helpers
        # The largest first: its indexes take longest to build, and that goes on beside all the rest.
        stored = sorted(records, key=lambda c: -c.logical_bytes)
        for collection in stored:
            self._target.create(collection.name, collection.options, collection.type)
            self._created(collection)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="indexes") as builder:
            builds = self._insert(stored, titles, None if self._catch_up else builder)
            self._progress.phase("Verifying")
            begin = monotonic()
            problems = list(self._compare(stored, titles))
            self.proof_seconds += monotonic() - begin
            if self._catch_up and not problems:
                self._catch_up(stored)
                builds = [builder.submit(self._build, collection) for collection in stored]
            for build in builds:
                build.result()
        for collection in stored:
            expiring = [index for index in collection.indexes if _expires(index)]
            self._target.create_indexes(collection.name, collection.options, expiring)
        return problems

    def _insert(
        self, stored: Sequence[CollectionRecord], titles: Mapping[str, str], builder: Executor | None
    ) -> list[Future[None]]:
        """``builder`` builds the indexes of what is complete."""
        records = {c.name: c for c in stored}
        missing = {c.name: c.chunks for c in stored}
        steps: dict[RestoreTask, Sum] = {}  # of what is under way; there may be a million tasks
        done_documents = done_bytes = 0
        total_documents, total_bytes = sum(c.documents for c in stored), sum(c.logical_bytes for c in stored)

        def advanced(task: RestoreTask, step: Sum) -> None:
            steps[task] = step
            documents = done_documents + sum(s.documents for s in steps.values())
            size = done_bytes + sum(s.bytes for s in steps.values())
            title = titles[task.collection.name]
            self._progress.advance(Advance(title, documents, size, 0, total_documents, total_bytes))

        builds = [builder.submit(self._build, c) for c in stored if not c.chunks] if builder else []
        tasks = (task for collection in stored for task in self._insertions(collection))
        for task, result in self._crew.work(tasks, advanced, self._stop):
            if isinstance(result, HoldfastError):
                raise result
            steps.pop(task, None)
            done_documents, done_bytes = done_documents + result.documents, done_bytes + result.bytes
            self._check()
            if isinstance(task, Insertion):
                name = task.collection.name
                missing[name] -= len(task.chunks)
                if builder and not missing[name]:
                    builds.append(builder.submit(self._build, records[name]))
        return builds

    def _compare(self, stored: Sequence[CollectionRecord], titles: Mapping[str, str]) -> Iterator[str]:
        catalogue = {c.name: c for c in self._target.catalogue()}
        again = ReadBack(self._repository, self._target, self._crew, self._stop, self._check)
        sums = again.sums(stored, catalogue)
        for collection in stored:
            title, found = titles[collection.name], sums.get(collection.name)
            if found is None:
                yield f"Collection {title!r} is not in the target after the restore."
            elif found.documents != collection.documents:
                yield f"Collection {title!r} has {found.documents} documents; the backup has {collection.documents}."
            elif f"{found.document_hash:064x}" != collection.document_hash:
                yield f"Collection {title!r} has other documents than the backup."

    def _insertions(self, collection: CollectionRecord) -> Iterator[Insertion]:
        refs = self._repository.chunk_refs(collection)
        # The order of a capped collection is part of it.
        step = None if collection.capped else _CHUNKS_AT_ONCE
        while part := list(islice(refs, step)):
            yield Insertion(collection.info, tuple(ref.id for ref in part), sum(ref.documents for ref in part))

    def _build(self, collection: CollectionRecord) -> None:
        indexes = [index for index in collection.indexes if not _expires(index)]
        self._target.create_indexes(collection.name, collection.options, indexes)


def compare_catalogue(
    records: Sequence[CollectionRecord], target: Target, titles: Mapping[str, str], *, ordered: bool
) -> Iterator[str]:
    """How the options and indexes in the target differ from those of the backup.

    ``ordered``: whether the backup has the fields of options in the order that the server gave them. A dump may not:
    mongodump 100.6 shuffles them, and the server puts them back into its own order.
    """
    catalogue = {c.name: c for c in target.catalogue()}
    for record in records:
        info, title = catalogue.get(record.name), titles[record.name]
        if info is None:
            yield f"{record.type.capitalize()} {title!r} is not in the target after the restore."
            continue
        if not same_options(info, record, ordered=ordered):
            yield f"{record.type.capitalize()} {title!r} has other options than in the backup."
        if sorted(info.indexes) != sorted(record.indexes):
            yield f"Collection {title!r} has other indexes than in the backup."


def same_options(info: CollectionInfo, record: CollectionRecord, *, ordered: bool) -> bool:
    if info.options == record.options:
        return True
    return not ordered and unordered(info.options) == unordered(record.options)


def _expires(index: bytes) -> bool:
    return any(name == b"expireAfterSeconds" for _, name, _, _ in elements(index))
