"""Who writes the documents of a restore and reads them again: the processes of this pod, or those of several
(:mod:`holdfast.services.many_hands`)."""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Protocol

from holdfast.errors import HoldfastError
from holdfast.ports import Advance, CollectionInfo, Progress, Target
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.read_back import ReadBack
from holdfast.services.restore_work import Insertion, RestoreCrew, RestoreTask, Sum, insertions

Titles = Mapping[str, str]
"""How the collection of a name is called to people."""
Written = Callable[[CollectionRecord], object]
"""Told of a collection in which all of its documents are."""


class Hands(Protocol):
    """Do the work on documents. Both raise what a crew does."""

    def write(self, stored: Sequence[CollectionRecord], titles: Titles, written: Written) -> None:
        """Insert the documents of collections that are there and empty."""
        ...

    def sums(
        self, stored: Sequence[CollectionRecord], there: Mapping[str, CollectionInfo], titles: Titles
    ) -> Mapping[str, Sum]:
        """Read what is in these collections now. ``there``: as the target has them."""
        ...


class OwnHands:
    """Implements Hands: a crew of this pod does all of it."""

    def __init__(
        self,
        repository: Repository,
        target: Target,
        progress: Progress,
        stop: Event,
        crew: RestoreCrew,
        check: Callable[[], object],
    ) -> None:
        self.repository, self.target, self.progress = repository, target, progress
        self.stop, self.crew, self.check = stop, crew, check

    def write(
        self,
        stored: Sequence[CollectionRecord],
        titles: Titles,
        written: Written,
        *,
        of: Sequence[CollectionRecord] | None = None,
    ) -> None:
        """``of``: what progress is told of, where that is more."""
        records = {c.name: c for c in stored}
        missing = {c.name: c.chunks for c in stored}
        steps: dict[RestoreTask, Sum] = {}  # of what is under way; there may be a million tasks
        done_documents = done_bytes = 0
        whole = size_of(stored if of is None else of)

        def advanced(task: RestoreTask, step: Sum) -> None:
            steps[task] = step
            documents = done_documents + sum(s.documents for s in steps.values())
            size = done_bytes + sum(s.bytes for s in steps.values())
            title = titles[task.collection.name]
            self.progress.advance(Advance(title, documents, size, 0, whole.documents, whole.bytes))

        for collection in stored:
            if not collection.chunks:
                written(collection)
        tasks = (task for c in stored for task in insertions(c.info, self.repository.chunk_refs(c)))
        for task, result in self.crew.work(tasks, advanced, self.stop):
            if isinstance(result, HoldfastError):
                raise result
            steps.pop(task, None)
            done_documents, done_bytes = done_documents + result.documents, done_bytes + result.bytes
            self.check()
            if isinstance(task, Insertion):
                name = task.collection.name
                missing[name] -= len(task.chunks)
                if not missing[name]:
                    written(records[name])

    def sums(
        self, stored: Sequence[CollectionRecord], there: Mapping[str, CollectionInfo], titles: Titles
    ) -> Mapping[str, Sum]:
        del titles  # nobody is told
        return ReadBack(self.repository, self.target, self.crew, self.stop, self.check).sums(stored, there)


def size_of(records: Sequence[CollectionRecord]) -> Sum:
    return Sum(sum(c.documents for c in records), sum(c.logical_bytes for c in records))
