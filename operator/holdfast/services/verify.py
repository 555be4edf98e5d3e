"""Prove that a backup can be read: that every chunk is there, and with ``read_data`` that each holds what it held."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from os import cpu_count
from threading import Event

from holdfast.errors import DamagedBackup, Interrupted
from holdfast.repository.chunks import HASH_MODULUS, ChunkRef, document_hash
from holdfast.repository.manifest import CollectionRecord, Manifest
from holdfast.repository.repository import Repository

_AHEAD = 8


@dataclass(frozen=True)
class VerifyReport:
    """``problems`` is empty for a backup that can be restored; each entry names the collection and what is wrong."""

    chunks: int
    bytes_read: int
    problems: tuple[str, ...]

    @property
    def good(self) -> bool:
        return not self.problems


def verify(
    repository: Repository, manifest: Manifest, *, read_data: bool = False, stop: Event | None = None
) -> VerifyReport:
    """Given a committed manifest, look for every chunk that it needs.

    Structure (always): lists of chunks can be read, each chunk is in the store with its size, and the sums of counts,
    bytes and hashes are those of the manifest. ``read_data``: each chunk is read, proven by its id, parsed, counted
    and hashed. Raises StoreUnavailable, and Interrupted when ``stop`` is set; damage is reported, not raised.
    """
    problems: list[str] = []
    chunks = bytes_read = 0
    check = partial(_read if read_data else _look, repository)
    with ThreadPoolExecutor(max_workers=cpu_count() or 2, thread_name_prefix="verify") as pool:
        for collection in manifest.collections:
            if collection.error:
                continue
            try:
                refs = list(repository.chunk_refs(collection))
            except DamagedBackup as error:
                problems.append(f"Collection {collection.name!r}: {error}")
                continue
            chunks += len(refs)
            problems += [f"Collection {collection.name!r}: {problem}" for problem in _sums(collection, refs)]
            for start in range(0, len(refs), _AHEAD):
                if stop and stop.is_set():
                    raise Interrupted("The verification was asked to stop.")
                part = refs[start : start + _AHEAD]
                for found in pool.map(check, part):
                    problems += [f"Collection {collection.name!r}: {problem}" for problem in found]
                bytes_read += sum(ref.logical_bytes for ref in part) if read_data else 0
    return VerifyReport(chunks, bytes_read, tuple(problems))


def _sums(collection: CollectionRecord, refs: list[ChunkRef]) -> Iterator[str]:
    if (documents := sum(ref.documents for ref in refs)) != collection.documents:
        yield f"its chunks hold {documents} documents, the manifest says {collection.documents}."
    if (size := sum(ref.logical_bytes for ref in refs)) != collection.logical_bytes:
        yield f"its chunks hold {size} bytes, the manifest says {collection.logical_bytes}."
    if f"{sum(ref.document_hash for ref in refs) % HASH_MODULUS:064x}" != collection.document_hash:
        yield "the hash of its documents is not that of the manifest."


def _look(repository: Repository, ref: ChunkRef) -> list[str]:
    size = repository.chunk_size(ref.id)
    if size is None:
        return [f"chunk {ref.id.hex()} is missing from {repository.store.address}."]
    return []


def _read(repository: Repository, ref: ChunkRef) -> list[str]:
    try:
        data = repository.read_chunk(ref.id)
        hashed, count = document_hash(data)
    except DamagedBackup as error:
        return [str(error)]
    if (hashed, count, len(data)) != (ref.document_hash, ref.documents, ref.logical_bytes):
        return [f"chunk {ref.id.hex()} does not hold what its list says."]
    return []
