"""Load collections of a backup into a target, and prove that they are what was backed up.

Order: collections → documents → indexes, while other collections are loaded and compared → TTL indexes, so that nothing
expires before it was compared.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from time import monotonic

from holdfast.ports import CollectionInfo, Progress, Target
from holdfast.repository.documents import elements, unordered
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.crew import Alone
from holdfast.services.many_hands import ManyHands
from holdfast.services.restore_board import Board
from holdfast.services.restore_hands import Hands, OwnHands, Titles
from holdfast.services.restore_share import Team
from holdfast.services.restore_work import RestoreCrew, worker

WORTH_A_CREW = 32 * 1024 * 1024
"""Raw bytes. Less is written before other processes have connected."""


class Loader:
    """Loads collections and reads them again, and builds their indexes meanwhile.

    ``created`` is called when a collection has been made, before anything is in it. ``check`` is called between steps,
    and raises where the work must not go on. ``catch_up`` is called, if given, with collections that were compared and
    have no index yet; they are what the backup shows only then. ``together``: with whom the work on all but a few
    documents is shared; not with ``catch_up``.
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
        together: tuple[Board, Team] | None = None,
    ) -> None:
        self._target, self._progress, self._created, self._catch_up = target, progress, created, catch_up
        self._together = together
        alone: RestoreCrew = Alone(worker(target, repository))
        self._few = OwnHands(repository, target, progress, stop, alone, check)
        own = OwnHands(repository, target, progress, stop, crew or alone, check)
        self._many: Hands = ManyHands(own, *together) if together else own
        self.proof_seconds = 0.0
        """What it took to read and compare all documents."""

    def shares(self, records: Sequence[CollectionRecord]) -> bool:
        """Whether others take part in loading these."""
        return self._together is not None and not _few(records)

    def load(
        self, records: Sequence[CollectionRecord], titles: Titles, kept: Collection[str] = frozenset()
    ) -> list[str]:
        """Given collections that are not there, none of them a view, make them, and return how they differ from the
        backup: nothing, if all is well. ``titles``: how a record's collection is called to people. ``kept``: what an
        earlier attempt has made, and others may be at work on.

        Raises DamagedBackup if a chunk proves damaged, CollectionFailed for any refused write, TargetNotEmpty if a
        collection is there after all, Unavailable, Interrupted.
        """
        hands = self._few if _few(records) else self._many
        # The largest first: its indexes take longest to build, and that goes on beside all the rest.
        stored = sorted(records, key=lambda c: -c.logical_bytes)
        for collection in stored:
            if collection.name not in kept:
                self._target.create(collection.name, collection.options, collection.type)
                self._created(collection)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="indexes") as builder:
            builds: list[Future[None]] = []

            def build(collection: CollectionRecord) -> None:
                builds.append(builder.submit(self._build, collection))

            hands.write(stored, titles, build if self._catch_up is None else lambda _: None)
            self._progress.phase("Verifying")
            begin = monotonic()
            problems = list(self._compare(hands, stored, titles))
            self.proof_seconds += monotonic() - begin
            if self._catch_up and not problems:
                self._catch_up(stored)
                for collection in stored:
                    build(collection)
            for one in builds:
                one.result()
        for collection in stored:
            expiring = [index for index in collection.indexes if _expires(index)]
            self._target.create_indexes(collection.name, collection.options, expiring)
        return problems

    def _compare(self, hands: Hands, stored: Sequence[CollectionRecord], titles: Titles) -> Iterator[str]:
        catalogue = {c.name: c for c in self._target.catalogue()}
        sums = hands.sums(stored, catalogue, titles)
        for collection in stored:
            title, found = titles[collection.name], sums.get(collection.name)
            if found is None:
                yield f"Collection {title!r} is not in the target after the restore."
            elif found.documents != collection.documents:
                yield f"Collection {title!r} has {found.documents} documents; the backup has {collection.documents}."
            elif f"{found.document_hash:064x}" != collection.document_hash:
                yield f"Collection {title!r} has other documents than the backup."

    def _build(self, collection: CollectionRecord) -> None:
        indexes = [index for index in collection.indexes if not _expires(index)]
        self._target.create_indexes(collection.name, collection.options, indexes)


def _few(records: Sequence[CollectionRecord]) -> bool:
    return sum(c.logical_bytes for c in records) < WORTH_A_CREW


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
