"""What a restore is made of: to insert some chunks of a collection, and to read a stretch of it again."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from threading import Event

from holdfast.errors import CollectionFailed, HoldfastError, Interrupted
from holdfast.ports import CollectionInfo, KeyRange, Target
from holdfast.repository.chunks import HASH_MODULUS
from holdfast.repository.repository import Repository
from holdfast.services.crew import Advanced, Crew, Work


@dataclass(frozen=True)
class Insertion:
    """Chunks to be read, proven by their ids, and inserted one after the other."""

    collection: CollectionInfo
    chunks: tuple[bytes, ...]
    documents: int
    """That the chunks hold by their list."""


@dataclass(frozen=True)
class Reading:
    """A stretch of a restored collection, to be compared with what was backed up."""

    collection: CollectionInfo
    keys: KeyRange


RestoreTask = Insertion | Reading


@dataclass(frozen=True)
class Sum:
    """``document_hash``: as a list of chunks has it."""

    documents: int
    bytes: int
    document_hash: int = 0


RestoreCrew = Crew[RestoreTask, Sum, Sum]


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
            return _read(task, target, stop)
        except HoldfastError as error:
            return error

    return work


def _insert(
    task: Insertion, target: Target, repository: Repository, advanced: Advanced[RestoreTask, Sum], stop: Event
) -> Sum:
    documents = size = 0
    for chunk_id in task.chunks:
        if stop.is_set():
            raise Interrupted(
                f"The restore was stopped in collection {task.collection.name!r}.", hint="It is not complete."
            )
        data = repository.read_chunk(chunk_id)
        documents += target.insert(task.collection, data)
        size += len(data)
        advanced(task, Sum(documents, size))
    if documents != task.documents:
        raise CollectionFailed(
            f"The chunks of collection {task.collection.name!r} hold {documents} documents where their list says "
            f"{task.documents}."
        )
    return Sum(documents, size)


def _read(task: Reading, target: Target, stop: Event) -> Sum:
    documents = size = total = 0
    for batch in target.read(task.collection, None, task.keys):
        if stop.is_set():
            raise Interrupted("The comparison after the restore was asked to stop.")
        documents += len(batch)
        size += sum(map(len, batch))
        total += sum(int.from_bytes(sha256(document).digest(), "big") for document in batch)
    return Sum(documents, size, total % HASH_MODULUS)
