"""What a restore is made of: to insert some chunks of a collection, and to read all or a stretch of it again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from itertools import islice
from threading import Event

from holdfast.errors import CollectionFailed, HoldfastError, Interrupted
from holdfast.ports import CollectionInfo, KeyRange, Target
from holdfast.repository.chunks import HASH_MODULUS, ChunkRef
from holdfast.repository.repository import Repository
from holdfast.services.crew import Advanced, Crew, Work


@dataclass(frozen=True)
class Insertion:
    """Chunks to be read, proven by their ids, and inserted one after the other."""

    collection: CollectionInfo
    chunks: tuple[tuple[bytes, int], ...]
    """Their ids, and how many documents each holds by the list of chunks."""
    once_into: bytes | None = None
    """As :meth:`holdfast.ports.Target.insert` takes it."""


@dataclass(frozen=True)
class Reading:
    """A stretch of a restored collection, to be compared with what was backed up."""

    collection: CollectionInfo
    keys: KeyRange


@dataclass(frozen=True)
class Sweep:
    """A restored collection, or so many documents of it from one end, in the order in which the server keeps them."""

    collection: CollectionInfo
    documents: int | None = None
    backwards: bool = False


RestoreTask = Insertion | Reading | Sweep


@dataclass(frozen=True)
class Sum:
    """``document_hash``: as a list of chunks has it. ``edge``: the hash of the document where the two halves of a
    collection meet, which is the one behind the first half, and the last one of the other."""

    documents: int
    bytes: int
    document_hash: int = 0
    edge: str = ""


def total(sums: Iterable[Sum]) -> Sum:
    """Of several parts."""
    found = list(sums)
    return Sum(
        sum(one.documents for one in found),
        sum(one.bytes for one in found),
        sum(one.document_hash for one in found) % HASH_MODULUS,
    )


RestoreCrew = Crew[RestoreTask, Sum, Sum]

_CHUNKS_AT_ONCE = 4


def insertions(
    collection: CollectionInfo, refs: Iterator[ChunkRef], *, once_into: bytes | None = None
) -> Iterator[Insertion]:
    """A few chunks each; all of them for a capped collection, of which the order is a part."""
    step = None if collection.capped else _CHUNKS_AT_ONCE
    while part := list(islice(refs, step)):
        yield Insertion(collection, tuple((ref.id, ref.documents) for ref in part), once_into)


@contextmanager
def restore_work(
    opener: Callable[[], AbstractContextManager[tuple[Target, Repository]]],
) -> Iterator[Work[RestoreTask, Sum, Sum]]:
    """Opens a target and a repository, and works on them."""
    with opener() as (target, repository):
        repository.open()
        yield worker(target, repository)


def worker(target: Target, repository: Repository) -> Work[RestoreTask, Sum, Sum]:
    def work(task: RestoreTask, advanced: Advanced[RestoreTask, Sum], stop: Event) -> Sum | HoldfastError:
        try:
            if isinstance(task, Insertion):
                return _insert(task, target, repository, advanced, stop)
            if isinstance(task, Sweep):
                return _sweep(task, target, stop)
            return _sum(target.read(task.collection, None, task.keys), stop)
        except HoldfastError as error:
            return error

    return work


def _insert(
    task: Insertion, target: Target, repository: Repository, advanced: Advanced[RestoreTask, Sum], stop: Event
) -> Sum:
    documents = size = 0
    for chunk_id, count in task.chunks:
        if stop.is_set():
            raise Interrupted(
                f"The restore was stopped in collection {task.collection.name!r}.", hint="It is not complete."
            )
        data = repository.read_chunk(chunk_id)
        inserted = target.insert(task.collection, data, count=count, once_into=task.once_into)
        if inserted != count:
            raise CollectionFailed(
                f"A chunk of collection {task.collection.name!r} holds {inserted} documents; its list says {count}."
            )
        documents += inserted
        size += len(data)
        advanced(task, Sum(documents, size))
    return Sum(documents, size)


def _sweep(task: Sweep, target: Target, stop: Event) -> Sum:
    if task.documents is None:
        return _sum(target.sweep(task.collection), stop)
    last = b""

    def batches(most: int) -> Iterator[Sequence[bytes]]:
        nonlocal last
        for batch in target.sweep(task.collection, backwards=task.backwards, most=most):
            last = batch[-1]
            yield batch

    found = _sum(batches(task.documents + (0 if task.backwards else 1)), stop)
    edge = sha256(last).hexdigest() if last else ""
    if task.backwards:
        return replace(found, edge=edge)
    if found.documents <= task.documents:
        return found  # nothing is behind it
    rest = (found.document_hash - int(edge, 16)) % HASH_MODULUS
    return Sum(found.documents - 1, found.bytes - len(last), rest, edge)


def _sum(batches: Iterator[Sequence[bytes]], stop: Event) -> Sum:
    documents = size = total = 0
    for batch in batches:
        if stop.is_set():
            raise Interrupted("The comparison after the restore was asked to stop.")
        documents += len(batch)
        size += sum(map(len, batch))
        total += sum(int.from_bytes(sha256(document).digest(), "big") for document in batch)
    return Sum(documents, size, total % HASH_MODULUS)
