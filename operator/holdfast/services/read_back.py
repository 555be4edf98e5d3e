"""Read collections again that were restored, as fast as the server gives them, and say what all is there.

In the order in which the server keeps them, which costs it a third of what the order of keys does. A large collection
is read from both ends by two, each so many documents that they meet where there are as many as there should be. Where
they do not meet, nothing is concluded from it: the collection is read once more, by ranges of keys.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from threading import Event

from holdfast.errors import HoldfastError
from holdfast.ports import CollectionInfo, Estimate, KeyRange, Target
from holdfast.repository.manifest import CollectionRecord
from holdfast.repository.repository import Repository
from holdfast.services.divide import divide, divided
from holdfast.services.restore_work import Reading, RestoreCrew, RestoreTask, Sum, Sweep, total

_WORTH_TWO = 16 * 1024 * 1024
"""Raw bytes. Less is read by one before a second has begun."""


class ReadBack:
    """``check`` is called between steps, and raises where the work must not go on."""

    def __init__(
        self,
        repository: Repository,
        target: Target,
        crew: RestoreCrew,
        stop: Event,
        check: Callable[[], object],
    ) -> None:
        self._repository, self._target, self._crew = repository, target, crew
        self._stop, self._check = stop, check

    def sums(self, stored: Sequence[CollectionRecord], there: Mapping[str, CollectionInfo]) -> Mapping[str, Sum]:
        """What is in each of these collections. ``there``: as the target has them now.

        Raises what reading does, and Interrupted.
        """
        present = [one for one in stored if one.name in there]
        found = {one.name: list[Sum]() for one in present}
        self._work((task for one in present for task in self._sweeps(one, there[one.name])), found)
        apart = [one for one in present if not _meet(found[one.name])]
        for one in apart:
            found[one.name].clear()
        self._work((task for one in apart for task in self._readings(one, there[one.name])), found)
        return {name: total(sums) for name, sums in found.items()}

    def _work(self, tasks: Iterator[RestoreTask], found: Mapping[str, list[Sum]]) -> None:
        for task, result in self._crew.work(tasks, lambda *_: None, self._stop):
            if isinstance(result, HoldfastError):
                raise result
            self._check()
            found[task.collection.name].append(result)

    def _sweeps(self, record: CollectionRecord, info: CollectionInfo) -> Iterator[RestoreTask]:
        # Only where no two documents are the same can the last one of each half tell that they met.
        if self._crew.size == 1 or record.logical_bytes < _WORTH_TWO or not self._target.can_divide(info):
            yield Sweep(info)
            return
        half = record.documents // 2
        yield Sweep(info, half)
        yield Sweep(info, record.documents - half, backwards=True)

    def _readings(self, record: CollectionRecord, info: CollectionInfo) -> Iterator[RestoreTask]:
        ranges = ranges_of(record, info, self._repository, self._target, further=self._crew.size > 1)
        return (Reading(info, keys) for keys in ranges)


def ranges_of(
    record: CollectionRecord, info: CollectionInfo, repository: Repository, target: Target, *, further: bool
) -> Iterator[KeyRange]:
    """Ranges of keys that together are a restored collection, by how its backup was divided; with ``further``, divided
    more where that is worth it."""
    estimate = Estimate(record.documents, record.logical_bytes)
    last = divided(repository.chunk_refs(record))
    return divide(target, info, None, last, estimate, further=further)


def _meet(halves: Sequence[Sum]) -> bool:
    """Whether the document behind the first half is the last one of the second; true of what was read as a whole."""
    return len({one.edge for one in halves}) == 1
