"""What a repository holds in all, and how much of it is shared between its backups."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from holdfast.errors import DamagedBackup
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository

_READERS = 8
"""Lists are small, and a store far away answers slowly: several are asked for at once."""


@dataclass(frozen=True)
class Totals:
    """Of all backups that can be read. Three facts, each by its own: sharing times compression is the reuse."""

    backups: int
    logical_bytes: int
    """Raw bytes of all backups, as if nothing were shared."""
    unique_bytes: int
    """Raw bytes of their chunks, each counted once."""
    stored_bytes: int
    """Bytes in the store of the chunks and lists that they need, each counted once; without manifests and garbage."""
    chunks: int
    damaged: int
    """Backups whose manifest or lists cannot be read; not counted above."""

    @property
    def sharing(self) -> float:
        """Raw bytes of all backups for each raw byte that is kept: what it saves that they have data in common."""
        return _ratio(self.logical_bytes, self.unique_bytes)

    @property
    def compression(self) -> float:
        """Raw bytes that are kept for each stored one."""
        return _ratio(self.unique_bytes, self.stored_bytes)

    @property
    def reuse(self) -> float:
        """Raw bytes of all backups for each stored one: what sharing and compressing save together."""
        return _ratio(self.logical_bytes, self.stored_bytes)


def totals(repository: Repository, manifests: Sequence[Manifest], unreadable: int = 0) -> Totals:
    """Given the backups of an open repository, read their lists of chunks, each once.

    ``unreadable``: how many other manifests could not be read. Chunks are not looked for: `verify` does that.
    """
    names = list(dict.fromkeys(name for manifest in manifests for name in _lists(manifest)))
    with ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="totals") as pool:
        lists = dict(zip(names, pool.map(lambda name: _list(repository, name), names), strict=True))
    chunks: dict[bytes, ChunkRef] = {}
    needed: set[str] = set()
    backups = logical = 0
    for manifest in manifests:
        found = [lists[name] for name in _lists(manifest)]
        if None in found:
            # One that was removed a moment ago is not damaged.
            unreadable += repository.find(manifest.backup_id) is not None
            continue
        for entry in found:
            if entry:
                chunks |= entry.refs
        needed |= set(_lists(manifest))
        backups += 1
        logical += manifest.logical_bytes
    return Totals(
        backups=backups,
        logical_bytes=logical,
        unique_bytes=sum(ref.logical_bytes for ref in chunks.values()),
        stored_bytes=sum(ref.stored_bytes for ref in chunks.values()) + sum(_size(lists[name]) for name in needed),
        chunks=len(chunks),
        damaged=unreadable,
    )


@dataclass(frozen=True)
class _List:
    refs: dict[bytes, ChunkRef]
    stored_bytes: int


def _lists(manifest: Manifest) -> list[str]:
    return [name for record in manifest.stored for name in record.chunk_lists]


def _list(repository: Repository, name: str) -> _List | None:
    try:
        refs = {ref.id: ref for ref in repository.refs_in((name,))}
    except DamagedBackup:
        return None
    return _List(refs, repository.chunk_size(bytes.fromhex(name)) or 0)


def _size(entry: _List | None) -> int:
    return entry.stored_bytes if entry else 0


def _ratio(whole: int, part: int) -> float:
    return whole / part if part else 1.0
