"""The chunks that backups need, each once and one by one, and what their lists say of each collection."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from holdfast.errors import DamagedBackup
from holdfast.repository.chunks import HASH_MODULUS, ChunkRef
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository


@dataclass(frozen=True)
class Damage:
    """What is wrong, and which backups cannot be restored in full because of it."""

    problem: str
    backups: tuple[str, ...]

    def __str__(self) -> str:
        return self.problem


@dataclass(frozen=True)
class _Sums:
    """Of the chunks of one list."""

    documents: int
    logical_bytes: int
    document_hash: int


class NeededChunks:
    """Iterate once: gives each chunk once. ``count`` and ``damage`` are complete when that has ended.

    ``damage``: lists that cannot be read, and sums that do not add up. Held are the ids, and the sums of each list.
    """

    def __init__(self, repository: Repository, manifests: Sequence[Manifest]) -> None:
        self._repository, self._manifests = repository, manifests
        self._seen: set[bytes] = set()
        self._lists: dict[str, _Sums] = {}
        self.damage: list[Damage] = []

    @property
    def count(self) -> int:
        return len(self._seen)

    def __iter__(self) -> Iterator[ChunkRef]:
        for manifest in self._manifests:
            for collection in manifest.stored:
                problems: Sequence[str] = ()
                try:
                    for list_id in collection.chunk_lists:
                        if list_id not in self._lists:  # backups share lists as they share chunks
                            yield from self._read(list_id)
                    problems = _differences(collection, [self._lists[list_id] for list_id in collection.chunk_lists])
                except DamagedBackup as error:
                    problems = (str(error),)
                for problem in problems:
                    self.damage.append(Damage(f"Collection {collection.name!r}: {problem}", (manifest.backup_id,)))

    def _read(self, list_id: str) -> Iterator[ChunkRef]:
        refs = list(self._repository.refs_in((list_id,)))
        self._lists[list_id] = _Sums(
            sum(ref.documents for ref in refs),
            sum(ref.logical_bytes for ref in refs),
            sum(ref.document_hash for ref in refs),
        )
        for ref in refs:
            if ref.id not in self._seen:
                self._seen.add(ref.id)
                yield ref

    def users(self, chunks: Collection[bytes]) -> Iterator[tuple[bytes, str, tuple[str, ...]]]:
        """Of each of these chunks: a collection that has it, and the backups that need it. Reads all lists again."""
        found: dict[bytes, tuple[str, dict[str, None]]] = {}
        for manifest in self._manifests if chunks else ():
            for collection in manifest.stored:
                readable = (list_id for list_id in collection.chunk_lists if list_id in self._lists)
                for ref in self._repository.refs_in(readable):
                    if ref.id in chunks:
                        found.setdefault(ref.id, (collection.name, {}))[1][manifest.backup_id] = None
        for chunk_id, (name, backups) in found.items():
            yield chunk_id, name, tuple(backups)


def _differences(collection: CollectionRecord, lists: Sequence[_Sums]) -> list[str]:
    """What the manifest says of a collection, and its lists do not."""
    documents = sum(one.documents for one in lists)
    size = sum(one.logical_bytes for one in lists)
    problems = []
    if documents != collection.documents:
        problems.append(f"its chunks hold {documents} documents, the manifest says {collection.documents}.")
    if size != collection.logical_bytes:
        problems.append(f"its chunks hold {size} bytes, the manifest says {collection.logical_bytes}.")
    if f"{sum(one.document_hash for one in lists) % HASH_MODULUS:064x}" != collection.document_hash:
        problems.append("the hash of its documents is not that of the manifest.")
    return problems
