"""Prove that backups can be read: that every chunk is there, and with ``read_data`` that each holds what it held.

A chunk that several backups share is looked at once; a problem with it names all of them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from os import cpu_count
from threading import Event

from holdfast.errors import DamagedBackup, HoldfastError, Interrupted
from holdfast.repository.chunks import HASH_MODULUS, ChunkRef
from holdfast.repository.documents import split
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository
from holdfast.services.crew import Advanced, Alone, Crew, Work

WORTH_A_CREW = 32 * 1024 * 1024
"""Raw bytes. Less is read before other processes have begun."""
_AT_ONCE = 8


@dataclass(frozen=True)
class Proof:
    """Chunks to be looked for; with ``read_data``, to be read."""

    refs: tuple[ChunkRef, ...]
    read_data: bool


Problems = tuple[str | None, ...]
"""What is wrong with each chunk, if anything."""
VerifyCrew = Crew[Proof, None, Problems]


@dataclass(frozen=True)
class Damage:
    """What is wrong, and which backups cannot be restored in full because of it."""

    problem: str
    backups: tuple[str, ...]

    def __str__(self) -> str:
        return self.problem


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


@dataclass
class _Chunk:
    """A chunk that is needed: as which collection knows it, and by which backups."""

    ref: ChunkRef
    collection: str
    backups: list[str] = field(default_factory=list)


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
    damage: list[Damage] = []
    needed = _needed(repository, [manifest], damage)
    return _report(repository, 1, needed, damage, crew, read_data=read_data, stop=stop)


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
    needed = _needed(repository, manifests, damage)
    return _report(repository, len(manifests), needed, damage, crew, read_data=read_data, stop=stop)


def verify_these(repository: Repository, manifests: Sequence[Manifest], *, stop: Event | None = None) -> VerifyReport:
    """The structure of these backups."""
    damage: list[Damage] = []
    needed = _needed(repository, manifests, damage)
    return _report(repository, len(manifests), needed, damage, None, read_data=False, stop=stop)


def _needed(repository: Repository, manifests: Sequence[Manifest], damage: list[Damage]) -> dict[bytes, _Chunk]:
    """Each chunk once. Lists that cannot be read, and sums that do not add up, go to ``damage``."""
    needed: dict[bytes, _Chunk] = {}
    lists: dict[tuple[str, ...], list[ChunkRef]] = {}
    for manifest in manifests:
        for collection in manifest.collections:
            if collection.error:
                continue
            try:
                # Backups share lists as they share chunks.
                if collection.chunk_lists not in lists:
                    lists[collection.chunk_lists] = list(repository.chunk_refs(collection))
                refs = lists[collection.chunk_lists]
            except DamagedBackup as error:
                damage.append(Damage(f"Collection {collection.name!r}: {error}", (manifest.backup_id,)))
                continue
            damage += (
                Damage(f"Collection {collection.name!r}: {problem}", (manifest.backup_id,))
                for problem in _sums(collection, refs)
            )
            for ref in refs:
                chunk = needed.setdefault(ref.id, _Chunk(ref, collection.name))
                if chunk.backups[-1:] != [manifest.backup_id]:
                    chunk.backups.append(manifest.backup_id)
    return needed


def _report(
    repository: Repository,
    backups: int,
    needed: dict[bytes, _Chunk],
    damage: list[Damage],
    crew: VerifyCrew | None,
    *,
    read_data: bool,
    stop: Event | None,
) -> VerifyReport:
    size = sum(chunk.ref.logical_bytes for chunk in needed.values())
    alone = Alone(prover(repository, cpu_count() or 2))
    tasks = (Proof(tuple(refs), read_data) for refs in _parts((chunk.ref for chunk in needed.values()), _AT_ONCE))
    chosen = crew if crew and read_data and size >= WORTH_A_CREW else alone
    for task, problems in chosen.work(tasks, lambda *_: None, stop or Event()):
        if isinstance(problems, HoldfastError):
            raise problems
        for ref, problem in zip(task.refs, problems, strict=True):
            if problem:
                chunk = needed[ref.id]
                damage.append(Damage(f"Collection {chunk.collection!r}: {problem}", tuple(chunk.backups)))
    return VerifyReport(backups, len(needed), size if read_data else 0, tuple(damage))


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


def _sums(collection: CollectionRecord, refs: list[ChunkRef]) -> Iterator[str]:
    if (documents := sum(ref.documents for ref in refs)) != collection.documents:
        yield f"its chunks hold {documents} documents, the manifest says {collection.documents}."
    if (size := sum(ref.logical_bytes for ref in refs)) != collection.logical_bytes:
        yield f"its chunks hold {size} bytes, the manifest says {collection.logical_bytes}."
    if f"{sum(ref.document_hash for ref in refs) % HASH_MODULUS:064x}" != collection.document_hash:
        yield "the hash of its documents is not that of the manifest."


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
