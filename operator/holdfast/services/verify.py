"""Prove that backups can be read: that every chunk is there, and with ``read_data`` that each holds what it held.

A chunk that several backups share is looked at once; a problem with it names all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from os import cpu_count
from threading import Event

from holdfast.errors import DamagedBackup, HoldfastError, Interrupted
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.documents import split
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository
from holdfast.services.crew import Advanced, Alone, Crew, Work
from holdfast.services.needed_chunks import Damage, NeededChunks

WORTH_A_CREW = 32 * 1024 * 1024
"""Raw bytes. Less is read before other processes have begun."""
_AT_ONCE = 8
_LOOKS_AT_ONCE = 32
"""A store far away answers slowly, and to look costs us nothing."""


@dataclass(frozen=True)
class Proof:
    """Chunks to be looked for; with ``read_data``, to be read."""

    refs: tuple[ChunkRef, ...]
    read_data: bool


Problems = tuple[str | None, ...]
"""What is wrong with each chunk, if anything."""
VerifyCrew = Crew[Proof, None, Problems]


@dataclass(frozen=True)
class VerifyReport:
    """``damage`` is empty where all can be restored. ``bytes_read`` counts raw bytes, each chunk once."""

    backups: int
    chunks: int
    bytes_read: int
    damage: tuple[Damage, ...]

    @property
    def good(self) -> bool:
        return not self.damage

    @property
    def problems(self) -> tuple[str, ...]:
        return tuple(damage.problem for damage in self.damage)


def verify(
    repository: Repository,
    manifest: Manifest,
    *,
    read_data: bool = False,
    stop: Event | None = None,
    crew: VerifyCrew | None = None,
) -> VerifyReport:
    """Given a committed manifest, look for every chunk that it needs.

    ``crew`` reads the data of all but a small backup.

    Structure (always): lists of chunks can be read, each chunk is in the store, and the sums of counts, bytes and
    hashes are those of the manifest. ``read_data``: each chunk is read, proven by its id, parsed and counted.
    Raises StoreUnavailable, and Interrupted when ``stop`` is set; damage is reported, not raised.
    """
    return _verify(repository, [manifest], [], crew, read_data=read_data, stop=stop)


def verify_all(
    repository: Repository, *, read_data: bool = False, stop: Event | None = None, crew: VerifyCrew | None = None
) -> VerifyReport:
    """The same for every backup of a repository. A manifest that cannot be read is damage too."""
    damage: list[Damage] = []
    manifests = []
    for backup_id in repository.backup_ids():
        try:
            if manifest := repository.find(backup_id):
                manifests.append(manifest)
        except DamagedBackup as error:
            damage.append(Damage(str(error), (backup_id,)))
    return _verify(repository, manifests, damage, crew, read_data=read_data, stop=stop)


def verify_these(repository: Repository, manifests: Sequence[Manifest], *, stop: Event | None = None) -> VerifyReport:
    """The structure of these backups."""
    return _verify(repository, manifests, [], None, read_data=False, stop=stop)


def _verify(
    repository: Repository,
    manifests: Sequence[Manifest],
    damage: list[Damage],
    crew: VerifyCrew | None,
    *,
    read_data: bool,
    stop: Event | None,
) -> VerifyReport:
    """Of a chunk that is good, nothing is held but its id: there may be millions."""
    needed = NeededChunks(repository, manifests)
    chunks, large = _large(iter(needed))
    alone = Alone(prover(repository, cpu_count() or 2 if read_data else _LOOKS_AT_ONCE))
    chosen = crew if crew and read_data and large else alone
    at_once = _AT_ONCE if read_data else 4 * _LOOKS_AT_ONCE
    tasks = (Proof(tuple(refs), read_data) for refs in _parts(chunks, at_once))
    size = 0
    bad: dict[bytes, str] = {}
    for task, problems in chosen.work(tasks, lambda *_: None, stop or Event()):
        if isinstance(problems, HoldfastError):
            raise problems
        size += sum(ref.logical_bytes for ref in task.refs)
        bad |= {ref.id: problem for ref, problem in zip(task.refs, problems, strict=True) if problem}
    damage += needed.damage
    damage += (
        Damage(f"Collection {collection!r}: {bad[chunk_id]}", backups)
        for chunk_id, collection, backups in needed.users(bad)
    )
    return VerifyReport(len(manifests), needed.count, size if read_data else 0, tuple(damage))


def _large(chunks: Iterator[ChunkRef]) -> tuple[Iterator[ChunkRef], bool]:
    """The same chunks, and whether they are worth a crew."""
    first, size = [], 0
    for ref in chunks:
        first.append(ref)
        size += ref.logical_bytes
        if size >= WORTH_A_CREW:
            return chain(first, chunks), True
    return iter(first), False


@contextmanager
def proving_work(
    opener: Callable[[], AbstractContextManager[Repository]],
) -> Iterator[Work[Proof, None, Problems]]:
    """Opens a repository, and proves chunks of it."""
    with opener() as repository:
        repository.open()
        yield prover(repository, 1)


def prover(repository: Repository, threads: int) -> Work[Proof, None, Problems]:
    def work(task: Proof, advanced: Advanced[Proof, None], stop: Event) -> Problems | HoldfastError:
        del advanced
        check = partial(_read if task.read_data else _look, repository)
        if stop.is_set():
            return Interrupted("The verification was asked to stop.")
        try:
            if threads == 1:
                return tuple(map(check, task.refs))
            with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="verify") as pool:
                return tuple(pool.map(check, task.refs))
        except HoldfastError as error:
            return error

    return work


def _parts(refs: Iterable[ChunkRef], size: int) -> Iterator[list[ChunkRef]]:
    iterator = iter(refs)
    while part := list(islice(iterator, size)):
        yield part


def _look(repository: Repository, ref: ChunkRef) -> str | None:
    if repository.chunk_size(ref.id) is None:
        return f"chunk {ref.id.hex()} is missing from {repository.store.address}."
    return None


def _read(repository: Repository, ref: ChunkRef) -> str | None:
    try:
        data = repository.read_chunk(ref.id)
        count = sum(1 for _ in split(data))
    except DamagedBackup as error:
        return str(error)
    if (count, len(data)) != (ref.documents, ref.logical_bytes):
        return f"chunk {ref.id.hex()} does not hold what its list says."
    return None
