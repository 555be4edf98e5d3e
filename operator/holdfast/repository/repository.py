"""A repository: chunks and manifests in a store.

Keys: ``holdfast.json`` (the format marker), ``chunks/ab/abcd…``, ``backups/<backup id>``, ``pending/<backup id>/…`` (a
manifest about to be committed), ``locks/…``. Objects are created once and never changed.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from hashlib import sha256

import zstandard

from holdfast.errors import BackupNotFound, DamagedBackup
from holdfast.ports import Labels, Store, Witness
from holdfast.repository.chunks import ChunkRef, read_list
from holdfast.repository.cipher import Cipher, Clear
from holdfast.repository.locks import NOBODY, Lock
from holdfast.repository.manifest import CollectionRecord, Manifest, timestamp
from holdfast.repository.marker import MARKER, cipher_of, new_marker

CHUNKS = "chunks/"
MANIFESTS = "backups/"
PENDING = "pending/"
_OBJECT_LIMIT = 256 * 1024 * 1024
"""No chunk, list of chunks or manifest is larger, raw; more is damage, not data."""


class Repository:
    """Reads and writes the format. Raises StoreUnavailable and its kin from the store, DamagedBackup on bad bytes."""

    def __init__(
        self, store: Store, *, compression_level: int = 3, key: bytes | None = None, witness: Witness = NOBODY
    ) -> None:
        """``key``: 32 bytes that encrypt the repository, or None for one in the clear. ``open`` comes first.

        ``witness``: for whoever locks it."""
        self.store, self.witness = store, witness
        self._level, self._key = compression_level, key
        self._cipher: Cipher = Clear()

    def open(self, *, create: bool = False) -> None:
        """Check the format marker and the key; with ``create``, write the marker where there is none.

        RepositoryTooNew if a newer release wrote the repository; BackupNotFound if there is none to read; InvalidKey
        if the key is missing, another one, or given for a repository in the clear.
        """
        data = self.store.read(MARKER)
        if data is None:
            if not create:
                raise BackupNotFound(
                    f"There is no repository in {self.store.address}.",
                    hint="Check the address, or take a first backup into it.",
                )
            self.store.create(MARKER, new_marker(self._key))
            data = self.store.read(MARKER)  # another writer may have been first
        self._cipher = cipher_of(data or b"", self._key, self.store.address)

    def close(self) -> None:
        self.store.close()

    # --- chunks ---------------------------------------------------------------------------------------------------

    def identity(self, data: bytes) -> bytes:
        """The id of the chunk that holds these raw bytes."""
        return self._cipher.identity(data)

    def chunk_size(self, chunk_id: bytes) -> int | None:
        """Stored bytes of a chunk, or None if the store does not have it whole."""
        return self.store.size(_chunk_key(chunk_id))

    def put_chunk(self, chunk_id: bytes, data: bytes, *, namespace: str, documents: int) -> tuple[int, int]:
        """Make sure that a chunk is stored; returns its stored size, and how much of it is new.

        A chunk of another backup, or of an attempt that was interrupted, is found and used.
        """
        if (size := self.chunk_size(chunk_id)) is not None:
            return size, 0
        size, new = self.write_chunk(chunk_id, data, namespace=namespace, documents=documents)
        return size, size if new else 0

    def write_chunk(self, chunk_id: bytes, data: bytes, *, namespace: str, documents: int) -> tuple[int, bool]:
        """Store a chunk under the id of its bytes; returns the stored size, and whether it was not there before."""
        labels: Labels = {"namespace": namespace, "documents": documents, "logicalBytes": len(data)}
        if self._cipher.encrypted:
            labels = {}  # which collection a chunk is of would be told to whoever can read the store
        key = _chunk_key(chunk_id)
        stored = self._cipher.seal(key, zstandard.ZstdCompressor(level=self._level).compress(data))
        return len(stored), self.store.create(key, stored, labels)

    def read_chunk(self, chunk_id: bytes) -> bytes:
        """The raw bytes of a chunk, proven by its id. DamagedBackup if it is missing or not what was stored."""
        key = _chunk_key(chunk_id)
        stored = self.store.read(key)
        if stored is None:
            raise DamagedBackup(f"Chunk {chunk_id.hex()} is missing from {self.store.address}.")
        data = _decompress(self._cipher.open(key, stored), f"Chunk {chunk_id.hex()} in {self.store.address}")
        if self.identity(data) != chunk_id:
            raise DamagedBackup(f"Chunk {chunk_id.hex()} in {self.store.address} holds other data.")
        return data

    def chunk_refs(self, collection: CollectionRecord) -> Iterator[ChunkRef]:
        """The chunks of a collection, in order."""
        return self.refs_in(collection.chunk_lists)

    def refs_in(self, lists: Iterable[str]) -> Iterator[ChunkRef]:
        """The chunks that these lists name, in order."""
        for list_id in lists:
            yield from read_list(self.read_chunk(bytes.fromhex(list_id)))

    # --- other objects --------------------------------------------------------------------------------------------

    def put_object(self, key: str, data: bytes) -> bool:
        """Store bytes under a key of their own, compressed and sealed like a chunk. True if they were not there."""
        compressor = zstandard.ZstdCompressor(level=self._level, write_checksum=True)
        return self.store.create(key, self._cipher.seal(key, compressor.compress(data)))

    def read_object(self, key: str) -> bytes:
        """What ``put_object`` stored. DamagedBackup if it is missing, or not what was stored."""
        data = self.find_object(key)
        if data is None:
            raise DamagedBackup(f"{key} is missing from {self.store.address}.")
        return data

    def find_object(self, key: str) -> bytes | None:
        """The same, or None if it is missing."""
        stored = self.store.read(key)
        if stored is None:
            return None
        return _decompress(self._cipher.open(key, stored), f"{key} in {self.store.address}")

    # --- manifests ------------------------------------------------------------------------------------------------

    def commit(self, manifest: Manifest, lock: Lock) -> Manifest:
        """Store the manifest: from here on the backup exists. Returns what is committed under its id.

        The manifest is announced first, so that a sweep which broke our lock either is seen by ``lock.check`` or sees
        the announcement. RepositoryBusy if the lock was lost: chunks may be gone, so nothing is committed.
        """
        pending, key = f"{PENDING}{manifest.backup_id}/{lock.token}", MANIFESTS + manifest.backup_id
        data = zstandard.ZstdCompressor(level=self._level).compress(manifest.to_json())
        self.store.create(pending, self._cipher.seal(pending, data))
        lock.check()
        self.store.create(key, self._cipher.seal(key, data), _labels(manifest))
        self.store.delete(pending)
        committed = self.find(manifest.backup_id)
        if committed is None:
            raise DamagedBackup(
                f"The manifest of {manifest.backup_id} is not in {self.store.address} after writing it."
            )
        return committed

    def find(self, backup_id: str) -> Manifest | None:
        """The manifest of exactly this id, or None."""
        manifest = self.read_manifest(MANIFESTS + backup_id)
        if manifest and manifest.backup_id != backup_id:
            raise DamagedBackup(
                f"The manifest of backup {backup_id} in {self.store.address} is that of {manifest.backup_id}."
            )
        return manifest

    def read_manifest(self, key: str) -> Manifest | None:
        """The manifest, committed or pending, under a key of the store, or None."""
        stored = self.store.read(key)
        if stored is None:
            return None
        what = f"The manifest {key} in {self.store.address}"
        return Manifest.from_json(_decompress(self._cipher.open(key, stored), what), what)

    def remove(self, backup_id: str) -> None:
        """Remove a manifest: the backup is gone. Its chunks go with the next sweep. No error if there is none."""
        self.store.delete(MANIFESTS + backup_id)

    def backup_ids(self) -> list[str]:
        """The ids of all backups, newest first (an id starts with its time)."""
        return sorted((key.removeprefix(MANIFESTS) for key in self.store.keys(MANIFESTS)), reverse=True)

    def manifests(self, damaged: Callable[[DamagedBackup], object]) -> Iterator[Manifest]:
        """All backups, newest first. One whose manifest cannot be read is told to ``damaged``: it hides no other."""
        for backup_id in self.backup_ids():
            try:
                manifest = self.find(backup_id)
            except DamagedBackup as error:
                damaged(error)
                continue
            if manifest:  # else it was removed a moment ago
                yield manifest

    def resolve(self, name: str) -> Manifest:
        """The backup with this id, this unique prefix of an id, or ``latest``. BackupNotFound otherwise."""
        ids = self.backup_ids()
        matches = (
            ids[:1] if name == "latest" else [i for i in ids if i == name] or [i for i in ids if i.startswith(name)]
        )
        if not matches or not name:
            raise BackupNotFound(
                f"No backup {name!r} in {self.store.address}.", hint="`holdfast list` shows which there are."
            )
        if len(matches) > 1:
            raise BackupNotFound(
                f"{name!r} may be any of {len(matches)} backups: {', '.join(matches[:4])} …",
                hint="Give more of the id.",
            )
        manifest = self.find(matches[0])
        if manifest is None:
            raise BackupNotFound(f"Backup {matches[0]} was removed a moment ago.")
        return manifest


def new_backup_id(start: datetime, distinction: str) -> str:
    """An id that sorts by time: ``20261123T020000Z-1a2b3c4d``. The same inputs give the same id."""
    return f"{timestamp(start).replace('-', '').replace(':', '')}-{sha256(distinction.encode()).hexdigest()[:8]}"


def _labels(manifest: Manifest) -> Labels:
    """What of a manifest can be searched for in a store that keeps labels; in the clear, also with encryption."""
    return {
        "policy": f"{manifest.policy.namespace}/{manifest.policy.name}" if manifest.policy else "",
        "database": manifest.database,
        "startTime": manifest.start_time,
        "completionTime": manifest.completion_time,
        "consistency": manifest.consistency.level.value,
        "documents": manifest.documents,
        "logicalBytes": manifest.logical_bytes,
        "storedBytes": manifest.stored_bytes,
        "partial": int(manifest.partial),
    }


def _decompress(stored: bytes, what: str) -> bytes:
    """One zstd frame. The size that the frame claims is checked first: a flipped bit there asks for any memory."""
    try:
        if not 0 <= zstandard.frame_content_size(stored) <= _OBJECT_LIMIT:
            raise DamagedBackup(f"{what} is damaged: its header is wrong.")
        return zstandard.ZstdDecompressor().decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise DamagedBackup(f"{what} is damaged: it cannot be decompressed.") from error


def _chunk_key(chunk_id: bytes) -> str:
    name = chunk_id.hex()
    return f"{CHUNKS}{name[:2]}/{name}"
