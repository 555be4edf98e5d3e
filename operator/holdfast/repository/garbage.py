"""Find and remove what no backup needs: chunks of interrupted attempts and of removed backups.

Mark, then sweep, under an exclusive lock. Marked are the chunks of every committed manifest, and of every pending one:
a backup announces its manifest as pending, checks that its lock still stands, and only then commits. So a backup that
was taken for dead is either seen here by its announcement, or finds its lock broken and does not commit. The parts of
a backup that several pods take (:mod:`holdfast.repository.shared_work`) are marked and announced in the same way.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.errors import DamagedBackup
from holdfast.repository.locks import Lock
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import CHUNKS, MANIFESTS, PENDING, Repository
from holdfast.repository.shared_work import chunks_of_shared_work

PENDING_AGE = timedelta(days=7)
_CHECK_EVERY = 100


@dataclass(frozen=True)
class Sweep:
    """What one sweep found and did. Bytes are stored ones."""

    kept_chunks: int
    removed_chunks: int
    freed_bytes: int


def sweep(repository: Repository, lock: Lock, now: datetime) -> Sweep:
    """Given an exclusive lock, remove unreferenced chunks. DamagedBackup, and nothing removed, if a manifest or a list
    of chunks cannot be read: what it needs is not known then. Raises StoreUnavailable; may be run again at any time.
    """
    needed = set(_needed(repository, now))
    store = repository.store
    removed = freed = 0
    for key in _keys(repository):
        if bytes.fromhex(key.rsplit("/", 1)[1]) in needed:
            continue
        if removed % _CHECK_EVERY == 0:
            lock.check()
        freed += store.size(key) or 0
        lock.check_lease()
        store.delete(key)
        removed += 1
    return Sweep(len(needed), removed, freed)


def _keys(repository: Repository) -> Iterator[str]:
    for key in list(repository.store.keys(CHUNKS)):
        with suppress(ValueError):  # not one of ours
            bytes.fromhex(key.rsplit("/", 1)[1])
            yield key


def _needed(repository: Repository, now: datetime) -> Iterator[bytes]:
    # In this order: what goes while we look is by then in an announcement, and that in a manifest.
    yield from chunks_of_shared_work(repository, now)
    for prefix in (PENDING, MANIFESTS):
        for key in list(repository.store.keys(prefix)):
            manifest = repository.read_manifest(key)
            if manifest is None:
                continue
            if prefix == PENDING and _settled(repository, manifest, now):
                repository.store.delete(key)
                continue
            yield from _chunks(repository, manifest, required=prefix == MANIFESTS)


def _settled(repository: Repository, manifest: Manifest, now: datetime) -> bool:
    """Whether an announcement has served: its backup is committed, or it is too old for anyone to commit."""
    return repository.find(manifest.backup_id) is not None or now - manifest.completion_time > PENDING_AGE


def _chunks(repository: Repository, manifest: Manifest, *, required: bool) -> Iterator[bytes]:
    for collection in manifest.collections:
        yield from (bytes.fromhex(list_id) for list_id in collection.chunk_lists)
        try:
            yield from (ref.id for ref in repository.chunk_refs(collection))
        except DamagedBackup:
            if required:
                raise
