"""What a repository holds in all, and how much of it is shared between its backups."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from struct import Struct

from holdfast.errors import DamagedBackup
from holdfast.repository.chunks import ChunkRef
from holdfast.repository.manifest import Manifest
from holdfast.repository.repository import Repository

_CHUNK = Struct("32sQQ")
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
    chunks: set[bytes] = set()
    needed: set[str] = set()
    backups = logical = unique = stored = 0
    for manifest in manifests:
        found = {name: lists[name] for name in _lists(manifest)}
        if None in found.values():
            # One that was removed a moment ago is not damaged.
            unreadable += repository.find(manifest.backup_id) is not None
            continue
        for name, entry in found.items():
            if entry is None or name in needed:
                continue
            needed.add(name)
            stored += entry.stored_bytes
            for chunk_id, raw_bytes, stored_bytes in entry.chunks():
                if chunk_id not in chunks:
                    chunks.add(chunk_id)
                    unique, stored = unique + raw_bytes, stored + stored_bytes
        backups += 1
        logical += manifest.logical_bytes
    return Totals(
        backups=backups,
        logical_bytes=logical,
        unique_bytes=unique,
        stored_bytes=stored,
        chunks=len(chunks),
        damaged=unreadable,
    )


class _List:
    """What counts of a list, packed: there may be millions of chunks. ``stored_bytes``: of the list itself."""

    def __init__(self, refs: Iterable[ChunkRef], stored_bytes: int) -> None:
        self._chunks, self.stored_bytes = bytearray(), stored_bytes
        for ref in refs:
            self._chunks += _CHUNK.pack(ref.id, ref.logical_bytes, ref.stored_bytes)

    def chunks(self) -> Iterator[tuple[bytes, int, int]]:
        return _CHUNK.iter_unpack(self._chunks)


def _lists(manifest: Manifest) -> list[str]:
    return [name for record in manifest.stored for name in record.chunk_lists]


def _list(repository: Repository, name: str) -> _List | None:
    try:
        return _List(repository.refs_in((name,)), repository.chunk_size(bytes.fromhex(name)) or 0)
    except DamagedBackup:
        return None


def _ratio(whole: int, part: int) -> float:
    return whole / part if part else 1.0
