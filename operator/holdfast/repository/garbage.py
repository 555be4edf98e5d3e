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
from itertools import islice

from holdfast.errors import DamagedBackup
from holdfast.repository.locks import Lock
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import CHUNKS, MANIFESTS, PENDING, Repository
from holdfast.repository.shared_work import chunks_of_shared_work

PENDING_AGE = timedelta(days=7)
_AT_ONCE = 1000
"""Chunks that are removed before the lock is looked at in the store once more; its lease is, before each request."""


@dataclass(frozen=True)
class Sweep:
    """What one sweep found and did. Bytes are stored ones."""

    removed_chunks: int
    freed_bytes: int


def sweep(repository: Repository, lock: Lock, now: datetime) -> Sweep:
    """Given an exclusive lock, remove unreferenced chunks. DamagedBackup, and nothing removed, if a manifest or a list
    of chunks cannot be read: what it needs is not known then. Raises StoreUnavailable; may be run again at any time.
    """
    needed = _needed(repository, now)
    store = repository.store
    removed = freed = 0
    garbage = ((key, size) for key, chunk_id, size in _chunks_there(repository) if chunk_id not in needed)
    while some := list(islice(garbage, _AT_ONCE)):
        lock.check()
        store.delete_many([key for key, _ in some], lock.check_lease)
        removed, freed = removed + len(some), freed + sum(size for _, size in some)
    return Sweep(removed, freed)


def _chunks_there(repository: Repository) -> Iterator[tuple[str, bytes, int]]:
    """Their keys, ids and sizes, one by one: of a large repository there are millions."""
    for key, size in repository.store.sizes(CHUNKS):
        with suppress(ValueError):  # not one of ours
            yield key, bytes.fromhex(key.rsplit("/", 1)[1]), size


def _needed(repository: Repository, now: datetime) -> set[bytes]:
    # In this order: what goes while we look is by then in an announcement, and that in a manifest.
    needed = set(chunks_of_shared_work(repository, now))
    read: set[str] = set()
    for prefix in (PENDING, MANIFESTS):
        for key in list(repository.store.keys(prefix)):
            manifest = repository.read_manifest(key)
            if manifest is None:
                continue
            if prefix == PENDING and _settled(repository, manifest, now):
                repository.store.delete(key)
                continue
            for list_id in _lists(manifest):
                needed.add(bytes.fromhex(list_id))
                if list_id not in read:  # most lists are those of the backup before
                    try:
                        needed.update(ref.id for ref in repository.refs_in((list_id,)))
                        read.add(list_id)
                    except DamagedBackup:
                        if prefix == MANIFESTS:
                            raise
    return needed


def _settled(repository: Repository, manifest: Manifest, now: datetime) -> bool:
    """Whether an announcement has served: its backup is committed, or it is too old for anyone to commit."""
    return repository.find(manifest.backup_id) is not None or now - manifest.completion_time > PENDING_AGE


def _lists(manifest: Manifest) -> Iterator[str]:
    return (list_id for record in manifest.stored for list_id in record.chunk_lists)
